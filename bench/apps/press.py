"""Two buttons that ask for a next tick: one for a plain callback, the other for a coroutine.

Bokeh itself awaits coroutines only as timed callbacks.
"""

import asyncio
from typing import Any

from bokeh.layouts import column
from bokeh.models.widgets import Button, Div
from bokeh.plotting import curdoc

document: Any = curdoc()  # typed for plain callbacks
plain = Button(label="Plain", name="plain")
coroutine = Button(label="Coroutine", name="coroutine")
div = Div(text="0")


def show() -> None:
    div.text = str(int(div.text) + 1)


async def show_async() -> None:
    div.text = str(int(div.text) + 1)
    await asyncio.sleep(0)


def press(event: object) -> None:
    document.add_next_tick_callback(show)


def press_async(event: object) -> None:
    document.add_next_tick_callback(show_async)


plain.on_click(press)
coroutine.on_click(press_async)
document.add_root(column(plain, coroutine, div))
