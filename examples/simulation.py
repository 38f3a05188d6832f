"""Panel simulation

A Panel application with an async callback: a random walk that is computed and drawn bit by bit,
with progress, while the page stays at your service. Stop it, or start it again with another speed.
"""

import asyncio

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

pn.extension(notifications=True)

STEPS = 200

speed = pn.widgets.FloatSlider(label="Steps per second", start=10, end=200, value=60)
start = pn.widgets.Button(label="Start", button_type="primary")
stop = pn.widgets.Button(label="Stop", disabled=True)
progress = pn.indicators.Progress(label="Progress", value=0, max=STEPS, sizing_mode="stretch_width")
said = pn.pane.Markdown("Press *Start*.")

source = ColumnDataSource({"x": [0.0], "y": [0.0]})
plot = figure(height=420, sizing_mode="stretch_width", match_aspect=True, title="A random walk")
plot.line("x", "y", source=source, line_color="#2563eb", line_width=2)
running: set[asyncio.Task] = set()


async def walk(event: object) -> None:
    """Goes step by step; each step is seen when it is taken."""
    running.add(asyncio.current_task())
    start.disabled, stop.disabled = True, False
    random = np.random.default_rng()
    place = np.zeros(2)
    with pn.io.unlocked():
        source.data = {"x": [0.0], "y": [0.0]}
    try:
        for step in range(1, STEPS + 1):
            place = place + random.normal(size=2)
            with pn.io.unlocked():  # a model of Bokeh's own
                source.stream({"x": [place[0]], "y": [place[1]]})
            progress.value = step
            said.object = f"Step {step} of {STEPS}, {np.hypot(*place):.1f} from home"
            await asyncio.sleep(1 / speed.value)
        pn.state.notifications.success("The walk is over")
    except asyncio.CancelledError:
        said.object = f"Stopped at step {progress.value}"
    finally:
        running.clear()
        start.disabled, stop.disabled = False, True


start.on_click(walk)
stop.on_click(lambda event: [task.cancel() for task in running])

pn.Column(
    f"# {__doc__.splitlines()[0]}",
    pn.FlexBox(speed, start, stop),
    progress,
    said,
    pn.pane.Bokeh(plot, sizing_mode="stretch_width"),
    sizing_mode="stretch_width",
).servable(title="Panel simulation")
