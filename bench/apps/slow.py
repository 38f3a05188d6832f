"""A quick slider, and two whose callbacks take two seconds: one sleeps, the other computes."""

import time

from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import curdoc

_SLOW_S = 2.0

slider = Slider(start=0, end=1_000_000, value=0, title="Value", name="slider")
sleeper = Slider(start=0, end=1_000_000, value=0, title="Sleep", name="sleeper")
computer = Slider(start=0, end=1_000_000, value=0, title="Compute", name="computer")
div = Div(text="0")


def show(attr: str, old: int, new: int) -> None:
    div.text = str(new)


def sleep(attr: str, old: int, new: int) -> None:
    time.sleep(_SLOW_S)
    div.text = f"slept {new}"


def compute(attr: str, old: int, new: int) -> None:
    end = time.perf_counter() + _SLOW_S
    found = 0
    while time.perf_counter() < end:
        found = sum(number * number for number in range(2_000))
    div.text = f"computed {new}: {found}"


slider.on_change("value", show)
sleeper.on_change("value", sleep)
computer.on_change("value", compute)
curdoc().add_root(column(slider, sleeper, computer, div))
