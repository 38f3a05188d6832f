"""Signals that the server heeds, and processes that an application's code forks from it.

A forked process inherits handlers. The server's would have it ignore SIGTERM, which
``multiprocessing`` ends processes with, and would write to the event loop of the server's process.
So a fork begins with the handlers that were there before the server's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from functools import cache
from types import FrameType
from typing import Any, TypeAlias

__all__ = ("heed", "heeding", "heeding_once")

Handler: TypeAlias = Callable[[int, FrameType | None], Any]

#: What each of our handlers has replaced.
_replaced: dict[tuple[int, Handler], Any] = {}
#: Of signals that have the system's own action since another has been heard: our handler before.
_lapsed: dict[int, Handler] = {}

_SA_RESETHAND = 0x80000000
#: Where ``_SigAction`` is what the C libraries of Linux have.
_MACHINES = ("x86_64", "aarch64", "riscv64")


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


@contextmanager
def heeding_once(numbers: Iterable[int], handler: Handler) -> Generator[None]:
    """Within, a handler hears the first of these signals. The next has the system's own action.

    So it ends the process whatever Python does, also when C code keeps the interpreter. On Linux
    that is so for a signal that comes twice even if the first could not be heard.
    """
    chosen = tuple(numbers)

    def first(number: int, frame: FrameType | None) -> None:
        for one in chosen:
            _lapsed[one] = first
            signal.signal(one, signal.SIG_DFL)
        handler(number, frame)

    try:
        with heeding(chosen, first):
            for number in chosen:
                _lapse_when_sent(number)
            yield
    finally:
        for number in chosen:
            _lapsed.pop(number, None)


class _SigAction(ctypes.Structure):
    """Of sigaction(2)."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_uint),
        ("restorer", ctypes.c_void_p),
    )


def _lapse_when_sent(number: int) -> None:
    """Have the system go back to its own action when it has called the handler of C once.

    Python's handlers run when the interpreter is free, which may be never.
    """
    if sys.platform != "linux" or os.uname().machine not in _MACHINES or sys.maxsize < 2**32:
        return
    with suppress(OSError, AttributeError):  # a C library that cannot be called
        sigaction = ctypes.CDLL(None).sigaction
        action = _SigAction()
        if sigaction(number, None, ctypes.byref(action)) == 0:
            action.flags |= _SA_RESETHAND
            sigaction(number, ctypes.byref(action), None)


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
        handler: Any = _lapsed.get(number) or signal.getsignal(number)
        while (number, handler) in _replaced:
            handler = _replaced[number, handler]
            signal.signal(number, handler)
    if _replaced:
        signal.set_wakeup_fd(-1)
        _replaced.clear()
        _lapsed.clear()
    try:
        _restore_mask()
    except KeyboardInterrupt:  # of which nobody would hear from here: end as it would have
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
