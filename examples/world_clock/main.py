"""World clock

Six clocks which tick in all sessions at once: one callback of the server computes the time and
updates every document.
"""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import (
    CDSView,
    Circle,
    ColumnDataSource,
    Div,
    IndexFilter,
    Plot,
    Range1d,
    Segment,
    Text,
)
from bokeh.plotting import curdoc
from clock_hands import ZONES, clock_hands

TITLE, ABOUT = __doc__.strip().split("\n\n")

doc = curdoc()
source = ColumnDataSource(data=clock_hands(), name="clocks")
hours = np.arange(12) * np.pi / 6
ticks = ColumnDataSource(
    data={
        "x0": 0.84 * np.cos(hours),
        "y0": 0.84 * np.sin(hours),
        "x1": 0.90 * np.cos(hours),
        "y1": 0.90 * np.sin(hours),
    }
)


def clock(index: int) -> Plot:
    """A plot of one row of the data source: glyphs only, which is quicker to build than figure."""
    view = CDSView(filter=IndexFilter(indices=[index]))
    plot = Plot(
        width=300,
        height=340,
        x_range=Range1d(-1.1, 1.1),
        y_range=Range1d(-1.5, 1.0),
        toolbar_location=None,
        outline_line_color=None,
        min_border=0,
    )
    face = Circle(x=0, y=0, radius=0.97, fill_color="face", line_color="rim", line_width=4)
    plot.add_glyph(source, face, view=view)
    plot.add_glyph(
        ticks, Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_color="#94a3b8", line_width=3)
    )
    for hand, color, width in (("hour", "ink", 7), ("minute", "ink", 4), ("second", "#ef4444", 2)):
        glyph = Segment(x0=0, y0=0, x1=f"{hand}_x", y1=f"{hand}_y", line_color=color)
        glyph.update(line_width=width, line_cap="round")
        plot.add_glyph(source, glyph, view=view)
    hub = Circle(x=0, y=0, radius=0.04, fill_color="#ef4444", line_color=None)
    plot.add_glyph(source, hub, view=view)
    for y, field, size, style in ((-1.15, "city", 17, "bold"), (-1.36, "label", 16, "normal")):
        text = Text(x=0, y=y, text=field, text_font_size=f"{size}px", text_font_style=style)
        text.update(text_align="center", text_baseline="middle", text_color="#334155")
        plot.add_glyph(source, text, view=view)
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
