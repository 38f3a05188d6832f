"""Sends ndarrays to the browser: so many megabytes a second, fifty arrays a second."""

import os
from itertools import cycle

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.plotting import curdoc, figure

PERIOD_MS = 20
size = int(float(os.environ.get("BENCH_STREAM_MB_S", "1")) * 1e6 * PERIOD_MS / 1000 / 8)
frames = [np.random.default_rng(seed).normal(size=size) for seed in range(4)]
source = ColumnDataSource(data={"y": frames[0]})
arrays = cycle(frames)


def show() -> None:
    source.data = {"y": next(arrays)}


plot = figure(width=300, height=200)
plot.line("y", "y", source=source)
curdoc().add_root(plot)
curdoc().add_periodic_callback(show, PERIOD_MS)
