"""What stands in the place of functions of Panel, for documents of ours.

Panel lets code change a document's models directly where it runs in the document's thread, and
schedules the change as a session callback where it does not. Here a document has no thread: what
counts is whether the code belongs to the turn that runs. So callbacks in worker threads change
models directly, and ``async`` callbacks, which Panel runs without the lock, have their changes made
in a turn each.

Panel also holds a document's events and writes them to the sockets of Bokeh's server by itself.
Here they go to the session instead, which says them with the turn.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent

from hyperfocal.auth import user_name
from hyperfocal.document import RecordingCallbackManager, silenced
from hyperfocal.panel.caches import share_caches
from hyperfocal.panel.threads import document_of_thread, remember_starters

__all__ = ("install", "session_of")

#: No thread has this identity: the document is somebody else's at the moment.
_NOBODY = -1


def session_of(document: Any) -> RecordingCallbackManager | None:
    """What tells the session of a document of ours; ``None`` for others."""
    callbacks = getattr(document, "callbacks", None)
    if isinstance(callbacks, RecordingCallbackManager) and callbacks.has_turn is not None:
        return callbacks
    return None


def install() -> bool:
    """Replace them. Returns whether that was still to be done.

    Raises:
        AttributeError, ImportError: Panel has no such function (any more).
    """
    state: Any = import_module("panel.io.state").state
    state_class: Any = type(state)
    if getattr(state_class._thread_id, "hyperfocal", False):
        return False
    documents: Any = import_module("panel.io.document")
    handlers: Any = import_module("panel.io.handlers")
    location: Any = import_module("panel.io.location").Location
    for name in ("write_events", "schedule_write_events"):
        setattr(documents, name, _writing(getattr(documents, name)))
    location.from_request = classmethod(_from_request(location.from_request.__func__))
    assert handlers._monkeypatch_io
    handlers._monkeypatch_io = _silenced
    handlers.bk_set_curdoc = _setting_none_of_ours(handlers.bk_set_curdoc)
    for name in ("_add_busy_event", "_remove_busy_event"):
        assert getattr(state_class, name)
    parameter = state.param.busy
    parameter.readonly = parameter.constant = False
    busy = _Busy(state)
    state_class._add_busy_event = lambda _, event_id: busy.add(event_id)
    state_class._remove_busy_event = lambda _, event_id: busy.remove(event_id)
    state_class._thread_id = _ThreadId(state_class._thread_id)
    state_class.user = _User(state_class.user)
    state_class.curdoc = _Curdoc(state_class.curdoc)
    remember_starters()
    cache = share_caches(import_module("panel.io.cache"), state)
    for name in ("panel", "panel.io"):
        module: Any = import_module(name)
        assert module.cache
        module.cache = cache
    return True


class _ThreadId(property):
    """The thread in which a document may be changed: this one, if the code has the turn."""

    hyperfocal = True

    def __init__(self, own: property) -> None:
        super().__init__(self._get, own.fset)
        self._own = own

    def _get(self, state: Any) -> int | None:
        callbacks = session_of(state.curdoc)
        if callbacks is None:
            identity: int | None = self._own.__get__(state)
            return identity
        return threading.get_ident() if callbacks.has_turn else _NOBODY


class _Curdoc(property):
    """The document whose code runs, also in threads that it has started."""

    def __init__(self, own: property) -> None:
        super().__init__(self._get, own.fset)
        self._own = own

    def _get(self, state: Any) -> Document | None:
        document: Document | None = self._own.__get__(state)
        return document if document is not None else document_of_thread()


class _User(property):
    """Who the session was made for, as the server knows, or as a cookie says that Panel signed."""

    def __init__(self, own: property) -> None:
        super().__init__(self._get)
        self._own = own

    def _get(self, state: Any) -> str | None:
        document = state.curdoc
        if session_of(document) is not None and document.session_context is not None:
            known = user_name(getattr(document.session_context, "user", None))
            if known is not None:
                return known
        user: str | None = self._own.__get__(state)
        return user


class _Busy:
    """What keeps sessions busy: all of a process count it together, in any thread.

    Panel counts in a list that it reads and sets anew, and makes ``state.busy`` writable and
    read-only again each time. Here nobody waits while others are told: they may do anything.
    """

    def __init__(self, state: Any) -> None:
        self._state = state
        self._guard = threading.Lock()
        self._events: set[str] = set()

    def add(self, event_id: str) -> None:
        """Something begins."""
        with self._guard:
            self._events.add(event_id)
        self._tell()

    def remove(self, event_id: str) -> None:
        """It ends."""
        with self._guard:
            self._events.discard(event_id)
        self._tell()

    def _tell(self) -> None:
        # Others may begin and end meanwhile, and whoever comes last must not be wrong.
        while self._state.busy != bool(self._events):
            self._state.busy = bool(self._events)


def _writing(own: Callable[..., None]) -> Callable[..., None]:
    @wraps(own)
    def write(
        doc: Document, connections: Sequence[Any], events: list[DocumentPatchedEvent]
    ) -> None:
        callbacks = session_of(doc)
        if callbacks is None:
            own(doc, connections, events)
        else:
            callbacks.tell(events)

    return write


def _setting_none_of_ours(own: Callable[[Document], None]) -> Callable[[Document], None]:
    """Once a script has run, Panel would leave its document to all threads of the process."""

    @wraps(own)
    def set_curdoc(doc: Document) -> None:
        if session_of(doc) is None:
            own(doc)

    return set_curdoc


def _from_request(own: Callable[..., Any]) -> Callable[..., Any]:
    """Panel reads the page's URL from the requests of Bokeh's server only."""

    @wraps(own)
    def from_request(cls: Any, request: Any) -> Any:
        modules: Any = sys.modules
        if request is None or session_of(modules["panel.io.state"].state.curdoc) is None:
            return own(cls, request)
        location = cls()
        params = modules["panel.io.location"]._get_location_params(
            request.protocol, request.host, _page_of(request)
        )
        with modules["panel.util"].edit_readonly(location):
            location.param.update(params)
        return location

    return from_request


def _page_of(request: Any) -> str:
    """Path and query of the page, also where its websocket made the session anew."""
    if not request.path.endswith(("/ws", "/autoload.js")):
        return str(request.uri)
    path = request.path.rpartition("/")[0] or "/"
    query = urlencode(request.arguments, doseq=True)
    return f"{path}?{query}" if query else path


def _silenced(loggers: dict[str, Callable[..., None]] | None) -> Any:
    return silenced(loggers or {})
