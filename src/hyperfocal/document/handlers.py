"""Where Bokeh's handlers keep the hooks of an application."""

from __future__ import annotations

from typing import Any

__all__ = ("session_created_hook",)


def session_created_hook(handler: Any) -> Any:
    """The application's own ``on_session_created`` that a handler runs; ``None`` if unknown."""
    lifecycle = getattr(handler, "_lifecycle_handler", handler)
    return getattr(lifecycle, "_on_session_created", None)
