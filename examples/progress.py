"""Progress of an async job

A button starts an async function that estimates π and reports as it goes on. The session answers
all along, so that the job can be cancelled.
"""

import asyncio
from functools import partial

import numpy as np
from bokeh.document import without_document_lock
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, Span
from bokeh.plotting import curdoc, figure

TITLE, ABOUT = __doc__.strip().split("\n\n")
STEPS = 60
THROWS = 2000  # random points in each step

doc = curdoc()
cancelled = False

start = Button(label="Start", name="start", button_type="primary", width=110)
cancel = Button(label="Cancel", name="cancel", disabled=True, width=110)
status = Div(text="Ready", name="status", styles={"font-size": "16px"})

bar_source = ColumnDataSource(data={"fraction": [0.0]}, name="progress")
bar = figure(
    name="bar",
    height=36,
    sizing_mode="stretch_width",
    x_range=(0, 1),
    y_range=(-0.5, 0.5),
    toolbar_location=None,
    tools="",
    background_fill_color="#e2e8f0",
    outline_line_color=None,
    min_border=0,
    margin=5,
    frame_align=False,  # with the page, not with the frame of the plot below
)
bar.hbar(y=0, height=1, right="fraction", source=bar_source, fill_color="#2563eb", line_color=None)
bar.axis.visible = False
bar.grid.visible = False

estimates = ColumnDataSource(data={"step": [], "pi": []}, name="estimates")
plot = figure(
    name="plot",
    height=320,
    sizing_mode="stretch_width",
    x_range=(0, STEPS),
    y_range=(3.0, 3.3),
    toolbar_location=None,
    tools="",
    x_axis_label="Step",
    y_axis_label="Estimate of π",
)
plot.add_layout(
    Span(dimension="width", location=np.pi, line_color="#f59e0b", line_dash="dashed", line_width=2)
)
plot.line("step", "pi", source=estimates, line_color="#2563eb", line_width=2)
plot.scatter("step", "pi", source=estimates, fill_color="#2563eb", line_color="white", size=8)


def throw(rng: np.random.Generator) -> int:
    """How many of some random points in a square are in the circle inside of it."""
    return int((np.hypot(*rng.uniform(-1, 1, (2, THROWS))) <= 1).sum())


def report(step: int, pi: float) -> None:
    bar_source.data = {"fraction": [step / STEPS]}
    estimates.stream({"step": [step], "pi": [pi]})
    status.text = f"Step {step} of {STEPS}: π ≈ {pi:.4f}"


def finish() -> None:
    start.disabled, cancel.disabled = False, True
    status.text = f"{'Cancelled' if cancelled else 'Done'}. {status.text}"


@without_document_lock
async def job() -> None:
    """Run beside the callbacks of the session.

    With the lock of the document nothing else could run until the job is done. Without it the
    job may not touch any model: it asks for callbacks, which have the lock, to do that.
    """
    document = doc
    rng = np.random.default_rng()
    inside = 0
    for step in range(1, STEPS + 1):
        inside += throw(rng)
        await asyncio.sleep(0.1)  # stands for something that takes long, such as a query
        if document.session_context is None:
            return  # the session is gone, and with it the globals of this module
        if cancelled:
            break
        doc.add_next_tick_callback(partial(report, step, 4 * inside / (step * THROWS)))
    doc.add_next_tick_callback(finish)


def start_job() -> None:
    global cancelled
    cancelled = False
    start.disabled, cancel.disabled = True, False
    status.text = "Started"
    bar_source.data = {"fraction": [0.0]}
    estimates.data = {"step": [], "pi": []}
    doc.add_next_tick_callback(job)


def cancel_job() -> None:
    global cancelled
    cancelled = True


start.on_click(start_job)
cancel.on_click(cancel_job)

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
        row(start, cancel, spacing=10),
        bar,
        status,
        plot,
        sizing_mode="stretch_width",
        spacing=18,
        styles={"max-width": "820px", "margin": "0 auto", "padding": "28px"},
    )
)
