"""Wave interference

Waves from a ring of sources, added up on a grid of 128 by 128 float32 values. Every frame is
computed on the server and sent as a binary array.
"""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, LinearColorMapper, Select, Slider, Toggle
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
SIZE = 128
PALETTES = ["Cividis256", "Greys256", "Inferno256", "Magma256", "Turbo256", "Viridis256"]

doc = curdoc()
axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
X, Y = np.meshgrid(axis, axis)
time = 0.0  # in periods of the wave
callback = None  # the periodic callback, while the animation runs

count = Slider(title="Sources", value=5, start=1, end=12, step=1, name="count")
radius = Slider(title="Radius", value=0.6, start=0.0, end=1.0, step=0.05, name="radius")
wavelength = Slider(
    title="Wavelength", value=0.2, start=0.08, end=0.6, step=0.02, name="wavelength"
)
palette = Select(title="Palette", value="Magma256", options=PALETTES, name="palette")
run = Toggle(label="Run", name="run", button_type="primary")
controls = [count, radius, wavelength, palette, run]
for control in controls:
    control.sizing_mode = "stretch_width"


def pattern() -> np.ndarray:
    """The sum of the waves of all sources, scaled such that it stays within -1 and 1."""
    total = np.zeros((SIZE, SIZE), dtype=np.float32)
    for angle in 2 * np.pi * np.arange(count.value) / count.value + np.pi / 2:
        x, y = radius.value * np.cos(angle), radius.value * np.sin(angle)
        distance = np.hypot(X - np.float32(x), Y - np.float32(y))
        total += np.cos(np.float32(2 * np.pi) * (distance / np.float32(wavelength.value) - time))
    return (total / count.value).astype(np.float32)


source = ColumnDataSource(data={"image": [pattern()]}, name="frame")
mapper = LinearColorMapper(palette=palette.value, low=-1, high=1, name="mapper")

plot = figure(
    name="plot",
    aspect_ratio=1,
    sizing_mode="scale_width",
    min_width=320,
    x_range=(-1, 1),
    y_range=(-1, 1),
    toolbar_location=None,
    tools="",
    styles={"max-width": "640px"},
)
plot.image("image", x=-1, y=-1, dw=2, dh=2, source=source, color_mapper=mapper)
plot.axis.visible = False
plot.grid.visible = False
plot.outline_line_color = None


def redraw() -> None:
    source.data = {"image": [pattern()]}


def animate() -> None:
    global time
    time = (time + 0.05) % 1.0
    redraw()


def change_parameter(attr: str, old: float, new: float) -> None:
    redraw()


def start_or_stop(attr: str, old: bool, active: bool) -> None:
    global callback
    if active:
        callback = doc.add_periodic_callback(animate, 50)
    else:
        doc.remove_periodic_callback(callback)
    run.label = "Pause" if active else "Run"


def change_palette(attr: str, old: str, new: str) -> None:
    mapper.palette = new


for slider in (count, radius, wavelength):
    slider.bar_color = "#2563eb"
    slider.on_change("value", change_parameter)
palette.on_change("value", change_palette)
run.on_change("active", start_or_stop)

heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)
doc.theme = "light_minimal"
doc.title = TITLE
doc.add_root(
    column(
        heading,
        row(
            column(*controls, width=260, spacing=14),
            plot,
            sizing_mode="stretch_width",
            spacing=32,
            styles={"flex-wrap": "wrap"},
        ),
        sizing_mode="stretch_width",
        spacing=24,
        styles={"max-width": "1000px", "margin": "0 auto", "padding": "28px"},
    )
)
