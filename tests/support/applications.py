"""Small applications for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler, Handler
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import figure


def application(
    *modify: Callable[[Document], Any], handlers: tuple[Handler, ...] = ()
) -> Application:
    """An application from functions of a document."""
    return Application(*handlers, *(FunctionHandler(one) for one in modify))


def tiny(doc: Document) -> None:
    """A slider, a callback and a Div."""
    slider = Slider(start=0, end=100, value=0, name="slider")
    div = Div(text="0", name="div")
    slider.on_change("value", lambda attr, old, new: setattr(div, "text", str(new)))
    doc.add_root(column(slider, div))


def arrays(doc: Document) -> None:
    """A plot of arrays that travel in buffers, and a slider that replaces them."""
    source = ColumnDataSource(data={"x": np.arange(10.0), "y": np.arange(10.0) ** 2}, name="source")
    slider = Slider(start=0, end=100, value=1, name="slider")

    def update(attr: str, old: float, new: float) -> None:
        source.data = {"x": np.arange(10.0), "y": np.arange(10.0) * new}

    slider.on_change("value", update)
    plot = figure(height=200, width=300, name="plot")
    plot.line("x", "y", source=source)
    doc.add_root(column(slider, plot))


def named(doc: dict[str, Any], name: str) -> dict[str, Any]:
    """The model of this name in a document's JSON.

    Raises:
        LookupError: there is none.
    """

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("type") == "object" and value.get("attributes", {}).get("name") == name:
                return value
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                found = walk(item)
                if found is not None:
                    return found
        return None

    found = walk(doc["roots"])
    if found is None:
        raise LookupError(name)
    result: dict[str, Any] = found
    return result
