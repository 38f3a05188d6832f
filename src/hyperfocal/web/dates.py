"""The ``Date`` of HTTP responses (RFC 9110 section 6.6.1), made when one is sent."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ("dated",)


class _Date:
    """The date of the moment; written out at most once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = b""

    def now(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode()
        return self._text


def dated(app: ASGIApp) -> ASGIApp:
    """The same application, whose HTTP responses say when they were made."""
    date = _Date()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: Any = message.get("headers", ())
                message["headers"] = [(b"date", date.now()), *headers]
            await send(message)

        await app(scope, receive, send_dated)

    return serve
