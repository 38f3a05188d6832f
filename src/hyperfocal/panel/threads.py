"""``pn.state.curdoc`` in threads that an application starts.

Bokeh's server keeps the documents of running callbacks in one list for the whole process, so that
such a thread finds the document of the callback that has started it, as long as that runs (or
whatever document comes along). Here each thread, and each call in an executor, remembers the
context from which it was started: it knows that document while its turn goes on.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import wraps
from typing import Any

from hyperfocal.document import Document, RecordingCallbackManager, here

__all__ = ("document_of_thread", "remember_starters")


class _Thread(threading.local):
    """What is remembered of a thread."""

    def __init__(self) -> None:
        #: Where the call came from that runs here.
        self.context: Context | None = None
        #: An executor is starting threads, for calls of anybody.
        self.in_submit = False


_thread = _Thread()


def document_of_thread() -> Document | None:
    """The document of the turn that has started this thread's work, as long as it goes on."""
    context = _thread.context
    return context.run(_document_of_turn) if context is not None else None


def _document_of_turn() -> Document | None:
    document = here()
    callbacks = document.callbacks if document is not None else None
    if isinstance(callbacks, RecordingCallbackManager) and callbacks.has_turn:
        return document
    return None


def _origin() -> Context | None:
    """The context of the turn to which the calling code belongs."""
    if _document_of_turn() is not None:
        return copy_context()
    return _thread.context if document_of_thread() is not None else None


def remember_starters() -> None:
    """Have threads and executors remember where their work came from. Call it once."""
    threads: Any = threading.Thread
    executor: Any = concurrent.futures.ThreadPoolExecutor
    threads.start = _starting(threading.Thread.start)
    executor.submit = _submitting(ThreadPoolExecutor.submit)


def _starting(own: Callable[..., None]) -> Callable[..., None]:
    @wraps(own)
    def start(self: Any) -> None:
        origin = None if _thread.in_submit else _origin()
        if origin is not None:
            self.run = _within(origin, self.run)
        own(self)

    return start


def _submitting(own: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @wraps(own)
    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kw: Any) -> Future[Any]:
        origin = _origin()
        _thread.in_submit, before = True, _thread.in_submit
        try:
            return own(self, fn if origin is None else _within(origin, fn), *args, **kw)
        finally:
            _thread.in_submit = before

    return submit


def _within(origin: Context, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, which remembers where it came from while it runs."""

    def run(*args: Any, **kw: Any) -> Any:
        _thread.context, before = origin, _thread.context
        try:
            return call(*args, **kw)
        finally:
            _thread.context = before

    return run
