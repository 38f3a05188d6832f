"""``async`` functions as callbacks of models and documents.

Bokeh calls whatever it was given to ``on_change``, ``on_event`` and their kin, and drops what that
gives: an ``async`` function never runs. Here one is wrapped when it is registered. What it gives
when it is called goes to the session, which awaits it in the turn of the change.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from bokeh.document.callbacks import DocumentCallbackManager
from bokeh.util.callback_manager import EventCallbackManager, PropertyCallbackManager

from hyperfocal.document.curdoc import here

__all__ = ("AsyncCallback",)


class AsyncCallback:
    """An ``async`` callback. Equal to the function, so that it can be removed by that.

    Args:
        function: what was registered.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any) -> None:
        """Have the session await it."""
        document = here()
        await_later = getattr(document.callbacks, "await_later", None) if document else None
        if await_later is not None:
            await_later(self.function(*args))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AsyncCallback):
            other = other.function
        return bool(self.function == other)

    def __hash__(self) -> int:
        return hash(self.function)


def _is_async(callback: Any) -> bool:
    while isinstance(callback, functools.partial):
        callback = callback.func
    if inspect.iscoroutinefunction(callback):
        return True
    call = getattr(callback, "__call__", None)  # noqa: B004 - of an object, which may be async
    return not isinstance(callback, type) and inspect.iscoroutinefunction(call)


def _wrapped(register: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(register)
    def on(self: Any, *given: Any) -> None:
        # Names of properties and classes of events stand before the callbacks.
        register(self, *(AsyncCallback(one) if _is_async(one) else one for one in given))

    return on


def _install() -> None:
    for owner, name in (
        (PropertyCallbackManager, "on_change"),
        (EventCallbackManager, "on_event"),
        (DocumentCallbackManager, "on_event"),
        (DocumentCallbackManager, "on_change"),
    ):
        setattr(owner, name, _wrapped(vars(owner)[name]))


_install()
