"""Asks caches of a module and of its own for values, in callbacks."""

from __future__ import annotations

import panel as pn
import tasks  # type: ignore[import-not-found]
from bokeh.models.widgets import Div

pn.extension()
told = Div(name="told")


@pn.cache
def of_script(key: str) -> str:
    tasks.gate.wait()
    return f"{key} {next(tasks.computed)}"


class Model:
    @pn.cache
    def method(self, key: str) -> str:
        tasks.gate.wait()
        return f"{key} {next(tasks.computed)}"


def ask(_: object) -> None:
    told.text = "asked " + " ".join(
        (tasks.of_module("module"), of_script("script"), of_script(key="named"))
    )


def ask_once(_: object) -> None:
    told.text = "once " + tasks.of_module("once")


def ask_own(_: object) -> None:
    first, second = tasks.of_each_session("own"), tasks.of_each_session("own")
    told.text = f"own {first} {first == second}"


def ask_one_that_fails(_: object) -> None:
    try:
        told.text = f"got {tasks.fails_at_first('value')}"
    except ValueError as error:
        told.text = f"got {error}"


def open_gate(_: object) -> None:
    told.text = f"opened for {tasks.gate.came}"
    tasks.gate.opened.set()


buttons = [
    pn.widgets.Button(name=one.__name__, on_click=one)
    for one in (ask, ask_once, ask_own, ask_one_that_fails, open_gate)
]
pn.Column(pn.pane.Bokeh(told), *buttons).servable()
