from __future__ import annotations

import asyncio

import pytest

from hyperfocal.session import TurnLock
from hyperfocal.testing.clock import settle


async def test_a_free_lock_is_taken_without_waiting() -> None:
    lock = TurnLock()
    assert lock.try_acquire()
    assert lock.held
    assert not lock.try_acquire()
    lock.release()
    assert not lock.held


async def test_it_is_handed_on_in_the_order_of_asking() -> None:
    lock = TurnLock()
    assert lock.try_acquire()
    order: list[int] = []

    async def ask(number: int) -> None:
        await lock.acquire()
        order.append(number)
        await asyncio.sleep(0)
        lock.release()

    tasks = [asyncio.create_task(ask(number)) for number in range(5)]
    await settle()
    assert lock.waiting == 5
    lock.release()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]
    assert not lock.held


async def test_nobody_overtakes_one_who_has_been_given_the_lock_but_has_not_run_yet() -> None:
    lock = TurnLock()
    assert lock.try_acquire()
    waiting = asyncio.create_task(lock.acquire())
    await settle()
    lock.release()
    assert not lock.try_acquire()
    await waiting
    lock.release()
    assert lock.try_acquire()


async def test_a_cancelled_waiter_delays_nobody() -> None:
    lock = TurnLock()
    assert lock.try_acquire()
    first, second = (asyncio.create_task(lock.acquire()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    lock.release()
    await second
    assert lock.held
    assert first.cancelled()


async def test_one_cancelled_in_the_moment_of_getting_it_passes_it_on() -> None:
    lock = TurnLock()
    assert lock.try_acquire()
    first, second = (asyncio.create_task(lock.acquire()) for _ in range(2))
    await settle()
    lock.release()  # first has been given it, and has not run yet
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    lock.release()
    assert not lock.held
