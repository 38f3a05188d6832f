"""Bokeh's own sliders example: each change replaces 200 points, held in ndarrays."""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Range1d
from bokeh.models.widgets import Slider, TextInput
from bokeh.plotting import curdoc, figure

COUNT = 200
x = np.linspace(0, 4 * np.pi, COUNT)
source = ColumnDataSource(data={"x": x, "y": np.sin(x)})

plot = figure(
    height=400,
    width=400,
    title="my sine wave",
    tools="crosshair,pan,reset,save,wheel_zoom",
    x_range=Range1d(start=0, end=4 * np.pi),
    y_range=Range1d(start=-2.5, end=2.5),
)
plot.line("x", "y", source=source, line_width=3, line_alpha=0.6)

text = TextInput(title="title", value="my sine wave")
offset = Slider(title="offset", value=0, start=0, end=1_000_000, step=0.1, name="slider")
amplitude = Slider(title="amplitude", value=1.0, start=-5.0, end=5.0, step=0.1)
phase = Slider(title="phase", value=0.0, start=0.0, end=2 * np.pi)
frequency = Slider(title="frequency", value=1.0, start=0.1, end=5.1, step=0.1)


def update_title(attr: str, old: str, new: str) -> None:
    plot.title = new


def update_data(attr: str, old: float, new: float) -> None:
    points = np.linspace(0, 4 * np.pi, COUNT)
    wave = amplitude.value * np.sin(frequency.value * points + phase.value) + offset.value
    source.data = {"x": points, "y": wave}


text.on_change("value", update_title)
for slider in (offset, amplitude, phase, frequency):
    slider.on_change("value", update_data)

inputs = column(text, offset, amplitude, phase, frequency)
curdoc().add_root(row(inputs, plot, width=800))
