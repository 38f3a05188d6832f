"""A slider whose callback takes five milliseconds: it sleeps, or computes (``BENCH_BUSY``)."""

import os
import time

from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import curdoc

_BUSY_S = 0.005

slider = Slider(start=0, end=1_000_000, value=0, title="Value", name="slider")
div = Div(text="0")


def sleep(attr: str, old: int, new: int) -> None:
    time.sleep(_BUSY_S)
    div.text = str(new)


def compute(attr: str, old: int, new: int) -> None:
    end = time.thread_time() + _BUSY_S  # of the processor: others' turns do not count
    found = 0
    while time.thread_time() < end:
        found = sum(number * number for number in range(500))
    div.text = f"{new}: {found}"


slider.on_change("value", sleep if os.environ["BENCH_BUSY"] == "sleep" else compute)
curdoc().add_root(column(slider, div))
