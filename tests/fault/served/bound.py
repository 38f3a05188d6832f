"""Objects that belong to the thread that made them: made in the script, used in callbacks."""

from __future__ import annotations

import sqlite3
import threading

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div

database = sqlite3.connect(":memory:")
database.execute("create table t (v int)")
local = threading.local()
local.word = "set in the script"

shown = Div(name="shown")
ticked = Div(name="ticked")


def rows() -> int:
    count: int = database.execute("select count(*) from t").fetchone()[0]
    return count


def add() -> None:
    database.execute("insert into t values (1)")
    shown.text = f"rows {rows()}, {local.word}"


def tick() -> None:
    ticked.text = f"rows {rows()}, {local.word}"


button = Button(name="add")
button.on_click(add)
curdoc().add_root(column(shown, ticked, button))
curdoc().add_periodic_callback(tick, 50)
