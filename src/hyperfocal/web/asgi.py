"""The transport over any ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from hyperfocal.connection import Outbox
from hyperfocal.errors import PeerError, SessionGoneError
from hyperfocal.web.transport import ABNORMAL, CLOSE_TIMEOUT_S, FRAMES_IN_A_ROW, Connect
from hyperfocal.wire import Frame

__all__ = ("AsgiTransport", "Receive", "Send")

Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]


class AsgiTransport:
    """Moves frames between an ASGI server and one connection.

    Args:
        connect: makes the connection, given its outbox.
        outbox_bytes: the outbox's bound.
        receive: of the ASGI server.
        send: of the ASGI server; the websocket has been accepted with it.
    """

    def __init__(
        self,
        connect: Connect,
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
                self._outbox.sent()
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
