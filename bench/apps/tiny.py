"""The smallest application that answers: a slider, a callback, a Div."""

from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import curdoc

slider = Slider(start=0, end=1_000_000, value=0, title="Value", name="slider")
div = Div(text="0")


def show(attr: str, old: int, new: int) -> None:
    div.text = str(new)


slider.on_change("value", show)
curdoc().add_root(column(slider, div))
