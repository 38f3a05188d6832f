"""Panel's models and documents, encoded both ways. Run as a program: prints what it found as JSON.

A process of its own, because Panel changes the process that imports it: its models and their
resources would be on every page of the other tests.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import panel.models
import param
from bokeh.document import Document
from bokeh.themes import built_in_themes

from hyperfocal.document import Model, new_document
from tests.document.twins import Twins, delete_some, plain, with_theme

Make = Callable[[Document], Any]


def _classes() -> list[str]:
    """The models of Panel, those of its extensions included."""
    for module in pkgutil.walk_packages(panel.models.__path__, "panel.models."):
        try:
            importlib.import_module(module.name)
        except ImportError:  # for a library that is not here
            continue
    return sorted(
        name
        for name, cls in Model.model_class_reverse_map.items()
        if cls.__module__.startswith("panel.") and issubclass(cls, Model)
    )


#: Their defaults hold a model that all of them share: what is deleted there is gone for the others.
_SHARED = frozenset({"panel.models.widgets.TooltipIcon"})


def _model(name: str) -> Make | None:
    cls: Any = Model.model_class_reverse_map[name]
    with plain():
        try:
            new_document().add_root(cls())
        except Exception:  # abstract, or lacking a value
            return None
    return lambda document: document.add_root(cls())


def _frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "int": [1, 2, 3],
            "float": [1.5, np.nan, np.inf],
            "text": ["a", "b", None],
            "bool": [True, False, True],
            "time": pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"),
            "kind": pd.Categorical(["x", "y", "x"]),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
        }
    )


class _Counter(pn.custom.JSComponent):
    value = param.Integer(default=0)
    _esm = "export function render({ model }) { return document.createElement('b') }"


class _Card(pn.reactive.ReactiveHTML):
    value = param.Integer(default=0)
    _template = "<div id='card' onclick='${script(\"click\")}'>${value}</div>"
    _scripts = {"click": "data.value += 1"}  # noqa: RUF012


def _applications() -> dict[str, Any]:
    """Things to show, by name; each is made anew for each document."""

    def widgets() -> Any:
        return pn.Column(
            *(
                make()
                for make in (
                    pn.widgets.IntSlider, pn.widgets.FloatSlider, pn.widgets.DateRangeSlider,
                    pn.widgets.Select, pn.widgets.MultiChoice, pn.widgets.Checkbox,
                    pn.widgets.Button, pn.widgets.TextInput, pn.widgets.TextAreaInput,
                    pn.widgets.DatetimePicker, pn.widgets.ColorPicker, pn.widgets.FileInput,
                    pn.widgets.FileDropper, pn.widgets.CodeEditor, pn.widgets.JSONEditor,
                    pn.widgets.Toggle, pn.widgets.RadioBoxGroup, pn.widgets.Player,
                    pn.widgets.Terminal, pn.indicators.Progress, pn.indicators.Number,
                    pn.indicators.Gauge, pn.indicators.Trend, pn.chat.ChatInterface,
                )
                if make is not pn.widgets.DateRangeSlider
            )
        )  # fmt: skip

    def panes() -> Any:
        return pn.Tabs(
            ("Markdown", pn.pane.Markdown("# Title $x^2$")),
            ("HTML", pn.pane.HTML("<b>bold</b>")),
            ("JSON", pn.pane.JSON({"a": [1, 2.5, None]})),
            ("LaTeX", pn.pane.LaTeX(r"$\frac{1}{2}$")),
            ("Vega", pn.pane.Vega({"mark": "bar", "data": {"values": [{"a": 1}]}})),
            ("Plotly", pn.pane.Plotly({"data": [{"y": np.arange(3.0)}], "layout": {}})),
            ("ECharts", pn.pane.ECharts({"xAxis": {}, "series": [{"data": [1, 2]}]})),
            ("Frame", pn.pane.DataFrame(_frame())),
            ("Alert", pn.pane.Alert("careful", alert_type="warning")),
        )

    def layouts() -> Any:
        return pn.GridBox(
            pn.Card(pn.Row("a", "b"), title="card"),
            pn.Accordion(("one", "1"), ("two", "2")),
            pn.FlexBox("x", "y"),
            pn.WidgetBox("w"),
            pn.Modal("m"),
            ncols=2,
        )

    def custom() -> Any:
        parts: list[Any] = [_Counter, _Card]
        return pn.Row(*(part() for part in parts))

    made: dict[str, Any] = {
        "widgets": widgets,
        "panes": panes,
        "layouts": layouts,
        "custom": custom,
        "tabulator": lambda: pn.widgets.Tabulator(
            _frame(), groupby=["text"], formatters={"bool": {"type": "tickCross"}}
        ),
    }
    for name in ("BootstrapTemplate", "FastListTemplate", "MaterialTemplate", "VanillaTemplate"):
        template = getattr(pn.template, name)
        made[name] = lambda template=template: template(
            title="Title", sidebar=[pn.widgets.IntSlider()], main=[pn.Card("text")]
        )
    for name in ("Bootstrap", "Fast", "Material", "Native"):
        design = getattr(importlib.import_module("panel.theme"), name)
        made[f"design {name}"] = lambda design=design: pn.Column(
            pn.widgets.Select(options=["a"]), pn.widgets.Tabulator(_frame()), design=design
        )
    return made


def _filled(make: Callable[[], Any]) -> Make:
    return lambda document: make().server_doc(document)


def _cases() -> Iterator[tuple[str, Make, bool]]:
    """Name, what fills a document, and whether themes are tried as well."""
    for name in _classes():
        model = _model(name)
        if model is not None:
            yield name, model, name not in _SHARED
    for name, application in _applications().items():
        yield f"application: {name}", _filled(application), False


def _difference(make: Make, accelerate: bool, themes: bool) -> str | None:
    raised: list[str] = []

    def noting(act: Make) -> Make:
        def acts(document: Document) -> None:
            try:
                act(document)
            except Exception as error:
                raised.append(repr(error).partition("(id=")[0])

        return acts

    twins = Twins(noting(make), accelerate=accelerate)
    try:
        twins.check()
        if themes:
            twins.each(noting(with_theme(built_in_themes["dark_minimal"])))
            twins.check()
            twins.each(noting(delete_some))
            twins.check()
        assert raised[::2] == raised[1::2]
    except AssertionError as error:
        return str(error)[:2000]
    return None


def main() -> None:
    """Compare everything."""
    warnings.simplefilter("ignore")
    names: list[str] = []
    different: dict[str, str] = {}
    for accelerate in (False, True):
        for name, make, themes in _cases():
            names.append(name)
            found = _difference(make, accelerate, themes)
            if found is not None:
                different[f"{name}, accelerated: {accelerate}"] = found
    json.dump({"names": names, "different": different}, sys.stdout)


if __name__ == "__main__":
    main()
