"""Coroutines that have the document only while they run, not while they wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bokeh.io import curdoc
from bokeh.models.widgets import Div

from hyperfocal.clock import SystemClock
from hyperfocal.document import new_document
from hyperfocal.engine import ThreadedEngine
from hyperfocal.errors import OutsideTurnError
from hyperfocal.session import Session
from hyperfocal.session.stepping import Stepping
from hyperfocal.telemetry import Telemetry
from tests.support.engines import Gate, threaded
from tests.support.serving import until


class Bench:
    """A live session with a Div, whose plain code runs in threads."""

    def __init__(self, engine: ThreadedEngine) -> None:
        self.div = Div(text="")
        document = new_document()
        document.add_root(self.div)
        self.session = Session(
            "an-id",
            document,
            loop=asyncio.get_running_loop(),
            clock=SystemClock(),
            telemetry=Telemetry(),
            engine=engine,
        )
        self.session.go_live()

    def start(
        self, function: Callable[[], Coroutine[Any, Any, Any]], *, in_threads: bool = False
    ) -> asyncio.Task[Any]:
        async def run() -> Any:
            return await Stepping(self.session.turns, function, in_threads=in_threads)

        return asyncio.create_task(run())


@asynccontextmanager
async def benched() -> AsyncGenerator[Bench]:
    async with threaded() as engine:
        bench = Bench(engine)
        yield bench
        if not bench.session.destroyed:
            bench.session.begin_closing()
            await bench.session.destroy()


async def test_each_step_has_the_document_and_waiting_does_not() -> None:
    async with benched() as bench:
        go = asyncio.Event()

        async def work() -> str:
            bench.div.text = "first"
            assert curdoc() is bench.session.document
            await go.wait()
            bench.div.text = "second"
            return "done"

        task = bench.start(work)
        await until(lambda: bench.div.text == "first")
        turn = bench.session.turns.nowait()
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
            await asyncio.wait_for(bench.start(tell), 10)
            assert said.is_set()
            assert bench.div.text == "told"
            assert bench.session.turns.now is turn


async def test_a_step_waits_for_a_thread_that_has_the_document() -> None:
    async with benched() as bench:
        gate = Gate()
        order: list[str] = []

        def slow(turn: Any) -> None:
            gate()
            order.append("thread")

        async def work() -> None:
            order.append("step")

        turn_task = asyncio.create_task(bench.session.turns.run(slow))
        await gate.until_begun()
        task = bench.start(work)
        for _ in range(20):
            await asyncio.sleep(0)
        assert order == []
        gate.may_end.set()
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

        assert await bench.start(work, in_threads=True) == "..."
        assert threading.get_ident() not in threads


async def test_what_is_raised_reaches_whoever_awaits_it() -> None:
    async with benched() as bench:

        async def fails() -> None:
            await asyncio.sleep(0)
            raise ValueError("a mistake")

        for in_threads in (False, True):
            with pytest.raises(ValueError, match="a mistake"):
                await bench.start(fails, in_threads=in_threads)
        assert bench.session.turns.now is None


async def test_a_cancelled_coroutine_ends_with_the_document() -> None:
    async with benched() as bench:
        waiting = asyncio.Event()

        async def work() -> None:
            try:
                waiting.set()
                await asyncio.sleep(60)
            finally:
                bench.div.text = "ended"

        task = bench.start(work)
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.div.text == "ended"


async def test_a_coroutine_that_waits_for_the_document_hears_of_its_cancellation() -> None:
    async with benched() as bench:
        resume, gate = asyncio.Event(), Gate()

        async def work() -> None:
            try:
                await resume.wait()
                raise AssertionError("it was cancelled before")
            except asyncio.CancelledError:
                bench.div.text = "cancelled"
                raise

        task = bench.start(work)
        await asyncio.sleep(0)
        turn_task = asyncio.create_task(bench.session.turns.run(gate))
        await gate.until_begun()
        resume.set()
        for _ in range(5):
            await asyncio.sleep(0)  # it waits for the thread's turn now
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        gate.may_end.set()
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

        task = bench.start(work, in_threads=True)
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

        task = bench.start(work)
        await asyncio.sleep(0)
        bench.session.begin_closing()
        await bench.session.destroy()
        go.set()
        assert await task is None
        assert ended
