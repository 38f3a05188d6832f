"""Coroutines of Panel's that call plain code of the application.

Panel hears of a widget's change, of an event or of a timer in coroutines of its own, which call the
application's functions. The plain code in these coroutines is to run where plain code does.
"""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ("runs_plain_code",)

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


def runs_plain_code(method: Any) -> bool:
    """Whether a coroutine function is one of Panel's that calls plain code of the application.

    Args:
        method: what is called, without partials and wrappers.
    """
    function = getattr(method, "__func__", None)
    if function is None:
        return False
    name = (function.__module__, function.__qualname__)
    if name == _PERIODIC:
        callback = method.__self__.callback
        return not (inspect.iscoroutinefunction(callback) or inspect.isasyncgenfunction(callback))
    return name in _OWNERS
