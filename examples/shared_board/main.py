"""Shared board

Notes that everybody sees: open this page twice, and write. A module that all sessions import
holds the notes and tells every document about a new one.
"""

from html import escape

import board_state as board
from bokeh.layouts import column, row
from bokeh.models import Button, Div, InlineStyleSheet, Select, TextInput
from bokeh.plotting import curdoc

TITLE, ABOUT = __doc__.strip().split("\n\n")
COLORS = {"Yellow": "#fef3c7", "Green": "#d1fae5", "Blue": "#dbeafe", "Pink": "#fce7f3"}
STYLE = """
.bk-clearfix { width: 100%; }
.wall { display: grid; gap: 18px; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
.note { padding: 16px; min-height: 90px; border-radius: 4px 4px 20px 4px; color: #1f2937;
        box-shadow: 0 2px 6px rgb(0 0 0 / 15%); overflow-wrap: anywhere; font-size: 15px; }
.note b { display: block; margin-bottom: 6px; font-size: 12px; color: #6b7280; }
.empty { color: #94a3b8; font-size: 16px; }
"""

doc = curdoc()
author = TextInput(title="Your name", value="Guest", name="author", width=150)
color = Select(title="Color", value="Yellow", options=list(COLORS), name="color", width=110)
message = TextInput(
    title="Note",
    placeholder="Type, then press Enter",
    name="message",
    min_width=200,
    sizing_mode="stretch_width",
)
pin = Button(label="Pin it", name="pin", button_type="primary", width=100)
wall = Div(name="wall", sizing_mode="stretch_width", stylesheets=[InlineStyleSheet(css=STYLE)])
readers = Div(name="readers")


def show_board() -> None:
    """Write the notes, the newest one first. What visitors type is not to be trusted: escape."""
    notes = [
        f"<div class='note' style='background:{note.color}'>"
        f"<b>{escape(note.author)}</b>{escape(note.text)}</div>"
        for note in reversed(board.notes)
    ]
    wall.text = (
        f"<div class='wall'>{''.join(notes)}</div>"
        if notes
        else "<p class='empty'>Nothing here yet. Be the first!</p>"
    )
    count = board.readers()
    readers.text = f"<b>{count}</b> {'reader' if count == 1 else 'readers'}"


def post(attr: str, old: str, text: str) -> None:
    """Called when Enter was pressed, or when the field lost the focus to the button."""
    if text.strip():
        board.add(board.Note(author.value.strip() or "Guest", text.strip(), COLORS[color.value]))
        message.value = ""


message.on_change("value", post)
pin.on_click(lambda: post("value", "", message.value))
board.subscribe(doc, show_board)
show_board()

heading = Div(
    text=f"<h1 style='margin:0 0 6px;color:#0f172a'>{TITLE}</h1>{ABOUT}",
    sizing_mode="stretch_width",
    styles={"font-size": "15px", "color": "#475569"},
)
doc.title = TITLE
doc.add_root(
    column(
        heading,
        row(
            author,
            color,
            message,
            pin,
            sizing_mode="stretch_width",
            spacing=12,
            styles={"align-items": "flex-end", "flex-wrap": "wrap"},
        ),
        readers,
        wall,
        sizing_mode="stretch_width",
        spacing=20,
        styles={"max-width": "1000px", "margin": "0 auto", "padding": "28px"},
    )
)
