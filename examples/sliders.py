"""Waveform sliders

Four sliders shape a sine wave and a text field names it. The wave is computed on the server
every time a slider moves.
"""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, Slider, TextInput
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
X = np.linspace(0, 4 * np.pi, 200)

heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)

# The controls. A name makes a model easy to find: doc.get_model_by_name("offset").
title = TextInput(title="Title", value="My sine wave", name="title", sizing_mode="stretch_width")
offset = Slider(title="Offset", value=0.0, start=-5.0, end=5.0, step=0.1, name="offset")
amplitude = Slider(title="Amplitude", value=1.0, start=-5.0, end=5.0, step=0.1, name="amplitude")
phase = Slider(title="Phase", value=0.0, start=0.0, end=6.3, step=0.1, name="phase")
frequency = Slider(title="Frequency", value=1.0, start=0.1, end=5.1, step=0.1, name="frequency")
sliders = [offset, amplitude, phase, frequency]
for slider in sliders:
    slider.sizing_mode = "stretch_width"
    slider.bar_color = "#2563eb"


def wave() -> dict[str, np.ndarray]:
    """The wave that the sliders describe."""
    y = offset.value + amplitude.value * np.sin(frequency.value * X + phase.value)
    return {"x": X, "y": y}


source = ColumnDataSource(data=wave(), name="wave")

plot = figure(
    name="plot",
    title=title.value,
    height=440,
    min_width=320,
    sizing_mode="stretch_width",
    x_range=(0, 4 * np.pi),
    y_range=(-6, 6),
    tools="crosshair,pan,reset,save,wheel_zoom",
)
plot.varea("x", y1=0, y2="y", source=source, fill_color="#2563eb", fill_alpha=0.12)
plot.line("x", "y", source=source, line_width=3, line_color="#2563eb")


def update_title(attr: str, old: str, new: str) -> None:
    plot.title.text = new


def update_wave(attr: str, old: float, new: float) -> None:
    source.data = wave()


title.on_change("value", update_title)
for slider in sliders:
    slider.on_change("value", update_wave)

controls = column(title, *sliders, width=280, spacing=12)
page = column(
    heading,
    row(
        controls,
        plot,
        sizing_mode="stretch_width",
        spacing=32,
        styles={"flex-wrap": "wrap"},
    ),
    sizing_mode="stretch_width",
    spacing=24,
    styles={"max-width": "1100px", "margin": "0 auto", "padding": "28px"},
)

curdoc().theme = "light_minimal"
curdoc().title = TITLE
curdoc().add_root(page)
