"""Whether a document's code minds in which thread it runs."""

from __future__ import annotations

import sys
import threading
from typing import Any

from bokeh.document import Document

__all__ = ("needs_own_thread",)


def needs_own_thread(document: Document) -> bool:
    """Whether the scripts of a document hold something that is bound to the thread they ran in.

    That is a connection of ``sqlite3``, which refuses other threads, or a ``threading.local``,
    which is empty in others, among the names of a module of theirs.
    """
    sqlite3: Any = sys.modules.get("sqlite3")
    bound = (threading.local, sqlite3.Connection) if sqlite3 is not None else (threading.local,)
    return any(
        isinstance(value, bound)
        for module in document.modules._modules
        for value in list(vars(module).values())
    )
