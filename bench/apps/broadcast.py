"""Moving one session's slider makes one callback of the server change every session.

Where the server's context has callbacks of its own, one of them goes through all sessions with
their documents locked. Bokeh's release has none: there a next-tick callback on each document is
the way to change other people's sessions.
"""

from functools import partial
from typing import Any

from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import curdoc

slider = Slider(start=0, end=1_000_000, value=0, title="Value", name="slider")
div = Div(text="0", name="shown")


def change(document: Document, text: str) -> None:
    shown: Any = document.get_model_by_name("shown")
    shown.text = text


def broadcast(attr: str, old: int, new: int) -> None:
    context = curdoc().session_context
    assert context is not None
    server: Any = context.server_context

    async def change_all() -> None:
        for session in server.sessions:
            await session.with_locked_document(partial(change, text=f"told {new}"))

    if hasattr(server, "add_next_tick_callback"):
        server.add_next_tick_callback(change_all)
        return
    for session in server.sessions:
        document: Document = session.document
        document.add_next_tick_callback(partial(change, document, f"told {new}"))


slider.on_change("value", broadcast)
curdoc().add_root(column(slider, div))
