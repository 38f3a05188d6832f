"""A slider whose callback computes for some milliseconds, as real ones do."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider

slider = Slider(start=0, end=1_000_000, value=0, title="Move me", name="slider")
div = Div(text="")


def compute(attr: str, old: int, new: int) -> None:
    found = 0
    for number in range(50_000):
        found = (found * 31 + number + new) % 1_000_003
    div.text = f"computed {new}: {found}"


slider.on_change("value", compute)
curdoc().add_root(column(slider, div))
