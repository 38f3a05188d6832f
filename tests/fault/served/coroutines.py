"""``async def`` callbacks of everything that takes callbacks."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from bokeh.events import ButtonClick, DocumentReady
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Button, Div, Slider

document: Any = curdoc()
shown = Div(name="shown")
order = Div(name="order")
ready = Div(name="ready")
told = Div(name="told")


async def clicked(event: object) -> None:
    await asyncio.sleep(0.02)
    shown.text += ", first"


async def clicked_too() -> None:
    await asyncio.sleep(0)
    shown.text += ", second"


def clicked_plain() -> None:
    """Runs first: what is to be awaited is awaited when all have been called."""
    shown.text = "plain"


async def changed(attr: str, old: object, new: object) -> None:
    await asyncio.sleep(0.01)
    shown.text = f"{attr} {old} {new} in {curdoc() is document}"


class Called:
    """Callable, and a coroutine function at that."""

    async def __call__(self, word: str, event: object) -> None:
        await asyncio.sleep(0)
        shown.text = f"called {word}"


async def fails() -> None:
    await asyncio.sleep(0)
    shown.text = "fails"
    raise ValueError("of a coroutine")


async def rows(attr: str, old: object, new: Any) -> None:
    await asyncio.sleep(0)
    shown.text = f"rows {new['x']}"


async def is_ready(event: object) -> None:
    await asyncio.sleep(0)
    ready.text = "ready"


async def any_change(event: Any) -> None:
    await asyncio.sleep(0)
    if getattr(event, "attr", "") == "value":
        told.text = f"document heard of {event.new}"


async def begin() -> None:
    """Keeps the document; what is clicked meanwhile waits."""
    order.text = "begins"
    await asyncio.sleep(0.2)
    order.text += ", ends"


async def after() -> None:
    order.text += ", after"


source: Any = ColumnDataSource(data={"x": [1]}, name="source")
source.on_change("data", rows)
slider: Any = Slider(start=0, end=9, value=0, name="slider")
slider.on_change("value", changed)
buttons: dict[str, Any] = {
    name: Button(name=name) for name in ("several", "on_event", "fails", "rows", "begin", "after")
}
for callback in (clicked, clicked_too, clicked_plain):
    buttons["several"].on_click(callback)
buttons["on_event"].on_event(ButtonClick, partial(Called(), "on_event"))
buttons["fails"].on_click(fails)
buttons["rows"].on_click(lambda: source.update(data={"x": [4, 5]}))
buttons["begin"].on_click(begin)
buttons["after"].on_click(after)
document.on_event(DocumentReady, is_ready)
document.on_change(any_change)
document.add_root(column(shown, order, ready, told, slider, *buttons.values()))
