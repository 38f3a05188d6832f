"""A quick slider, and one that has the session's browsers get a megabyte of arrays a second."""

from itertools import cycle

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import curdoc

PERIOD_MS = 20
size = int(1e6 * PERIOD_MS / 1000 / 8)
frames = [np.random.default_rng(seed).normal(size=size) for seed in range(4)]
arrays = cycle(frames)

document = curdoc()
slider = Slider(start=0, end=1_000_000, value=0, title="Value", name="slider")
stream = Slider(start=0, end=1_000_000, value=0, title="Stream", name="stream")
div = Div(text="0")
source = ColumnDataSource(data={"y": frames[0][:1]})
div.tags = [source]


def show(attr: str, old: int, new: int) -> None:
    div.text = str(new)


def send() -> None:
    source.data = {"y": next(arrays)}


def begin(attr: str, old: int, new: int) -> None:
    document.add_periodic_callback(send, PERIOD_MS)


slider.on_change("value", show)
stream.on_change("value", begin)
document.add_root(column(slider, stream, div))
