"""Applications that set signal handlers.

Python lets only the main thread do that, and raises elsewhere. Code of applications runs in other
threads, and a script that was made to run by itself would not start. What it asks for is left
undone, and the log says so, and what to do instead.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from hyperfocal.document.curdoc import here

__all__ = ("leave_signals_alone",)

_log = logging.getLogger("hyperfocal")

#: Places in applications of which the log has told, by file, line and call.
_told: set[tuple[str, int, str]] = set()
_MAX_TOLD = 1_000


def leave_signals_alone() -> None:
    """Have code of applications set no signal handlers and no timers off the main thread."""
    namespace: Any = signal
    if hasattr(namespace.signal, "__wrapped__"):
        return
    namespace.signal = _leaving_alone(signal.signal, _words, lambda number, _: _current(number))
    # Without a handler their signal would end the process.
    for name in ("alarm", "setitimer"):
        if hasattr(signal, name):
            nothing: Any = 0 if name == "alarm" else (0.0, 0.0)
            function = getattr(signal, name)
            setattr(
                namespace,
                name,
                _leaving_alone(function, _timer_words(name), lambda *_, nothing=nothing: nothing),
            )


def _leaving_alone(
    own: Callable[..., Any], words: Callable[..., str], instead: Callable[..., Any]
) -> Callable[..., Any]:
    @wraps(own)
    def call(*args: Any, **kw: Any) -> Any:
        if threading.current_thread() is threading.main_thread() or here() is None:
            return own(*args, **kw)
        result = instead(*args, **kw)
        _tell(words(*args), sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        return result

    return call


def _current(number: int) -> Any:
    """The handler that is there, and stays. Refuses what Python refuses."""
    return signal.getsignal(number)


def _words(number: int, *_: object) -> str:
    return f"signal.signal({_name(number)}, ...)"


def _timer_words(name: str) -> Callable[..., str]:
    return lambda *_: f"signal.{name}(...)"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _tell(call: str, frame: Any) -> None:
    """Once for each place; a script is a new code object in each session."""
    place = (frame.f_code.co_filename, frame.f_lineno, call)
    if place in _told or len(_told) >= _MAX_TOLD:
        return
    _told.add(place)
    _log.warning(
        "%s, line %d: %s does nothing. Python lets only the main thread of a process have signal "
        "handlers, and applications run in other threads; SIGINT and SIGTERM end the server. For "
        "what is to be done at the end, give a function to curdoc().on_session_destroyed, or have "
        "an on_server_unloaded hook; for a time limit, give one to the call that waits",
        *place[:2],
        call,
    )
