"""One line of text."""

from __future__ import annotations

from bokeh.io import curdoc
from bokeh.models.widgets import Div

curdoc().title = "Plain"
curdoc().add_root(Div(name="line", text="one line"))
