"""What applications of Panel do with threads, one button each; ``told`` says what came of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import threading
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import panel as pn
import tasks  # type: ignore[import-not-found]
from bokeh.models.widgets import Div

pn.extension()
document: Any = pn.state.curdoc
told = Div(name="told")
loaded = Div(name="loaded", text="")
pane = pn.pane.Str("nothing")
other = pn.pane.Str("nothing")
numbers = itertools.count(1)


def tell(result: object) -> None:
    """From anywhere: with Panel's pool of threads callbacks have no turn."""
    document.add_next_tick_callback(partial(show, result))


def show(result: object) -> None:
    told.text = f"{next(numbers)}: {result}"


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def is_here() -> bool:
    return pn.state.curdoc is document


def thread(_: object) -> None:
    results: list[bool] = []
    in_thread(lambda: results.append(is_here())).join(8)
    tell(results)


def thread_of_thread(_: object) -> None:
    results: list[bool] = []

    def outer() -> None:
        in_thread(lambda: results.append(is_here())).join(8)

    in_thread(outer).join(8)
    tell(results)


def thread_afterwards(_: object) -> None:
    ended = threading.Event()

    def later() -> None:
        ended.wait(8)
        tell(pn.state.curdoc in (document, None))

    in_thread(later)
    document.add_next_tick_callback(ended.set)


def shared_executor(_: object) -> None:
    tell([tasks.executor.submit(is_here).result(8) for _ in range(3)])


async def to_thread(_: object) -> None:
    tell(await asyncio.to_thread(is_here))


def execute(_: object) -> None:
    def work() -> None:
        pn.state.execute(lambda: tell("executed"))

    in_thread(work)


def execute_scheduled(_: object) -> None:
    pn.state.execute(lambda: tell(f"executed {is_here()}"), schedule=True)


def execute_coroutine(_: object) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        tell(f"executed {is_here()}")

    pn.state.execute(work)


def changes(_: object) -> None:
    """A pane, from a thread, after the callback."""

    def work() -> None:
        pane.object = f"changed {next(numbers)}"

    in_thread(work)


def hold_in_thread(_: object) -> None:
    def work() -> None:
        with pn.io.hold():
            for step in range(5):
                pane.object = f"step {step}"
            other.object = f"held {next(numbers)}"

    in_thread(work).join(8)


def hold_in_thread_afterwards(_: object) -> None:
    ended = threading.Event()

    def work() -> None:
        ended.wait(8)
        with pn.io.hold(document):
            other.object = f"held {next(numbers)}"

    in_thread(work)
    document.add_next_tick_callback(ended.set)


def unlocked_in_thread(_: object) -> None:
    def work() -> None:
        with pn.io.unlocked():
            other.object = f"unlocked {next(numbers)}"

    in_thread(work).join(8)


def unlocked(_: object) -> None:
    with pn.io.unlocked():
        other.object = f"unlocked {next(numbers)}"


def hold(_: object) -> None:
    with pn.io.hold():
        other.object = f"held {next(numbers)}"


def periodic(_: object) -> None:
    pn.state.add_periodic_callback(
        lambda: setattr(other, "object", f"periodic {is_here()} {next(numbers)}"), 20, count=1
    )


def schedule(_: object) -> None:
    def answer() -> None:
        tasks.told.remove(answer)
        tell("a task ran")

    tasks.told.append(answer)
    pn.state.schedule_task(f"task {next(tasks.numbers)}", tasks.task, at=dt.datetime.now())


async def steps() -> AsyncGenerator[str]:
    for step in range(3):
        await asyncio.sleep(0.01)
        yield f"step {step} of an async generator"
    yield f"an async generator has ended {is_here()}"


def plain_steps(_: int) -> Any:
    for step in range(3):
        time.sleep(0.01)
        yield f"step {step} of a generator"
    yield f"a generator has ended {is_here()}"


def is_loaded() -> None:
    document.add_next_tick_callback(partial(note, f"plain {is_here()} "))


async def is_loaded_too() -> None:
    await asyncio.sleep(0)
    document.add_next_tick_callback(partial(note, f"async {is_here()} "))


def note(text: str) -> None:
    loaded.text += text


def of_script() -> None:
    here = is_here()
    document.add_next_tick_callback(partial(note, f"thread {here} "))


pn.state.onload(is_loaded)
pn.state.onload(is_loaded_too)
in_thread(of_script).join(8)
CALLBACKS: tuple[Callable[[Any], Any], ...] = (
    thread,
    thread_of_thread,
    thread_afterwards,
    shared_executor,
    to_thread,
    execute,
    execute_scheduled,
    execute_coroutine,
    changes,
    hold_in_thread,
    hold_in_thread_afterwards,
    unlocked_in_thread,
    unlocked,
    hold,
    periodic,
    schedule,
)
pn.Column(
    pn.pane.Bokeh(told),
    pn.pane.Bokeh(loaded),
    pane,
    other,
    pn.panel(steps),
    pn.panel(pn.bind(plain_steps, pn.widgets.IntSlider())),
    *(pn.widgets.Button(name=one.__name__, on_click=one) for one in CALLBACKS),
).servable()
