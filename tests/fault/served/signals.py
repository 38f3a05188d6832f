"""Sets signal handlers, as scripts do that were made to run by themselves."""

from __future__ import annotations

import signal

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div


def leave(number: int, frame: object) -> None:
    raise SystemExit(5)


before = signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, signal.SIG_IGN)
shown = Div(name="shown", text=f"began, {before == signal.getsignal(signal.SIGTERM)}")


def clicked() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    shown.text = "clicked"


button = Button(name="button")
button.on_click(clicked)
curdoc().add_root(column(shown, button))
