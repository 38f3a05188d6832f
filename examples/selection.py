"""Linked selection

Select points with the lasso or the box. The server counts them and redraws the histograms on the
sides.
"""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, Spacer
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
CLUSTERS = {  # name: (color, center, spread along x and y, points)
    "amber": ("#f59e0b", (-2.0, 1.6), (0.6, 0.9), 300),
    "blue": ("#2563eb", (1.8, 2.2), (1.0, 0.5), 350),
    "teal": ("#0d9488", (0.6, -1.8), (1.3, 0.6), 400),
}
EDGES = np.linspace(-6, 6, 49)

rng = np.random.default_rng(42)
points = np.concatenate([rng.normal(at, sd, (n, 2)) for _, at, sd, n in CLUSTERS.values()])
counts = [n for *_, n in CLUSTERS.values()]
source = ColumnDataSource(
    name="points",
    data={
        "x": points[:, 0],
        "y": points[:, 1],
        "cluster": np.repeat(list(CLUSTERS), counts),
        "color": np.repeat([color for color, *_ in CLUSTERS.values()], counts),
    },
)


def histogram(values: np.ndarray) -> np.ndarray:
    return np.histogram(values, bins=EDGES)[0]


def histogram_source(name: str, values: np.ndarray) -> ColumnDataSource:
    """All values in `all`, the selected ones in `selected`: at first none is."""
    data = {
        "start": EDGES[:-1],
        "end": EDGES[1:],
        "all": histogram(values),
        "selected": np.zeros(len(EDGES) - 1, dtype=int),
    }
    return ColumnDataSource(data=data, name=name)


x_histogram = histogram_source("x_histogram", points[:, 0])
y_histogram = histogram_source("y_histogram", points[:, 1])

scatter = figure(
    name="scatter",
    height=480,
    sizing_mode="stretch_width",
    x_range=(-6, 6),
    y_range=(-6, 6),
    tools="lasso_select,box_select,tap,reset",
    active_drag="lasso_select",
    toolbar_location="left",
    min_border=0,
)
scatter.scatter(
    "x",
    "y",
    source=source,
    size=7,
    fill_color="color",
    line_color="white",
    line_width=0.5,
    fill_alpha=0.75,
    nonselection_fill_alpha=0.12,
)

top = figure(
    name="top",
    height=110,
    sizing_mode="stretch_width",
    x_range=scatter.x_range,
    toolbar_location=None,
    tools="",
    min_border=0,
    min_border_left=64,
)
right = figure(
    name="right",
    height=480,
    width=130,
    y_range=scatter.y_range,
    toolbar_location=None,
    tools="",
    min_border=0,
)
scatter.min_border_left = 64
scatter.min_border_bottom = right.min_border_bottom = 40
grey, accent = {"fill_color": "#e2e8f0", "line_color": "white"}, {"fill_color": "#7c3aed"}
for kind, style in (("all", grey), ("selected", accent | {"line_color": None})):
    top.quad(left="start", right="end", bottom=0, top=kind, source=x_histogram, **style)
    right.quad(bottom="start", top="end", left=0, right=kind, source=y_histogram, **style)
for side in (top, right):
    side.axis.visible = False
    side.grid.visible = False
    side.outline_line_color = None
top.y_range.start = right.x_range.start = 0

heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)
count = Div(name="count", sizing_mode="stretch_width")
cluster_buttons = [Button(label=f"Select {name}", name=name, width=110) for name in CLUSTERS]
clear = Button(label="Clear", name="clear", button_type="light", width=80)


def show_selection(attr: str, old: list[int], indices: list[int]) -> None:
    """Count the selected points, and redraw what is selected in the histograms."""
    x_histogram.patch({"selected": [(slice(None), histogram(points[indices, 0]))]})
    y_histogram.patch({"selected": [(slice(None), histogram(points[indices, 1]))]})
    count.text = (
        f"<b style='font-size:22px;color:#7c3aed'>{len(indices):,}</b> "
        f"<span style='color:#64748b'>of {len(points):,} points selected</span>"
    )


def select_cluster(name: str) -> None:
    source.selected.indices = np.flatnonzero(source.data["cluster"] == name).tolist()


def clear_selection() -> None:
    source.selected.indices = []


source.selected.on_change("indices", show_selection)
for button in cluster_buttons:
    button.on_click(lambda name=button.name: select_cluster(name))
clear.on_click(clear_selection)
show_selection("indices", [], [])

curdoc().theme = "light_minimal"
curdoc().title = TITLE
curdoc().add_root(
    column(
        heading,
        row(
            count,
            *cluster_buttons,
            clear,
            sizing_mode="stretch_width",
            styles={"flex-wrap": "wrap"},
        ),
        column(
            row(top, Spacer(width=130), sizing_mode="stretch_width"),
            row(scatter, right, sizing_mode="stretch_width"),
            sizing_mode="stretch_width",
        ),
        sizing_mode="stretch_width",
        spacing=20,
        styles={"max-width": "1000px", "margin": "0 auto", "padding": "28px"},
    )
)
