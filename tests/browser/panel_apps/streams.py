"""HoloViews streams and hvPlot: taps, ranges and a widget that Python hears of."""

import holoviews as hv
import hvplot.pandas  # noqa: F401
import numpy as np
import pandas as pd
import panel as pn

pn.extension()
hv.extension("bokeh")

points = hv.Points([(0, 0), (1, 1), (2, 4)]).opts(size=12, width=350, height=300)
tap = hv.streams.Tap(source=points, x=None, y=None)
ranges = hv.streams.RangeXY(source=points)


def of_tap(x: float | None, y: float | None) -> str:
    return "tap: nothing" if x is None else f"tap: {x:.1f} {y:.1f}"


def of_ranges(x_range: tuple | None, y_range: tuple | None) -> str:
    return "ranges: nothing" if x_range is None else f"ranges: {x_range[0]:.2f} {x_range[1]:.2f}"


phase = pn.widgets.FloatSlider(name="Phase", start=0, end=3, value=0)
xs = np.linspace(0, 6, 50)
wave = hv.DynamicMap(pn.bind(lambda phase: hv.Curve((xs, np.sin(xs + phase))), phase))
pipe = hv.streams.Pipe(data=[1, 2, 3])
piped = hv.DynamicMap(hv.Curve, streams=[pipe])
send = pn.widgets.Button(name="Send")
send.on_click(lambda event: pipe.send([3, 2, 1, 0]))
frame = pd.DataFrame({"a": [1, 2, 3], "b": [3, 1, 2], "kind": ["x", "y", "x"]})
plot = frame.hvplot.scatter("a", "b", groupby="kind", dynamic=True, width=300, height=250)

pn.Column(
    pn.Row(points, wave.opts(width=350, height=300)),
    pn.bind(of_tap, tap.param.x, tap.param.y),
    pn.bind(of_ranges, ranges.param.x_range, ranges.param.y_range),
    pn.Row(phase, send),
    pn.Row(piped.opts(width=350, height=250), plot),
).servable()
