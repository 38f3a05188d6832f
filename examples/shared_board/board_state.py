"""The board that all sessions share.

Every session runs main.py in a module of its own, but they all import this one module, and what
it holds is there once in the server's process.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bokeh.document import Document


@dataclass(frozen=True)
class Note:
    author: str
    text: str
    color: str


notes: deque[Note] = deque(maxlen=24)  # the oldest ones fall off
_listeners: dict[Document, Callable[[], None]] = {}


def subscribe(doc: Document, listener: Callable[[], None]) -> None:
    """Have a listener called, with its document locked, whenever the board changed."""
    _listeners[doc] = listener
    notify()

    # When a session is destroyed its main.py is gone already, so this is not for main.py to do.
    def unsubscribe(session_context) -> None:
        del _listeners[doc]
        notify()

    doc.on_session_destroyed(unsubscribe)


def readers() -> int:
    return len(_listeners)


def notify() -> None:
    """Tell every session that the board changed.

    A callback may change its own document only. To change another one, ask that document to
    call back as soon as its lock is free.
    """
    for doc, listener in list(_listeners.items()):
        doc.add_next_tick_callback(listener)


def add(note: Note) -> None:
    notes.append(note)
    notify()
