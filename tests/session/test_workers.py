from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from hyperfocal.session.workers import Workers

_mark: ContextVar[str] = ContextVar("mark", default="")


@pytest.fixture
async def workers() -> AsyncGenerator[Workers]:
    made = Workers(2, "test")
    yield made
    made.close()


class Gate:
    """A call that says when it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> int:
        self.begun.set()
        assert self.may_end.wait(10)
        return threading.get_ident()


async def begun(*gates: Gate) -> None:
    for gate in gates:
        assert await asyncio.to_thread(gate.begun.wait, 10)


async def test_a_call_runs_in_another_thread_and_its_result_comes_back(workers: Workers) -> None:
    assert await workers.submit(threading.get_ident) != threading.get_ident()


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()], ids=repr)
async def test_what_a_call_raises_comes_back(workers: Workers, error: BaseException) -> None:
    def fail() -> None:
        raise error

    future = workers.submit(fail)
    await asyncio.wait({future})
    assert future.exception() is error
    assert await workers.submit(lambda: 1) == 1  # the thread has survived


async def test_stop_iteration_which_no_future_can_hold_comes_back_as_its_cause(
    workers: Workers,
) -> None:
    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        await workers.submit(lambda: next(iter(())))
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_no_more_threads_than_the_limit_and_first_come_first_served(workers: Workers) -> None:
    gates = [Gate() for _ in range(4)]
    running = [workers.submit(gate) for gate in gates]
    await begun(*gates[:2])
    assert workers.waiting == 2
    assert not gates[2].begun.is_set()
    gates[0].may_end.set()
    await begun(gates[2])
    assert not gates[3].begun.is_set()
    assert workers.waiting == 1
    for gate in gates:
        gate.may_end.set()
    threads = set(await asyncio.gather(*running))
    assert len(threads) == 2


async def test_a_thread_is_used_again(workers: Workers) -> None:
    used = {await workers.submit(threading.get_ident) for _ in range(6)}
    # A thread says what it has before it is idle again, so there may be a second one.
    assert len(used) <= 2
    assert used <= {one.ident for one in threading.enumerate() if one.name.startswith("test")}


async def test_the_context_is_a_copy_of_the_callers(workers: Workers) -> None:
    _mark.set("caller")

    def look() -> str:
        seen = _mark.get()
        _mark.set("thread")
        return seen

    assert await workers.submit(look) == "caller"
    assert _mark.get() == "caller"


async def test_a_thread_says_for_whom_it_works_and_keeps_no_process_alive(workers: Workers) -> None:
    named = await workers.submit(lambda: threading.current_thread().name, "/app")
    assert named == "test /app"
    assert await workers.submit(lambda: threading.current_thread().daemon)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such directories")
async def test_the_working_directory_of_a_thread_is_its_own(
    workers: Workers, tmp_path: Path
) -> None:
    before = os.getcwd()
    gate = Gate()

    def move() -> str:
        os.chdir(tmp_path)
        gate()
        return os.getcwd()

    moved = workers.submit(move)
    await begun(gate)
    assert os.getcwd() == before
    assert await workers.submit(os.getcwd) == before  # another thread, meanwhile
    gate.may_end.set()
    assert await moved == str(tmp_path)
    assert os.getcwd() == before


async def test_closing_lets_go_of_those_who_wait_and_of_those_who_are_stuck() -> None:
    workers = Workers(1, "closing")
    stuck, later = Gate(), Gate()
    futures = [workers.submit(stuck), workers.submit(later)]
    await begun(stuck)
    workers.close()
    done, _ = await asyncio.wait(futures, timeout=10)
    assert done == set(futures)
    assert all(future.cancelled() for future in futures)
    stuck.may_end.set()
    assert not later.begun.is_set()


async def test_closing_ends_threads_that_have_nothing_to_do() -> None:
    workers = Workers(1, "idle")
    thread = await workers.submit(threading.current_thread)
    workers.close()
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


# --- the event loop, from within --------------------------------------------------------------


async def test_code_in_a_thread_may_start_tasks(workers: Workers) -> None:
    seen: list[Any] = []
    loop = asyncio.get_running_loop()

    async def task() -> str:
        async with asyncio.timeout(10):  # needs the task to be known to its loop
            await asyncio.sleep(0)
        seen.append((threading.get_ident(), asyncio.get_running_loop() is loop))
        return "done"

    def start() -> asyncio.Task[str]:
        return asyncio.create_task(task())

    started = await workers.submit(start)
    assert await started == "done"
    assert seen == [(threading.get_ident(), True)]


async def test_code_in_a_thread_may_schedule_calls(workers: Workers) -> None:
    order: list[str] = []
    done = asyncio.Event()

    def schedule() -> None:
        loop = asyncio.get_running_loop()
        assert loop is asyncio.get_event_loop()
        assert loop.is_running()
        loop.call_soon(order.append, "soon")
        loop.call_later(0.01, order.append, "later")
        loop.call_at(loop.time() + 0.02, done.set)
        loop.call_later(0.005, order.append, "never").cancel()

    await workers.submit(schedule)
    async with asyncio.timeout(10):
        await done.wait()
    assert order == ["soon", "later"]


async def test_a_loop_cannot_be_run_within_as_it_runs_already(workers: Workers) -> None:
    async def nothing() -> None:
        """Never awaited."""

    def nested() -> None:
        coroutine = nothing()
        try:
            asyncio.run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match="running event loop"):
        await workers.submit(nested)


async def test_a_task_that_a_thread_starts_has_its_context(workers: Workers) -> None:
    async def look() -> str:
        return _mark.get()

    def start() -> asyncio.Task[str]:
        _mark.set("of the thread")
        return asyncio.create_task(look())

    assert await (await workers.submit(start)) == "of the thread"
