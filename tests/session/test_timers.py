from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hyperfocal.errors import UnknownCallbackError
from hyperfocal.session import Ended, Timer, TimerKind, Timers
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle


class Bench:
    """Timers on a clock that is moved by hand."""

    def __init__(self, *, started: bool = True) -> None:
        self.clock = ManualClock()
        self.start = self.clock.monotonic()
        self.late: list[str] = []
        self.failures: list[BaseException] = []
        self.runs: list[float] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.timers = Timers(
            asyncio.get_running_loop(),
            self.clock,
            self.run,
            lambda timer, error: self.failures.append(error),
            lambda timer, took: self.late.append(timer.name),
            started=started,
        )

    def run(self, timer: Timer, ended: Ended) -> None:
        if not self.timers.begin(timer):
            ended(None)
            return
        result = timer.callback()
        if not inspect.isawaitable(result):
            ended(None)
            return
        task = asyncio.ensure_future(self.finish(result, ended))
        self.tasks.append(task)

    async def finish(self, result: Awaitable[None], ended: Ended) -> None:
        try:
            await result
        except BaseException as error:
            ended(error)
        else:
            ended(None)

    def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()

    def beat(self) -> None:
        self.runs.append(round(self.clock.monotonic() - self.start, 6))


async def test_a_next_tick_runs_once_and_is_gone() -> None:
    bench = Bench()
    bench.timers.add("a", TimerKind.NEXT_TICK, bench.beat)
    assert bench.runs == []
    await settle()
    assert bench.runs == [0.0]
    with pytest.raises(UnknownCallbackError):
        bench.timers.remove("a")


async def test_a_timeout_runs_once_after_its_delay() -> None:
    bench = Bench()
    bench.timers.add("a", TimerKind.TIMEOUT, bench.beat, 2.0)
    await bench.clock.advance(1.999)
    assert bench.runs == []
    await bench.clock.advance(10)
    assert bench.runs == [2.0]
    with pytest.raises(ValueError, match="already run"):
        bench.timers.remove("a", TimerKind.TIMEOUT)


async def test_a_removed_timer_does_not_run() -> None:
    bench = Bench()
    for kind in TimerKind:
        bench.timers.add(kind, kind, bench.beat, 1.0)
        bench.timers.remove(kind, kind)
    await bench.clock.advance(5)
    assert bench.runs == []
    assert len(bench.timers) == 0


async def test_removing_with_the_wrong_kind_is_an_error_and_changes_nothing() -> None:
    bench = Bench()
    bench.timers.add("a", TimerKind.PERIODIC, bench.beat, 1.0)
    with pytest.raises(UnknownCallbackError):
        bench.timers.remove("a", TimerKind.TIMEOUT)
    await bench.clock.advance(1)
    assert bench.runs == [1.0]


async def test_a_periodic_timer_does_not_drift() -> None:
    bench = Bench()

    def slow() -> None:
        bench.beat()
        bench.clock.set(bench.clock.monotonic() + 0.03)

    bench.timers.add("a", TimerKind.PERIODIC, slow, 0.1)
    await bench.clock.advance(0.55)
    assert bench.runs == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert bench.late == []


async def test_a_slow_run_skips_beats_and_says_so_once() -> None:
    bench = Bench()

    def slow() -> None:
        bench.beat()
        bench.clock.set(bench.clock.monotonic() + 0.25)

    bench.timers.add("a", TimerKind.PERIODIC, slow, 0.1)
    await bench.clock.advance(1.05)
    assert bench.runs == [0.1, 0.4, 0.7, 1.0]
    assert len(bench.late) == 1


async def test_a_machine_that_was_busy_for_a_moment_is_nothing_to_speak_of() -> None:
    bench = Bench()
    takes = iter([0.25, 0.25, 0.0] * 4)

    def now_and_then() -> None:
        bench.beat()
        bench.clock.set(bench.clock.monotonic() + next(takes))

    bench.timers.add("a", TimerKind.PERIODIC, now_and_then, 0.1)
    await bench.clock.advance(2.0)
    assert len(bench.runs) >= 8
    assert bench.late == []


async def test_an_async_periodic_timer_never_overlaps_itself() -> None:
    bench = Bench()
    release = asyncio.Event()
    running: list[int] = []

    async def slow() -> None:
        running.append(1)
        bench.beat()
        await release.wait()
        running.pop()

    bench.timers.add("a", TimerKind.PERIODIC, slow, 0.1)
    await bench.clock.advance(0.35)
    assert len(running) == 1
    assert bench.runs == [0.1]
    release.set()
    await settle()
    await bench.clock.advance(0.05)
    assert bench.runs == [0.1, 0.4]


@pytest.mark.parametrize(
    "error", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
async def test_whatever_a_callback_raises_is_reported_and_a_periodic_one_goes_on(
    error: type[BaseException],
) -> None:
    bench = Bench()

    def plain() -> None:
        raise error

    async def later() -> None:
        await asyncio.sleep(0)
        raise error

    bench.timers.add("a", TimerKind.PERIODIC, plain, 0.1)
    bench.timers.add("b", TimerKind.PERIODIC, later, 0.1)
    await bench.clock.advance(0.25)
    assert [type(one) for one in bench.failures] == [error] * 4


async def test_a_timer_that_is_removed_while_it_runs_does_not_run_again() -> None:
    bench = Bench()

    def once() -> None:
        bench.beat()
        bench.timers.remove("a")

    bench.timers.add("a", TimerKind.PERIODIC, once, 0.1)
    await bench.clock.advance(1)
    assert bench.runs == [0.1]


async def test_adding_and_removing_from_another_thread_is_safe() -> None:
    bench = Bench()
    loop_thread = threading.get_ident()
    seen: list[int] = []

    def note() -> None:
        seen.append(threading.get_ident())

    def elsewhere() -> int:
        bench.timers.add("a", TimerKind.NEXT_TICK, note)
        bench.timers.add("b", TimerKind.TIMEOUT, bench.beat, 1.0)
        bench.timers.add("c", TimerKind.TIMEOUT, note, 1.0)
        bench.timers.remove("b")
        return threading.get_ident()

    # The next tick need not wait for the loop; whoever runs the callback decides where.
    thread = await asyncio.to_thread(elsewhere)
    assert seen == [thread]
    await settle()
    await bench.clock.advance(2)
    assert seen == [thread, loop_thread]
    assert bench.runs == []


async def test_timers_that_are_not_started_wait_and_count_from_the_start() -> None:
    bench = Bench(started=False)
    bench.timers.add("tick", TimerKind.NEXT_TICK, bench.beat)
    bench.timers.add("later", TimerKind.TIMEOUT, bench.beat, 1.0)
    await bench.clock.advance(5)
    assert bench.runs == []
    bench.timers.start()
    await bench.clock.advance(2)
    assert bench.runs == [5.0, 6.0]


async def test_after_close_nothing_runs_and_nothing_can_be_added() -> None:
    bench = Bench()
    bench.timers.add("a", TimerKind.PERIODIC, bench.beat, 0.1)
    bench.timers.close()
    bench.timers.add("b", TimerKind.NEXT_TICK, bench.beat)
    await bench.clock.advance(1)
    assert bench.runs == []
    assert len(bench.timers) == 0


async def test_runs_that_have_begun_can_be_cancelled_at_the_end() -> None:
    bench = Bench()
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    bench.timers.add("a", TimerKind.NEXT_TICK, endless)
    await settle()
    bench.timers.close()
    waiting = asyncio.ensure_future(bench.timers.wait_closed(1.0, bench.cancel))
    await bench.clock.advance(0.9)
    assert ended == []
    await bench.clock.advance(0.2)
    await waiting
    assert ended == ["cancelled"]


@pytest.mark.parametrize(("kind", "delay"), [(TimerKind.PERIODIC, 0.0), (TimerKind.TIMEOUT, -1.0)])
async def test_impossible_delays_are_refused(kind: TimerKind, delay: float) -> None:
    with pytest.raises(ValueError, match="cannot run"):
        Bench().timers.add("a", kind, lambda: None, delay)


async def test_a_key_can_be_used_only_once_at_a_time() -> None:
    bench = Bench()
    bench.timers.add("a", TimerKind.TIMEOUT, bench.beat, 1.0)
    with pytest.raises(ValueError, match="already"):
        bench.timers.add("a", TimerKind.TIMEOUT, bench.beat, 1.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: test_impossible_delays_are_refused, "test_impossible_delays_are_refused"),
        (lambda: __import__("functools").partial(print, 1), "print"),
    ],
)
def test_a_timer_knows_the_name_of_its_callback(make: Callable[[], Any], name: str) -> None:
    timer = Timer("a", TimerKind.NEXT_TICK, make())
    assert timer.name.endswith(name)
