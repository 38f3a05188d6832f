"""What a proxy says of its clients (``--use-xheaders``)."""

from __future__ import annotations

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from hyperfocal.web.requests import header

__all__ = ("behind_proxy",)

_WEBSOCKET = {"http": "ws", "https": "wss"}


def behind_proxy(app: ASGIApp) -> ASGIApp:
    """The same application, told of the clients of a proxy instead of the proxy.

    Believes ``X-Real-Ip``, else the last address of ``X-Forwarded-For`` (the one that the proxy has
    seen itself), and ``X-Scheme``, else the last of ``X-Forwarded-Proto``. What makes no sense is
    as good as nothing. Uvicorn's own middleware knows only one of each pair.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            address = _address(header(scope, b"x-real-ip"))
            address = address or _address(_last(scope, b"x-forwarded-for"))
            if address is not None:
                scope["client"] = (address, 0)
            scheme = header(scope, b"x-scheme") or _last(scope, b"x-forwarded-proto")
            if scheme in _WEBSOCKET:
                is_websocket = scope["type"] == "websocket"
                scope["scheme"] = _WEBSOCKET[scheme] if is_websocket else scheme
        await app(scope, receive, send)

    return serve


def _last(scope: Scope, name: bytes) -> str | None:
    """The last member of a list; several headers of one name are one list."""
    values = [value for key, value in scope["headers"] if key == name]
    if not values:
        return None
    last: str = values[-1].decode("latin-1")
    return last.rpartition(",")[2].strip()


def _address(text: str | None) -> str | None:
    """An address without a port or brackets, which some proxies write with it."""
    if text is None:
        return None
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
