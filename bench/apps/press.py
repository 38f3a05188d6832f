"""Two buttons that ask for a next tick: one for a plain callback, the other for a coroutine.

Bokeh itself awaits coroutines only as timed callbacks.
"""

import asyncio

from bokeh.layouts import column
from bokeh.models.widgets import Button, Div
from bokeh.plotting import curdoc

document = curdoc()
plain = Button(label="Plain", name="plain")
coroutine = Button(label="Coroutine", name="coroutine")
div = Div(text="0")


def show() -> None:
    div.text = str(int(div.text) + 1)


async def show_async() -> None:
    div.text = str(int(div.text) + 1)
    await asyncio.sleep(0)


plain.on_click(lambda event: document.add_next_tick_callback(show))
coroutine.on_click(lambda event: document.add_next_tick_callback(show_async))
document.add_root(column(plain, coroutine, div))
