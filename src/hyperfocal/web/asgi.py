"""The transport over any ASGI server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from hyperfocal.connection import Outbox
from hyperfocal.errors import PeerError, SessionGoneError
from hyperfocal.web.transport import ABNORMAL, CLOSE_TIMEOUT_S, MOST_READS, Connect, closing_of
from hyperfocal.wire import Frame, unpacked

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
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._outbox = Outbox(outbox_bytes, self._wake)
        self._drainer: asyncio.Task[None] | None = None
        self._connection = connect(self._outbox)
        self._is_collected = False  # the engine knows that there is something to write
        self._guard = threading.Lock()  # of the next two
        self._waiting = 0  # frames that are still to be carried out
        self._is_awaited = False
        self._carried_out = asyncio.Event()
        self._failure: BaseException | None = None

    def _wake(self) -> None:
        """The outbox has something. From any thread."""
        if not self._is_collected:
            self._is_collected = True
            self._connection.engine.collect(self)

    def write_collected(self) -> bool:
        """See ``Sink``: an ASGI server writes on its loop."""
        return False

    def write_on_loop(self) -> None:
        """See ``Sink``."""
        self._is_collected = False
        self._ready.set()
        if self._outbox.overflowed and self._drainer is not None:
            self._drainer.cancel()  # it waits for a peer that does not read

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        code, reason = ABNORMAL, ""
        try:
            self._connection.open()
        except (PeerError, SessionGoneError) as error:
            code, reason = closing_of(error)
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
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
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                await self._until_carried_out(0)  # what was asked for before
                return event.get("code") or 1005, event.get("reason") or ""
            text = event.get("text")
            frame: Frame = text if text is not None else event["bytes"]
            with self._guard:
                self._waiting += 1
            self._connection.receive((frame,), self._done)
            await self._until_carried_out(MOST_READS)
            await asyncio.sleep(0)  # a server that has more frames at hand does not yield
            if self._failure is not None:
                return await self._await_disconnect(self._failure)

    async def _until_carried_out(self, most: int) -> None:
        """Wait until no more than so many frames wait, or one has failed."""
        while True:
            with self._guard:
                if self._waiting <= most or self._failure is not None:
                    return
                self._is_awaited = True
                self._carried_out.clear()
            await self._carried_out.wait()

    def _done(self, error: BaseException | None) -> None:
        """A frame has been carried out. In any thread."""
        with self._guard:
            self._waiting -= 1
            if error is not None and self._failure is None:
                self._failure = error
            is_awaited = self._is_awaited or error is not None
            self._is_awaited = False
        if is_awaited:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._heed)

    def _heed(self) -> None:
        """On the loop, after frames have been carried out: go on, or end."""
        self._carried_out.set()
        if self._failure is not None:
            self._outbox.close(*closing_of(self._failure))

    async def _await_disconnect(self, error: BaseException) -> tuple[int, str]:
        """The connection is ours to end: whatever the peer still sends is not looked at."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while (await self._receive())["type"] != "websocket.disconnect":
                    pass
        except TimeoutError:
            pass
        return closing_of(error)

    async def _drain(self) -> None:
        """Send what is queued, at the peer's pace; ends when the outbox asks for the close."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while frames := self._outbox.take():
                for frame in unpacked(frames):
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
