"""Callbacks of Panel's that stand before those of the application.

Panel hears of a widget's change, of an event or of a timer in coroutines of its own, which call the
application's functions. What is known of how long the code takes must not be said of all widgets of
all applications, and the plain code in these coroutines is to run where plain code does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ("stands_for",)

_OWNERS = frozenset(
    {
        ("panel.reactive", "Syncable._change_coroutine"),
        ("panel.reactive", "Syncable._event_coroutine"),
        ("panel.reactive", "Syncable._server_event"),
        ("holoviews.plotting.bokeh.callbacks", "Callback.process_on_change"),
        ("holoviews.plotting.bokeh.callbacks", "Callback.process_on_event"),
    }
)
_PERIODIC = ("panel.io.callbacks", "PeriodicCallback._periodic_callback")


def stands_for(method: Any) -> Callable[..., Any] | str | None:
    """What a method of Panel's stands for.

    Args:
        method: what is called, without partials and wrappers.

    Returns:
        The application's function that it calls, or a name for all that it may call: that of its
        owner, the same in all sessions. ``None``: it stands for nothing, or is none of Panel's.
    """
    function = getattr(method, "__func__", None)
    if function is None:
        return None
    name = (function.__module__, function.__qualname__)
    if name in _OWNERS:
        return _name_of(method.__self__)
    if name == _PERIODIC:
        callback: Callable[..., Any] = method.__self__.callback
        return callback
    return None


def _name_of(owner: Any) -> str:
    kind, name = type(owner).__name__, str(getattr(owner, "name", ""))
    if name.removeprefix(kind).isdigit():  # numbered by param, as many as there are sessions
        return kind
    return f"{kind} {name}".rstrip()
