"""Changes its working directory in callbacks, each session to one of its own."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div

context: Any = curdoc().session_context
own = context.request.arguments["directory"][0].decode()
shown = Div(name="shown")
began = Div(name="began", text=os.getcwd())
numbers = itertools.count(1)


def leave() -> None:
    os.chdir(own)
    shown.text = f"left, {Path('word.txt').read_text()}"


def read() -> None:
    shown.text = f"{next(numbers)}: {Path('word.txt').read_text()}"


buttons = []
for callback in (leave, read):
    button = Button(name=callback.__name__)
    button.on_click(callback)
    buttons.append(button)
curdoc().add_root(column(shown, began, *buttons))
