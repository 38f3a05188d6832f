"""The clock that is set by hand, and the machine's own."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

from hyperfocal.clock import Clock, SystemClock, TimerHandle
from hyperfocal.testing import ManualClock


def loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_it_stands_still_where_it_was_put() -> None:
    clock = ManualClock(500.0)
    assert [clock.monotonic(), clock.wall(), clock.monotonic()] == [500.0] * 3


def test_it_is_a_clock() -> None:
    clocks: list[Clock] = [ManualClock(), SystemClock()]
    assert all(clock.wall() > 0 for clock in clocks)


async def test_advancing_moves_both_readings() -> None:
    clock = ManualClock(500.0)
    await clock.advance(2.5)
    assert (clock.monotonic(), clock.wall()) == (502.5, 502.5)


async def test_a_timer_fires_when_its_moment_has_come_and_not_before() -> None:
    clock, fired = ManualClock(100.0), list[float]()
    clock.call_at(loop(), 110.0, lambda: fired.append(clock.monotonic()))
    await clock.advance(9.5)
    assert fired == []
    await clock.advance(0.5)
    assert fired == [110.0]
    await clock.advance(100.0)
    assert fired == [110.0]


async def test_nothing_fires_while_the_loop_merely_runs() -> None:
    clock, fired = ManualClock(100.0), list[str]()
    clock.call_at(loop(), 100.0, lambda: fired.append("due now"))
    for _ in range(50):
        await asyncio.sleep(0)
    assert fired == []
    await clock.advance(0)
    assert fired == ["due now"]


async def test_timers_fire_in_order_of_time_each_at_its_own_moment() -> None:
    clock, fired = ManualClock(0.0), list[tuple[str, float]]()

    def note(name: str) -> Callable[[], None]:
        return lambda: fired.append((name, clock.monotonic()))

    clock.call_at(loop(), 3.0, note("c"))
    clock.call_at(loop(), 1.0, note("a"))
    clock.call_at(loop(), 2.0, note("b1"))
    clock.call_at(loop(), 2.0, note("b2"))
    await clock.advance(10.0)
    assert fired == [("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("c", 3.0)]
    assert clock.monotonic() == 10.0


async def test_a_timer_that_was_called_off_does_not_fire() -> None:
    clock, fired = ManualClock(0.0), list[str]()
    kept = clock.call_at(loop(), 1.0, lambda: fired.append("kept"))
    off = clock.call_at(loop(), 1.0, lambda: fired.append("off"))
    off.cancel()
    off.cancel()
    await clock.advance(1.0)
    assert fired == ["kept"]
    kept.cancel()  # too late, and no error


async def test_a_timer_that_was_called_off_lets_go_of_what_it_held() -> None:
    class Held:
        def call(self) -> None: ...

    clock, held = ManualClock(0.0), Held()
    gone = weakref.ref(held)
    timer = clock.call_at(loop(), 1.0, held.call)
    del held
    assert gone() is not None
    timer.cancel()
    gc.collect()
    assert gone() is None


async def test_a_timer_can_call_off_one_of_the_same_moment() -> None:
    clock, fired = ManualClock(0.0), list[str]()
    later: list[TimerHandle] = []

    def call_off() -> None:
        later[0].cancel()

    clock.call_at(loop(), 1.0, call_off)
    later.append(clock.call_at(loop(), 1.0, lambda: fired.append("never")))
    await clock.advance(5.0)
    assert fired == []


async def test_a_timer_that_starts_itself_anew_fires_as_often_as_it_is_due() -> None:
    clock, fired = ManualClock(0.0), list[float]()

    def beat() -> None:
        fired.append(clock.monotonic())
        clock.call_at(loop(), clock.monotonic() + 10.0, beat)

    clock.call_at(loop(), 10.0, beat)
    await clock.advance(35.0)
    assert fired == [10.0, 20.0, 30.0]
    assert clock.monotonic() == 35.0


async def test_what_a_timer_starts_runs_before_the_next_timer_fires() -> None:
    clock, seen = ManualClock(0.0), list[str]()
    tasks: list[asyncio.Task[None]] = []

    async def work(name: str) -> None:
        seen.append(f"{name} begins")
        await asyncio.sleep(0)
        seen.append(f"{name} ends")

    def start(name: str) -> Callable[[], None]:
        return lambda: tasks.append(asyncio.create_task(work(name)))

    clock.call_at(loop(), 1.0, start("a"))
    clock.call_at(loop(), 2.0, start("b"))
    await clock.advance(2.0)
    assert seen == ["a begins", "a ends", "b begins", "b ends"]


async def test_what_is_under_way_may_set_timers_before_time_moves_on() -> None:
    clock, fired = ManualClock(0.0), list[float]()

    async def work() -> None:
        clock.call_at(loop(), clock.monotonic() + 1.0, lambda: fired.append(clock.monotonic()))

    task = asyncio.create_task(work())
    await clock.advance(5.0)
    assert fired == [1.0]
    await task


async def test_setting_the_hands_fires_nothing_until_time_moves_on() -> None:
    clock, fired = ManualClock(0.0), list[float]()
    clock.call_at(loop(), 1.0, lambda: fired.append(clock.monotonic()))
    clock.set(7.0)
    await asyncio.sleep(0)
    assert (fired, clock.monotonic(), clock.wall()) == ([], 7.0, 7.0)
    await clock.advance(1.0)
    assert fired == [7.0]  # late, and never back in time
    assert clock.monotonic() == 8.0


async def test_time_that_a_timer_takes_is_not_taken_back() -> None:
    clock = ManualClock(0.0)
    clock.call_at(loop(), 1.0, lambda: clock.set(50.0))
    await clock.advance(2.0)
    assert clock.monotonic() == 50.0


# --- the machine's clocks -------------------------------------------------------------------------


class Loop:
    """Notes what it is asked to call later."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> str:
        self.asked.append((delay, callback))
        return "handle"


def test_the_system_clock_tells_the_machines_times() -> None:
    clock = SystemClock()
    before = time.monotonic(), time.time()
    told = clock.monotonic(), clock.wall()
    after = time.monotonic(), time.time()
    assert before[0] <= told[0] <= after[0]
    assert abs(told[1] - before[1]) < 3600


def test_the_system_clock_asks_the_loop_for_the_time_that_is_left(monkeypatch: Any) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    clock, asked = SystemClock(), Loop()
    target: Any = asked

    def callback() -> None: ...

    handles: list[Any] = [clock.call_at(target, when, callback) for when in (107.5, 100.0, 20.0)]
    assert handles == ["handle"] * 3
    assert asked.asked == [(7.5, callback), (0.0, callback), (0.0, callback)]


async def test_the_system_clock_calls_on_a_real_loop() -> None:
    clock, done, called = SystemClock(), asyncio.Event(), list[str]()
    off = clock.call_at(loop(), clock.monotonic() - 2.0, lambda: called.append("off"))
    off.cancel()
    clock.call_at(loop(), clock.monotonic() - 1.0, done.set)
    await done.wait()
    assert called == []
