"""Sketchpad of events

Tap to place a dot, drag to draw a line, double tap for a flower, or load dots from a CSV file.
The browser sends the events, and the server draws.
"""

import base64
import csv
import io
from collections import deque
from html import escape

import numpy as np
from bokeh.events import (
    DoubleTap,
    Event,
    MenuItemClick,
    MouseEnter,
    MouseLeave,
    Pan,
    PanEnd,
    PanStart,
    Tap,
)
from bokeh.layouts import column, row
from bokeh.models import (
    Button,
    CheckboxButtonGroup,
    ColorPicker,
    ColumnDataSource,
    DataTable,
    Div,
    Dropdown,
    FileInput,
    NumberFormatter,
    TableColumn,
    TabPanel,
    Tabs,
)
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
EVENTS = {
    "Taps": [Tap, DoubleTap],
    "Drags": [PanStart, PanEnd],
    "Pointer": [MouseEnter, MouseLeave],
}

dots = ColumnDataSource(data={"x": [], "y": [], "color": []}, name="dots")
lines = ColumnDataSource(data={"xs": [], "ys": [], "color": []}, name="lines")
current = ColumnDataSource(data={"x": [], "y": []}, name="current")  # the line being drawn
history: deque[str] = deque(maxlen=14)

canvas = figure(
    name="canvas",
    height=460,
    min_width=320,
    sizing_mode="stretch_width",
    x_range=(-6, 6),
    y_range=(-4, 4),
    tools="",
    toolbar_location=None,
    background_fill_color="#fbfaf7",
)
canvas.axis.visible = False
canvas.grid.visible = False
canvas.multi_line("xs", "ys", line_color="color", line_width=4, line_cap="round", source=lines)
drawing = canvas.line("x", "y", source=current, line_width=4, line_cap="round")
canvas.scatter("x", "y", fill_color="color", line_color="white", size=14, source=dots)

color = ColorPicker(title="Color", color="#7c3aed", name="color", width=90)
stamp = Dropdown(
    label="Stamp",
    name="stamp",
    menu=[("Circle", "circle"), ("Spiral", "spiral"), ("Wave", "wave")],
    width=120,
)
clear = Button(label="Clear", name="clear", width=100)
upload = FileInput(accept=".csv", name="upload", title="Dots from a CSV file: x,y")
logged = CheckboxButtonGroup(
    name="logged", labels=list(EVENTS), active=[0, 1], sizing_mode="stretch_width"
)
log = Div(name="log", sizing_mode="stretch_width")


def add_dots(x: np.ndarray, y: np.ndarray) -> None:
    dots.stream({"x": list(x), "y": list(y), "color": [color.color] * len(x)})


def place_dot(event: Tap) -> None:
    add_dots([event.x], [event.y])


def place_flower(event: DoubleTap) -> None:
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    add_dots(event.x + 0.45 * np.cos(angle), event.y + 0.45 * np.sin(angle))


def begin_line(event: PanStart) -> None:
    drawing.glyph.line_color = color.color
    current.data = {"x": [event.x], "y": [event.y]}


def extend_line(event: Pan) -> None:
    current.stream({"x": [event.x], "y": [event.y]})


def end_line(event: PanEnd) -> None:
    line = {"xs": [list(current.data["x"])], "ys": [list(current.data["y"])]}
    lines.stream(line | {"color": [color.color]})
    current.data = {"x": [], "y": []}


def add_stamp(event: MenuItemClick) -> None:
    t = np.linspace(0, 1, 60)
    angle = 2 * np.pi * t
    x, y = {
        "circle": (2 * np.cos(angle), 2 * np.sin(angle)),
        "spiral": (3 * t * np.cos(3 * angle), 3 * t * np.sin(3 * angle)),
        "wave": (10 * t - 5, 1.5 * np.sin(2 * angle)),
    }[event.item]
    add_dots(x, y)


def wipe() -> None:
    for source in (dots, lines, current):
        source.data = {name: [] for name in source.column_names}


def load_file(attr: str, old: str, value: str) -> None:
    """Called with the contents of the file that was chosen, encoded as base64."""
    try:
        rows = csv.DictReader(io.StringIO(base64.b64decode(value).decode()))
        points = np.array([(float(row["x"]), float(row["y"])) for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        write(f"Cannot read the file: {error!r}")
    else:
        add_dots(*points.T)
        write(f"{len(points)} dots from the file")


def write(line: str) -> None:
    history.appendleft(escape(line))
    log.text = "<div style='font:13px/1.7 monospace'>" + "<br>".join(history) + "</div>"


def log_event(event: Event) -> None:
    kinds = [EVENTS[logged.labels[i]] for i in logged.active]
    if any(type(event) in kind for kind in kinds):
        write(f"{event.event_name} at {event.x:.2f}, {event.y:.2f}")


for kind in EVENTS.values():
    for event in kind:
        canvas.on_event(event, log_event)
canvas.on_event(Tap, place_dot)
canvas.on_event(DoubleTap, place_flower)
canvas.on_event(PanStart, begin_line)
canvas.on_event(Pan, extend_line)
canvas.on_event(PanEnd, end_line)
stamp.on_event(MenuItemClick, add_stamp)
clear.on_click(wipe)
upload.on_change("value", load_file)
write("Go ahead: the canvas is listening.")

number = NumberFormatter(format="0.00", text_align="right")
table = DataTable(
    source=dots,
    columns=[
        TableColumn(field="x", title="x", formatter=number),
        TableColumn(field="y", title="y", formatter=number),
        TableColumn(field="color", title="Color"),
    ],
    reorderable=False,
    height=380,
    sizing_mode="stretch_width",
)
tabs = Tabs(
    name="tabs",
    tabs=[
        TabPanel(child=column(logged, log, sizing_mode="stretch_width"), title="Log"),
        TabPanel(child=table, title="Dots"),
    ],
    width=320,
)
heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)
curdoc().theme = "light_minimal"
curdoc().title = TITLE
curdoc().add_root(
    column(
        heading,
        row(
            color,
            upload,
            stamp,
            clear,
            sizing_mode="stretch_width",
            spacing=14,
            styles={"align-items": "flex-end", "flex-wrap": "wrap"},
        ),
        row(
            canvas,
            tabs,
            sizing_mode="stretch_width",
            spacing=24,
            styles={"flex-wrap": "wrap"},
        ),
        sizing_mode="stretch_width",
        spacing=18,
        styles={"max-width": "1150px", "margin": "0 auto", "padding": "28px"},
    )
)
