from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from hyperfocal.errors import BusyError
from hyperfocal.session import Execution, Thresholds
from hyperfocal.session.effort import Effort
from hyperfocal.session.execution import code_of
from hyperfocal.telemetry import CodeMoved, Telemetry
from hyperfocal.testing import ManualClock
from tests.support.serving import Events

QUICK, SLOW = 0.001, 0.5


class Bench:
    """An execution with threads, on a clock that is moved by hand."""

    def __init__(self, *, threads: int = 2, queue: int = 1) -> None:
        self.clock = ManualClock()
        self.events = Events()
        limits = Thresholds(0.010)
        telemetry = Telemetry(self.events)
        self.execution = Execution(threads, 1, limits, limits, self.clock, telemetry, queue)

    def taking(self, seconds: float) -> Callable[[], int]:
        """Code that takes so long; always the same code. Gives its thread."""

        def work() -> int:
            self.clock.set(self.clock.monotonic() + seconds)
            return threading.get_ident()

        return work

    async def run(self, seconds: float) -> bool:
        """Run it. Whether that was in place."""
        work = self.taking(seconds)
        return await self.execution.run(work, work, "/app") == threading.get_ident()


@contextmanager
def closing(bench: Bench) -> Generator[Bench]:
    try:
        yield bench
    finally:
        bench.execution.close()


async def test_code_runs_in_threads_until_it_has_been_quick_three_times_in_a_row() -> None:
    with closing(Bench()) as bench:
        places = [await bench.run(seconds) for seconds in (QUICK, QUICK, QUICK, QUICK)]
        assert places == [False, False, False, True]
        assert [event.quick for event in bench.events.of(CodeMoved)] == [True]


async def test_a_slow_run_begins_the_count_anew() -> None:
    with closing(Bench()) as bench:
        await bench.run(QUICK)
        await bench.run(QUICK)
        await bench.run(SLOW)
        bench.clock.set(bench.clock.monotonic() + 100 * SLOW)
        places = [await bench.run(QUICK) for _ in range(4)]
        assert places == [False, False, False, True]


async def test_code_that_turns_slow_goes_back_to_threads_and_stays_for_a_while() -> None:
    with closing(Bench()) as bench:
        for _ in range(3):
            await bench.run(QUICK)
        assert await bench.run(SLOW)  # nobody could know
        assert not await bench.run(QUICK)
        for _ in range(20):
            assert not await bench.run(QUICK)
        moved = [(event.quick, round(event.took_s, 3)) for event in bench.events.of(CodeMoved)]
        assert moved == [(True, QUICK), (False, SLOW)]
        bench.clock.set(bench.clock.monotonic() + 200 * SLOW)  # twice as long as the first time
        await bench.run(QUICK)
        assert await bench.run(QUICK)


async def test_of_the_time_in_which_code_is_now_quick_now_slow_little_is_lost() -> None:
    with closing(Bench()) as bench:
        lost = 0.0
        began = bench.clock.monotonic()
        for _ in range(2000):
            for seconds in (*[QUICK] * 4, SLOW):
                if await bench.run(seconds) and seconds == SLOW:
                    lost += SLOW
            bench.clock.set(bench.clock.monotonic() + 0.1)
        assert lost <= (bench.clock.monotonic() - began) / 100


async def test_what_one_session_has_taught_holds_for_others_and_other_code_is_apart() -> None:
    with closing(Bench()) as bench:
        for _ in range(3):
            await bench.run(QUICK)

        def other() -> int:
            return threading.get_ident()

        assert await bench.execution.run(other, other, "/app") != threading.get_ident()
        assert await bench.run(QUICK)


async def test_async_code_is_left_where_it_is() -> None:
    with closing(Bench()) as bench:

        async def work() -> None:
            """Nothing."""

        assert bench.execution.habit(work, "/app") is None
        assert bench.execution.habit(functools.partial(work), "/app") is None
        assert bench.execution.habit(functools.wraps(work)(lambda: None), "/app") is None


async def test_without_threads_everything_runs_in_place() -> None:
    with closing(Bench(threads=0)) as bench:
        assert await bench.run(SLOW)
        assert await bench.run(SLOW)
        assert not bench.events.of(CodeMoved)


class Thing:
    """Something with a method, which can be called itself."""

    def method(self) -> None:
        """Nothing."""

    def __call__(self) -> None:
        """Nothing."""


def _function() -> Any:
    def inner() -> None:
        """Nothing."""

    return inner


@pytest.mark.parametrize(
    "make",
    [
        _function,
        lambda: functools.partial(_function(), *()),
        lambda: functools.wraps(_function())(lambda: None),
        lambda: Thing().method,
        Thing,
        lambda: [].append,
        lambda: dict,
    ],
    ids=["closure", "partial", "wrapped", "method", "callable", "builtin", "class"],
)
def test_callbacks_of_two_sessions_that_share_their_code_are_one(make: Callable[[], Any]) -> None:
    first, second = make(), make()
    assert code_of(first) is code_of(second)


def test_what_is_wrapped_in_the_same_way_is_still_told_apart() -> None:
    def wrapped(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper() -> Any:
            return function()

        return wrapper

    assert code_of(wrapped(_function())) is not code_of(wrapped(Thing().method))
    assert code_of([].append) is not code_of([].clear)


def test_of_several_callbacks_the_one_that_is_not_quick_decides() -> None:
    bench = Bench()
    quick, slow = (lambda: None), (lambda: None)
    known = bench.execution.habit(quick, "/app")
    assert known is not None
    for _ in range(3):
        known.took(QUICK, 0.0)
    assert known.quick
    for order in ([quick, slow], [slow, quick]):
        found = bench.execution.slowest(order, "/app")
        assert found is bench.execution.habit(slow, "/app")
    assert bench.execution.slowest([quick], "/app") is known
    assert bench.execution.slowest([], "/app") is None


def test_the_number_of_habits_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyperfocal.session.execution._MAX_HABITS", 3)
    bench = Bench()
    codes = [eval(f"lambda: {number}") for number in range(5)]
    habits = [bench.execution.habit(code, "/app") for code in codes]
    assert bench.execution.habit(codes[4], "/app") is habits[4]
    assert bench.execution.habit(codes[0], "/app") is not habits[0]


class Scripted:
    """An execution on a clock moved by hand, of a thread whose effort is written down."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.effort = Effort(0.0, 0)
        limits = Thresholds(0.010)
        telemetry = Telemetry()
        self.execution = Execution(
            1, 0, limits, limits, self.clock, telemetry, effort=lambda: self.effort
        )

    async def run(self, seconds: float, cpu_s: float, waits: int = 0) -> bool:
        """Run code that takes so long in all. Whether that was in place."""

        def work() -> int:
            self.clock.set(self.clock.monotonic() + seconds)
            self.effort = Effort(self.effort.cpu_s + cpu_s, self.effort.waits + waits)
            return threading.get_ident()

        return await self.execution.run(work, work, "/app") == threading.get_ident()


async def test_code_is_not_blamed_for_what_keeps_it_from_the_processor() -> None:
    bench = Scripted()
    try:
        places = [await bench.run(SLOW, QUICK) for _ in range(4)]
        assert places == [False, False, False, True]
        assert await bench.run(SLOW, SLOW)
        assert not await bench.run(SLOW, QUICK)
    finally:
        bench.execution.close()


async def test_code_that_waits_is_slow_although_it_computes_little() -> None:
    bench = Scripted()
    try:
        for _ in range(3):
            assert not await bench.run(SLOW, QUICK, waits=1)
        assert not await bench.run(QUICK, QUICK)
    finally:
        bench.execution.close()


# --- callers that go away ---------------------------------------------------------------------


class Gate:
    """A call that says when it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.may_end.wait(10)


async def test_a_caller_that_is_cancelled_waits_for_the_thread() -> None:
    with closing(Bench()) as bench:
        gate = Gate()
        habit = bench.execution.habit(gate, "/app")
        assert habit is not None
        task = asyncio.create_task(bench.execution.in_thread(habit, gate, "/app"))
        await asyncio.to_thread(gate.begun.wait, 10)
        for _ in range(3):  # however often
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        gate.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_caller_that_may_abandon_the_thread_does_not_wait() -> None:
    with closing(Bench()) as bench:
        gate = Gate()
        call = bench.execution.run(gate, gate, "/app", abandon=True)
        task = asyncio.create_task(call)
        await asyncio.to_thread(gate.begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not gate.may_end.is_set()
        gate.may_end.set()


async def test_what_was_abandoned_was_not_quick() -> None:
    """Regression: documents that took too long to build were built on the event loop in the end."""
    with closing(Bench()) as bench:
        for _ in range(3):
            gate = Gate()
            task = asyncio.create_task(bench.execution.build("/app", "id", gate))
            await asyncio.to_thread(gate.begun.wait, 10)
            bench.clock.set(bench.clock.monotonic() + SLOW)
            task.cancel()
            await asyncio.wait({task})
            gate.may_end.set()
        here = threading.get_ident()
        assert await bench.execution.build("/app", "id", threading.get_ident) != here
        habit = bench.execution.building("/app")
        assert habit is not None
        assert not habit.quick


async def test_what_never_began_says_nothing_of_how_long_it_takes() -> None:
    with closing(Bench(queue=10)) as bench:
        first = Gate()
        running = asyncio.create_task(bench.execution.build("/app", "id", first))
        await asyncio.to_thread(first.begun.wait, 10)
        later = [Gate() for _ in range(4)]
        waiting = [asyncio.create_task(bench.execution.build("/app", "id", one)) for one in later]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        first.may_end.set()
        await running
        assert await bench.execution.build("/app", "id", threading.get_ident) != 0
        assert not any(gate.begun.is_set() for gate in later)  # nobody wants them any more
        habit = bench.execution.building("/app")
        assert habit is not None
        assert not habit.quick  # two runs so far


async def test_a_thread_that_is_stuck_holds_nobody_once_the_execution_is_closed() -> None:
    bench, gate = Bench(), Gate()
    habit = bench.execution.habit(gate, "/app")
    assert habit is not None
    task = asyncio.create_task(bench.execution.in_thread(habit, gate, "/app"))
    await asyncio.to_thread(gate.begun.wait, 10)
    bench.execution.close()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.may_end.set()


async def test_too_many_documents_that_wait_to_be_built_are_refused() -> None:
    with closing(Bench(queue=1)) as bench:
        gates = [Gate(), Gate()]
        first = asyncio.create_task(bench.execution.build("/app", "id", gates[0]))
        await asyncio.to_thread(gates[0].begun.wait, 10)
        second = asyncio.create_task(bench.execution.build("/app", "id", gates[1]))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="1 documents wait") as caught:
            await bench.execution.build("/app", "id", Gate())
        assert caught.value.retry_after_s > 0
        for gate in gates:
            gate.may_end.set()
        await asyncio.gather(first, second)


async def test_building_has_a_habit_for_each_application() -> None:
    with closing(Bench()) as bench:
        work = bench.taking(QUICK)
        here = threading.get_ident()
        places = [await bench.execution.build("/a", "id", work) == here for _ in range(4)]
        assert places == [False, False, False, True]
        assert await bench.execution.build("/b", "id", work) != here
