"""Coroutines that have the document only while they run, not while they wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bokeh.io import curdoc
from bokeh.models.widgets import Div

from hyperfocal.clock import SystemClock
from hyperfocal.document import new_document
from hyperfocal.errors import OutsideTurnError
from hyperfocal.session import Execution, Habit, Session, Thresholds
from hyperfocal.session.stepping import Stepping
from hyperfocal.telemetry import Telemetry
from tests.support.serving import until


class Bench:
    """A live session with a Div, and a habit of running in threads."""

    def __init__(self) -> None:
        clock, telemetry, never = SystemClock(), Telemetry(), Thresholds(-1.0)
        self.execution = Execution(2, 0, never, never, clock, telemetry)
        self.div = Div(text="")
        document = new_document()
        document.add_root(self.div)
        loop = asyncio.get_running_loop()
        self.session = Session(
            "an-id",
            document,
            loop=loop,
            clock=clock,
            telemetry=telemetry,
            execution=self.execution,
        )
        self.session.go_live()
        self.slow = Habit("slow", "slow", never, lambda *_: None)

    def start(
        self, coroutine: Coroutine[Any, Any, Any], habit: Habit | None = None
    ) -> asyncio.Task[Any]:
        async def run() -> Any:
            return await Stepping(self.session, coroutine, habit)

        return asyncio.create_task(run())


@asynccontextmanager
async def benched() -> AsyncGenerator[Bench]:
    bench = Bench()
    try:
        yield bench
    finally:
        if not bench.session.destroyed:
            bench.session.begin_closing()
            await bench.session.destroy()
        bench.execution.close()


async def test_each_step_has_the_document_and_waiting_does_not() -> None:
    async with benched() as bench:
        go = asyncio.Event()

        async def work() -> str:
            bench.div.text = "first"
            assert curdoc() is bench.session.document
            await go.wait()
            bench.div.text = "second"
            return "done"

        task = bench.start(work())
        await until(lambda: bench.div.text == "first")
        turn = bench.session.turn_nowait()
        assert turn is not None  # nobody has it
        turn.end()
        go.set()
        assert await task == "done"
        assert bench.div.text == "second"
        with pytest.raises(OutsideTurnError):
            bench.div.text = "outside"


async def test_a_step_happens_within_a_turn_that_waits_on_the_loop() -> None:
    async with benched() as bench:
        said = asyncio.Event()

        async def tell() -> None:
            await asyncio.sleep(0)
            bench.div.text = "told"
            said.set()

        async with bench.session.turn() as turn:
            await asyncio.wait_for(bench.start(tell()), 10)
            assert said.is_set()
            assert bench.div.text == "told"
            assert bench.session.turn_now is turn


async def test_a_step_waits_for_a_thread_that_has_the_document() -> None:
    async with benched() as bench:
        go, here = threading.Event(), threading.Event()
        order: list[str] = []

        def slow() -> None:
            here.set()
            assert go.wait(10)
            order.append("thread")

        async def work() -> None:
            order.append("step")

        async def in_turn() -> None:
            async with bench.session.turn() as turn:
                await bench.session.in_thread(turn, bench.slow, slow)

        turn_task = asyncio.create_task(in_turn())
        await until(here.is_set)
        task = bench.start(work())
        for _ in range(20):
            await asyncio.sleep(0)
        assert order == []
        go.set()
        await asyncio.gather(turn_task, task)
        assert order == ["thread", "step"]


async def test_steps_of_slow_code_are_taken_in_threads() -> None:
    async with benched() as bench:
        threads: list[int] = []

        async def work() -> str:
            for _ in range(3):
                threads.append(threading.get_ident())
                bench.div.text += "."
                await asyncio.sleep(0.001)
            return bench.div.text

        assert await bench.start(work(), bench.slow) == "..."
        assert threading.get_ident() not in threads


async def test_what_is_raised_reaches_whoever_awaits_it() -> None:
    async with benched() as bench:

        async def fails() -> None:
            await asyncio.sleep(0)
            raise ValueError("a mistake")

        for habit in (None, bench.slow):
            with pytest.raises(ValueError, match="a mistake"):
                await bench.start(fails(), habit)
        assert bench.session.turn_now is None


async def test_a_cancelled_coroutine_ends_with_the_document() -> None:
    async with benched() as bench:
        waiting = asyncio.Event()

        async def work() -> None:
            try:
                waiting.set()
                await asyncio.sleep(60)
            finally:
                bench.div.text = "ended"

        task = bench.start(work())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.div.text == "ended"


async def test_a_coroutine_that_waits_for_the_document_hears_of_its_cancellation() -> None:
    async with benched() as bench:
        resume, go, here = asyncio.Event(), threading.Event(), threading.Event()

        async def work() -> None:
            try:
                await resume.wait()
                raise AssertionError("it was cancelled before")
            except asyncio.CancelledError:
                bench.div.text = "cancelled"
                raise

        def slow() -> None:
            here.set()
            assert go.wait(10)

        async def in_turn() -> None:
            async with bench.session.turn() as turn:
                await bench.session.in_thread(turn, bench.slow, slow)

        task = bench.start(work())
        await asyncio.sleep(0)
        turn_task = asyncio.create_task(in_turn())
        await until(here.is_set)
        resume.set()
        for _ in range(5):
            await asyncio.sleep(0)  # it waits for the thread's turn now
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        go.set()
        await turn_task
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.div.text == "cancelled"


async def test_a_coroutine_in_a_thread_hears_of_its_cancellation() -> None:
    async with benched() as bench:
        go, here = threading.Event(), threading.Event()

        async def work() -> None:
            here.set()
            assert go.wait(10)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                bench.div.text = "cancelled"
                raise

        task = bench.start(work(), bench.slow)
        await until(here.is_set)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.div.text == "cancelled"


async def test_a_coroutine_goes_no_further_than_its_session() -> None:
    async with benched() as bench:
        go, ended = asyncio.Event(), False

        async def work() -> None:
            nonlocal ended
            try:
                await go.wait()
                raise AssertionError("there is no document any more")
            finally:
                ended = True

        task = bench.start(work())
        await asyncio.sleep(0)
        bench.session.begin_closing()
        await bench.session.destroy()
        go.set()
        assert await task is None
        assert ended
