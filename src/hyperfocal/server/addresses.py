"""Where a server is, in URLs."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace

from hyperfocal.config import Settings

__all__ = ("base_url", "with_actual_port")


def with_actual_port(settings: Settings, sockets: Sequence[socket.socket]) -> Settings:
    """The port that was bound, and the origins that follow from it when none were given."""
    if settings.unix_socket is not None:
        return settings
    port = sockets[0].getsockname()[1]
    origins = settings.websocket_origins
    if not origins:
        hosts = ["localhost", "127.0.0.1", "[::1]", _host(settings)]
        origins = tuple(dict.fromkeys(f"{host}:{port}" for host in hosts))
    return replace(settings, port=port, websocket_origins=origins)


def _host(settings: Settings) -> str:
    """What a browser on this machine calls the address that is listened on."""
    if settings.address in (None, "0.0.0.0", "::"):
        return "localhost"
    return f"[{settings.address}]" if ":" in str(settings.address) else str(settings.address)


def base_url(settings: Settings) -> str:
    """The URL under which everything is served, without a slash at its end.

    For a Unix socket its path, as in ``unix:/run/app.sock``.
    """
    if settings.unix_socket is not None:
        return f"unix:{settings.unix_socket}"
    scheme = "https" if settings.ssl_certfile is not None else "http"
    return f"{scheme}://{_host(settings)}:{settings.port}{settings.prefix}"
