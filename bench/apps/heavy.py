"""A full dashboard: 12 plots with 2 lines each, a table, tabs, widgets; 635 models."""

from typing import Any

import numpy as np
from bokeh.layouts import column, gridplot
from bokeh.models import ColumnDataSource, HoverTool, TabPanel, Tabs
from bokeh.models.ui import UIElement
from bokeh.models.widgets import DataTable, Div, Select, Slider, TableColumn
from bokeh.plotting import curdoc, figure

random = np.random.default_rng(1)
source = ColumnDataSource(
    data={"t": np.arange(2_000.0)}
    | {f"v{number}": random.normal(size=2_000).cumsum() for number in range(24)}
)

plots: list[UIElement | None] = []
for number in range(12):
    plot = figure(width=300, height=200, title=f"plot {number}")
    plot.add_tools(HoverTool(tooltips=[("t", "@t"), ("value", "$y")]))
    for line in (2 * number, 2 * number + 1):
        plot.line("t", f"v{line}", source=source, legend_label=f"v{line}")
    plots.append(plot)

table = DataTable(
    source=source,
    columns=[TableColumn(field=name, title=name) for name in source.column_names],
    width=900,
)
label = Div(text="0")
slider = Slider(start=0, end=1_000_000, value=0, title="Value", name="slider")
sliders = [Slider(start=0, end=10, value=1, title=f"parameter {n}") for n in range(20)]
options: list[str | tuple[Any, str]] = [f"option {number}" for number in range(20)]
selects = [Select(options=options) for _ in range(20)]


def show(attr: str, old: int, new: int) -> None:
    label.text = str(new)


slider.on_change("value", show)
grid = gridplot(plots, ncols=3, merge_tools=False)
tabs = Tabs(
    tabs=[
        TabPanel(child=grid, title="Plots"),
        TabPanel(child=table, title="Table"),
        TabPanel(child=column(*sliders, *selects), title="Settings"),
    ]
)
curdoc().add_root(column(slider, label, tabs))
