"""Live prices

A random walk that ticks ten times a second. A periodic callback streams one point at a time, and
the toggle removes or adds that callback.
"""

import time

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, Toggle
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
PERIOD = 100  # milliseconds between two ticks
ROLLOVER = 300  # points kept, here and in the browser
HISTORY = 150  # points there are before the first tick

rng = np.random.default_rng(11)
doc = curdoc()

# Geometric Brownian motion, and its exponential average with a weight of 10 %.
price = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, HISTORY)))
average = price.copy()
for i in range(1, HISTORY):
    average[i] = 0.9 * average[i - 1] + 0.1 * price[i]

source = ColumnDataSource(
    name="prices",
    data={
        "time": time.time() * 1000 - PERIOD * np.arange(HISTORY)[::-1],
        "price": price,
        "average": average,
        "volume": rng.gamma(2.0, 40.0, HISTORY),
    },
)

heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)
quote = Div(name="quote", width=260)
run = Toggle(name="run", label="Stop", active=True, button_type="primary", width=110)

price_plot = figure(
    name="price_plot",
    height=340,
    sizing_mode="stretch_width",
    x_axis_type="datetime",
    y_axis_location="right",
    tools="crosshair,save",
    toolbar_location=None,
)
price_plot.line("time", "price", source=source, line_color="#94a3b8", legend_label="Price")
price_plot.line(
    "time", "average", source=source, line_color="#2563eb", line_width=3, legend_label="Average"
)
price_plot.legend.orientation = "horizontal"
price_plot.legend.margin = price_plot.legend.padding = 0
price_plot.add_layout(price_plot.legend[0], "above")
price_plot.xaxis.visible = False

volume_plot = figure(
    name="volume_plot",
    height=140,
    sizing_mode="stretch_width",
    x_axis_type="datetime",
    x_range=price_plot.x_range,
    y_axis_location="right",
    toolbar_location=None,
    tools="",
)
volume_plot.vbar(
    "time", top="volume", width=0.6 * PERIOD, source=source, fill_color="#0d9488", line_color=None
)
volume_plot.y_range.start = 0
volume_plot.yaxis.ticker.desired_num_ticks = 3
for plot in (price_plot, volume_plot):  # so that the two frames are equally wide
    plot.min_border_right = 60
    plot.min_border_left = 10


def show_quote() -> None:
    """Write the last price, and how far it is from the average, above the plot."""
    last, mean = source.data["price"][-1], source.data["average"][-1]
    color, arrow = ("#0d9488", "▲") if last >= mean else ("#dc2626", "▼")
    quote.text = (
        f"<span style='font-size:34px;font-weight:600'>{last:.2f}</span> "
        f"<span style='font-size:18px;color:{color}'>{arrow} {last - mean:+.2f}</span>"
    )


def tick() -> None:
    """Stream one more point."""
    last, mean = source.data["price"][-1], source.data["average"][-1]
    price = last * np.exp(rng.normal(0, 0.004))
    source.stream(
        {
            "time": [time.time() * 1000],
            "price": [price],
            "average": [0.9 * mean + 0.1 * price],
            "volume": [rng.gamma(2.0, 40.0)],
        },
        rollover=ROLLOVER,
    )
    show_quote()


callback = doc.add_periodic_callback(tick, PERIOD)


def start_or_stop(attr: str, old: bool, active: bool) -> None:
    global callback
    if active:
        callback = doc.add_periodic_callback(tick, PERIOD)
    else:
        doc.remove_periodic_callback(callback)
    run.label = "Stop" if active else "Start"


run.on_change("active", start_or_stop)
show_quote()

doc.theme = "light_minimal"
doc.title = TITLE
doc.add_root(
    column(
        heading,
        row(
            quote,
            run,
            sizing_mode="stretch_width",
            styles={"align-items": "center", "flex-wrap": "wrap"},
        ),
        column(price_plot, volume_plot, sizing_mode="stretch_width"),
        sizing_mode="stretch_width",
        spacing=20,
        styles={"max-width": "1100px", "margin": "0 auto", "padding": "28px"},
    )
)
