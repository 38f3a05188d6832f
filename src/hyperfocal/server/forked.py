"""Signals that the server heeds, and processes that an application's code forks from it.

A forked process inherits handlers. The server's would have it ignore SIGTERM, which
``multiprocessing`` ends processes with, and would write to the event loop of the server's process.
So a fork begins with the handlers that were there before the server's.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any, TypeAlias

__all__ = ("heed", "heeding")

Handler: TypeAlias = Callable[[int, FrameType | None], Any]

#: What each of our handlers has replaced.
_replaced: dict[tuple[int, Handler], Any] = {}


#: ``mask``: the signals that a thread blocks, while it forks.
_forking = threading.local()


def heed(numbers: Iterable[int], handler: Handler) -> dict[int, Any]:
    """Have a handler hear these signals in this process, but in none that is forked from it.

    In the main thread.

    Returns:
        The handlers that were there before, by signal.
    """
    _register()
    before: dict[int, Any] = {}
    for number in numbers:
        before[number] = signal.getsignal(number)
        if before[number] != handler:
            _replaced[number, handler] = before[number]
            signal.signal(number, handler)
    return before


@contextmanager
def heeding(numbers: Iterable[int], handler: Handler) -> Generator[None]:
    """Within, a handler hears these signals; see ``heed``. Then others do what they did before."""
    before = heed(numbers, handler)
    try:
        yield
    finally:
        for number, other in before.items():
            signal.signal(number, other)
            _replaced.pop((number, handler), None)


@cache
def _register() -> None:
    """Once."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_begin, after_in_parent=_restore_mask, after_in_child=_begin_afresh
        )


def _begin() -> None:
    """A signal that the new process gets at once must wait until its handlers are its own."""
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {number for number, _ in _replaced})


def _restore_mask() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _begin_afresh() -> None:
    for number in {number for number, _ in _replaced}:
        handler: Any = signal.getsignal(number)
        while (number, handler) in _replaced:
            handler = _replaced[number, handler]
            signal.signal(number, handler)
    if _replaced:
        signal.set_wakeup_fd(-1)
        _replaced.clear()
    try:
        _restore_mask()
    except KeyboardInterrupt:  # of which nobody would hear from here: end as it would have
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
