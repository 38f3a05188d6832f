"""Everything assembled: an ASGI application to mount anywhere, and servers that run it."""

from hyperfocal.server.addresses import base_url, with_actual_port
from hyperfocal.server.listening import ListenError, bind
from hyperfocal.server.programmatic import Server
from hyperfocal.server.serving import asgi_app, lifespan, run, uvicorn_config

__all__ = (
    "ListenError",
    "Server",
    "asgi_app",
    "base_url",
    "bind",
    "lifespan",
    "run",
    "uvicorn_config",
    "with_actual_port",
)
