"""Everything assembled: an ASGI application to mount anywhere, and servers that run it."""

from hyperfocal.server.addresses import base_url, with_actual_port
from hyperfocal.server.programmatic import Server
from hyperfocal.server.serving import (
    ListenError,
    asgi_app,
    bind,
    lifespan,
    removing_socket,
    run,
    uvicorn_config,
)

__all__ = (
    "ListenError",
    "Server",
    "asgi_app",
    "base_url",
    "bind",
    "lifespan",
    "removing_socket",
    "run",
    "uvicorn_config",
    "with_actual_port",
)
