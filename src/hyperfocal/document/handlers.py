"""Where Bokeh's handlers keep the hooks of an application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.application.handlers import DirectoryHandler, Handler
from bokeh.application.handlers.lifecycle import LifecycleHandler, _do_nothing
from bokeh.application.handlers.request_handler import RequestHandler, _return_empty

__all__ = ("request_hook", "session_created_hook", "session_hook")


def session_created_hook(handler: Any) -> Any:
    """The application's own ``on_session_created`` that a handler runs; ``None`` if unknown."""
    lifecycle = getattr(handler, "_lifecycle_handler", handler)
    return getattr(lifecycle, "_on_session_created", None)


def session_hook(handler: Any, hook: str) -> Callable[..., Any] | None:
    """What to call for a session hook of a handler.

    Bokeh's methods are coroutines that call the application's function as it is; that function is
    what is given here, so that it can be called where plain code belongs.

    Args:
        handler: the handler, or an application with a way of its own.
        hook: ``"on_session_created"`` or ``"on_session_destroyed"``.

    Returns:
        ``None`` where nothing is to be called.
    """
    method = getattr(type(handler), hook, None)
    if method is getattr(DirectoryHandler, hook):
        handler = handler._lifecycle_handler
        method = getattr(type(handler), hook, None)
    if method is getattr(Handler, hook):
        return None
    if method is getattr(LifecycleHandler, hook):
        function: Callable[..., Any] = getattr(handler, f"_{hook}")
        return None if function is _do_nothing else function
    bound: Callable[..., Any] = getattr(handler, hook)
    return bound


def request_hook(handler: Any) -> Callable[..., Any] | None:
    """The ``process_request`` of a handler; ``None`` where it adds nothing."""
    method = type(handler).process_request
    if method is DirectoryHandler.process_request:
        return request_hook(handler._request_handler)
    if method is Handler.process_request:
        return None
    if method is RequestHandler.process_request and handler._process_request is _return_empty:
        return None
    found: Callable[..., Any] = handler.process_request
    return found
