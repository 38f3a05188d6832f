"""A slider, and one whose callback is quick, for most of its values.

The page's ``trouble`` argument says what happens before it is there.
"""

import threading
import time
from typing import Any

from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import curdoc

_SLOW_S = 2.0
#: What a value of the second slider stands for; other values are quick.
SLEEP, COMPUTE, RAISE, COROUTINE, STUCK = range(900_001, 900_006)

document: Any = curdoc()  # typed for plain callbacks
slider = Slider(start=0, end=1_000_000, value=0, title="Value", name="slider")
trouble = Slider(start=0, end=1_000_000, value=0, title="Trouble", name="trouble")
div = Div(text="0")


def compute() -> int:
    end = time.perf_counter() + _SLOW_S
    found = 0
    while time.perf_counter() < end:
        found = sum(number * number for number in range(2_000))
    return found


class SlowToSayError(Exception):
    def __str__(self) -> str:
        return f"computed {compute()}"


async def compute_async() -> None:
    div.text = f"computed {compute()}"


def show(attr: str, old: int, new: int) -> None:
    div.text = str(new)


def press(attr: str, old: int, new: int) -> None:
    if new == SLEEP:
        time.sleep(_SLOW_S)
    elif new == COMPUTE:
        compute()
    elif new == RAISE:
        raise SlowToSayError
    elif new == COROUTINE:
        document.add_next_tick_callback(compute_async)
    elif new == STUCK:
        threading.Event().wait()
    div.text = str(new)


context = document.session_context
request = None if context is None else context.request
asked = [] if request is None else request.arguments.get("trouble", [])
if b"script" in asked:
    compute()
if b"stuck" in asked:
    threading.Event().wait()

slider.on_change("value", show)
trouble.on_change("value", press)
document.add_root(column(slider, trouble, div))
