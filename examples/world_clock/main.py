"""World clock

Six clocks which tick in all sessions at once: one callback of the server computes the time and
updates every document.
"""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import CDSView, ColumnDataSource, Div, IndexFilter
from bokeh.plotting import curdoc, figure
from clock_hands import ZONES, clock_hands

TITLE, ABOUT = __doc__.strip().split("\n\n")

doc = curdoc()
source = ColumnDataSource(data=clock_hands(), name="clocks")
ticks = np.arange(12) * np.pi / 6


def clock(index: int) -> figure:
    """A plot of one row of the data source."""
    data = {"source": source, "view": CDSView(filter=IndexFilter(indices=[index]))}
    plot = figure(
        width=300,
        height=340,
        x_range=(-1.1, 1.1),
        y_range=(-1.5, 1.0),
        toolbar_location=None,
        tools="",
        outline_line_color=None,
        min_border=0,
    )
    plot.axis.visible = False
    plot.grid.visible = False
    plot.circle(0, 0, radius=0.97, fill_color="face", line_color="rim", line_width=4, **data)
    plot.segment(
        x0=0.84 * np.cos(ticks),
        y0=0.84 * np.sin(ticks),
        x1=0.9 * np.cos(ticks),
        y1=0.9 * np.sin(ticks),
        line_color="#94a3b8",
        line_width=3,
    )
    hands = (("hour", "ink", 7), ("minute", "ink", 4), ("second", "#ef4444", 2))
    for hand, color, width in hands:
        plot.segment(
            x0=0,
            y0=0,
            x1=f"{hand}_x",
            y1=f"{hand}_y",
            line_color=color,
            line_width=width,
            line_cap="round",
            **data,
        )
    plot.scatter(0, 0, size=10, fill_color="#ef4444", line_color=None)
    center = {"text_align": "center", "text_baseline": "middle"}
    plot.text(
        0,
        -1.15,
        text="city",
        text_font_size="17px",
        text_font_style="bold",
        text_color="#1f2937",
        **center,
        **data,
    )
    plot.text(0, -1.36, text="label", text_font_size="16px", text_color="#64748b", **center, **data)
    return plot


# Where the server has no callbacks of its own (see app_hooks.py), each session ticks by itself.
if not hasattr(doc.session_context.server_context, "add_periodic_callback"):

    def tick() -> None:
        source.data = clock_hands()

    doc.add_periodic_callback(tick, 1000)

heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)
doc.title = TITLE
doc.add_root(
    column(
        heading,
        row(
            *(clock(i) for i in range(len(ZONES))),
            sizing_mode="stretch_width",
            spacing=24,
            styles={"flex-wrap": "wrap", "justify-content": "center"},
        ),
        sizing_mode="stretch_width",
        spacing=24,
        styles={"max-width": "1020px", "margin": "0 auto", "padding": "28px"},
    )
)
