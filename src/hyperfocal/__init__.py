"""Hyperfocal: a session server for interactive Bokeh documents.

The public API: this module, ``hyperfocal.contexts``, ``hyperfocal.auth`` and
``hyperfocal.testing``. Everything else may change. Names are imported when they are first used, so
that the command line starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperfocal.config import Settings
    from hyperfocal.contexts import (
        ApplicationContext,
        BokehServerContext,
        BokehSessionContext,
        needs_visitor,
        prewarm_safe,
    )
    from hyperfocal.server import Server, asgi_app, lifespan, use_in_notebooks

__version__ = "0.1.0.dev0"

__all__ = (
    "ApplicationContext",
    "BokehServerContext",
    "BokehSessionContext",
    "Server",
    "Settings",
    "__version__",
    "asgi_app",
    "lifespan",
    "needs_visitor",
    "prewarm_safe",
    "use_in_notebooks",
)

_HOMES = {
    "ApplicationContext": "hyperfocal.contexts",
    "BokehServerContext": "hyperfocal.contexts",
    "BokehSessionContext": "hyperfocal.contexts",
    "Server": "hyperfocal.server",
    "Settings": "hyperfocal.config",
    "asgi_app": "hyperfocal.server",
    "lifespan": "hyperfocal.server",
    "needs_visitor": "hyperfocal.contexts",
    "prewarm_safe": "hyperfocal.contexts",
    "use_in_notebooks": "hyperfocal.server",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
