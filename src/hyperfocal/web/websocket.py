"""The websocket of an application, over any ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from hyperfocal.connection import Connection, Outbox
from hyperfocal.errors import AuthError, BuildError, PeerError, ProtocolError, SessionGoneError
from hyperfocal.session import Session
from hyperfocal.telemetry import ConnectionRefused
from hyperfocal.web.requests import Scope
from hyperfocal.web.site import Served, Site
from hyperfocal.wire import Frame

__all__ = (
    "ABNORMAL",
    "CLOSE_TIMEOUT_S",
    "FRAMES_IN_A_ROW",
    "TAKE_OVER",
    "NoSuchWebSocket",
    "WebSocketEndpoint",
)

Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]

#: The extension of an ASGI scope under which a server offers to move the frames itself:
#: ``take_over(connect, outbox_bytes)`` accepts the websocket, makes its connection with
#: ``connect(outbox)`` and gives True, or does nothing and gives False.
TAKE_OVER = "hyperfocal.take_over"

#: Seconds that a peer has to answer a close before its connection is dropped.
CLOSE_TIMEOUT_S = 5.0
#: Frames of one client that are taken before others get the event loop.
FRAMES_IN_A_ROW = 8
#: Closed without a close frame (RFC 6455 section 7.1.5).
ABNORMAL = 1006


class WebSocketEndpoint:
    """The ASGI application behind ``<app>/ws``."""

    def __init__(self, site: Site, served: Served) -> None:
        self._site = site
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check who asks, join the session, then move frames until the end."""
        site, served = self._site, self._served
        await receive()  # websocket.connect
        try:
            site.check_origin(scope)
            session, page = await site.open_websocket(served, scope, _token(scope))
        except (AuthError, ProtocolError) as error:
            await _refuse(site, served.url, scope, send, 403, error.reason)
            return
        except BuildError:
            reason = "the application failed; see the server's log"
            await _refuse(site, served.url, scope, send, 500, reason)
            return
        connect = partial(_connect, site, served, session, page)
        outbox_bytes = site.settings.outbox_max_bytes
        take_over = scope.get("extensions", {}).get(TAKE_OVER)
        if take_over is not None and take_over(connect, outbox_bytes):
            return
        await send({"type": "websocket.accept", "subprotocol": "bokeh"})
        await _Transport(connect, outbox_bytes, receive, send).run()


def _connect(site: Site, served: Served, session: Session, page: str, outbox: Outbox) -> Connection:
    return Connection(
        session,
        outbox,
        telemetry=site.telemetry,
        url=served.url,
        limits=site.limits,
        page=page,
        versions=site.versions,
        dev=site.settings.dev,
    )


class NoSuchWebSocket:
    """Answers websockets at paths where nothing is served."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 404."""
        await receive()  # websocket.connect
        path = str(scope["path"])
        await _refuse(self._site, path, scope, send, 404, f"no application is served at {path}")


async def _refuse(site: Site, url: str, scope: Scope, send: Send, status: int, reason: str) -> None:
    """Answer the handshake with an HTTP status and the reason, where the server can."""
    client = scope.get("client")
    peer = client[0] if client else "a local client"
    site.telemetry.emit(ConnectionRefused(url, peer, reason))
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        return
    await send(
        {
            "type": "websocket.http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    await send({"type": "websocket.http.response.body", "body": reason.encode()})


def _token(scope: Scope) -> str:
    """The token, which the client offers as the second of its subprotocols.

    Raises:
        ProtocolError: the client does not offer the two.
    """
    offered: list[str] = scope.get("subprotocols", [])
    if len(offered) != 2 or offered[0] != "bokeh":
        raise ProtocolError("the websocket must offer the subprotocols 'bokeh' and a token")
    return offered[1]


class _Transport:
    """Moves frames between an ASGI server and one connection."""

    def __init__(
        self,
        connect: Callable[[Outbox], Connection],
        outbox_bytes: int,
        receive: Receive,
        send: Send,
    ) -> None:
        self._receive = receive
        self._send = send
        self._ready = asyncio.Event()
        self._outbox = Outbox(outbox_bytes, self._wake)
        self._drainer: asyncio.Task[None] | None = None
        self._connection = connect(self._outbox)

    def _wake(self) -> None:
        self._ready.set()
        if self._outbox.overflowed and self._drainer is not None:
            self._drainer.cancel()  # it waits for a peer that does not read

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        code, reason = ABNORMAL, ""
        try:
            self._connection.open()
        except SessionGoneError as error:
            await self._send({"type": "websocket.close", "code": 1001, "reason": str(error)[:120]})
            return
        reader = asyncio.create_task(self._read())
        self._drainer = asyncio.create_task(self._drain())
        try:
            await asyncio.wait({reader, self._drainer}, return_when=asyncio.FIRST_COMPLETED)
            if not reader.done():
                closing = self._outbox.closing
                if closing is not None:
                    code, reason = closing.code, closing.reason
                self._connection.closed(code, reason)  # whatever the peer makes of the close
                await self._close(reader)
            elif not reader.cancelled():
                code, reason = reader.result()
        finally:
            self._connection.closed(code, reason)
            reader.cancel()
            self._drainer.cancel()
            await asyncio.gather(reader, self._drainer, return_exceptions=True)

    async def _read(self) -> tuple[int, str]:
        """Feed the connection. Gives the close code and reason with which it ended."""
        frames = 0
        while True:
            frames += 1
            if frames % FRAMES_IN_A_ROW == 0:
                await asyncio.sleep(0)  # a server that has more frames at hand does not yield
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return event.get("code") or 1005, event.get("reason") or ""
            text = event.get("text")
            frame: Frame = text if text is not None else event["bytes"]
            try:
                waiting = self._connection.receive(frame)
                if waiting is not None:
                    await waiting
            except PeerError as error:
                self._outbox.close(error.close_code, error.reason)
                return await self._await_disconnect(error)

    async def _await_disconnect(self, error: PeerError) -> tuple[int, str]:
        """The connection is ours to end: whatever the peer still sends is not looked at."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while (await self._receive())["type"] != "websocket.disconnect":
                    pass
        except TimeoutError:
            pass
        return error.close_code, error.reason

    async def _drain(self) -> None:
        """Send what is queued, at the peer's pace; ends when the outbox asks for the close."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while frames := self._outbox.take():
                for frame in frames:
                    kind = "text" if isinstance(frame, str) else "bytes"
                    await self._send({"type": "websocket.send", kind: frame})
                self._outbox.sent(frames)
            closing = self._outbox.closing
            if closing is not None:
                await self._send(
                    {"type": "websocket.close", "code": closing.code, "reason": closing.reason}
                )
                return

    async def _close(self, reader: asyncio.Task[tuple[int, str]]) -> None:
        """The outbox asked for the close, or the peer stopped taking what we send."""
        closing = self._outbox.closing
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if closing is not None and self._outbox.overflowed:
                    await self._send(
                        {"type": "websocket.close", "code": closing.code, "reason": closing.reason}
                    )
                await asyncio.wait({reader})
        except (TimeoutError, OSError, RuntimeError):
            return
