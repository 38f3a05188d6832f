"""Where Bokeh's handlers keep the hooks of an application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.application.handlers import DirectoryHandler
from bokeh.application.handlers.lifecycle import LifecycleHandler

__all__ = ("own_session_hook", "session_created_hook")


def session_created_hook(handler: Any) -> Any:
    """The application's own ``on_session_created`` that a handler runs; ``None`` if unknown."""
    lifecycle = getattr(handler, "_lifecycle_handler", handler)
    return getattr(lifecycle, "_on_session_created", None)


def own_session_hook(handler: Any, hook: str) -> Callable[..., Any] | None:
    """The application's function behind a session hook of one of Bokeh's handlers.

    Bokeh's methods are coroutines that call it as it is, on the event loop.

    Args:
        handler: the handler.
        hook: ``"on_session_created"`` or ``"on_session_destroyed"``.

    Returns:
        ``None`` for a handler with a method of its own.
    """
    method = getattr(type(handler), hook, None)
    if method is getattr(DirectoryHandler, hook):
        handler = handler._lifecycle_handler
        method = getattr(type(handler), hook, None)
    return getattr(handler, f"_{hook}") if method is getattr(LifecycleHandler, hook) else None
