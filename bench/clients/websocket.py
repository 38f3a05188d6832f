"""Sockets, HTTP and websocket frames, as far as a benchmark needs them."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Self, cast

from bench.clients import TIMEOUT_S, Target

__all__ = ("BINARY", "TEXT", "WebSocket", "fetch")

#: First bytes of unfragmented frames.
TEXT, BINARY, _CLOSE, _PING, _PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


async def fetch(target: Target) -> bytes:
    """The page, with its head, by a connection of its own."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", target.port, limit=1 << 24, local_addr=target.local_addr
    )
    request = f"GET {target.path}{target.query} HTTP/1.0\r\nHost: {target.host}\r\n\r\n"
    writer.write(request.encode())
    async with asyncio.timeout(TIMEOUT_S):
        answer = await reader.read()
    writer.close()
    status = answer[:64].split(b"\r\n")[0]
    if b" 200 " not in status + b" ":
        raise ConnectionError(f"GET {target.path}: {status.decode(errors='replace')}")
    return answer


class WebSocket(asyncio.Protocol):
    """One websocket, from the handshake to the close; subclasses say what frames mean.

    Args:
        target: the application.
        path: of the websocket.
        subprotocols: what to offer.

    Attributes:
        ready: done when the handshake is; for servers that do not speak first.
    """

    def __init__(self, target: Target, path: str, *subprotocols: str) -> None:
        loop = asyncio.get_running_loop()
        self._target = target
        self._path = path
        self._subprotocols = subprotocols
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._needed = 0
        self._upgraded = False
        self._answer: asyncio.Future[bytes] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self.ready: asyncio.Future[None] = loop.create_future()

    async def connect(self) -> Self:
        """Start the handshake; what comes first is for the subclass to wait for."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(
            lambda: self, "127.0.0.1", self._target.port, local_addr=self._target.local_addr
        )
        return self

    # For subclasses.

    def opened(self) -> None:
        """The handshake is done."""

    def frame(self, first: int, payload: bytes) -> None:
        """A whole frame of text or bytes; ``first`` tells which."""
        raise NotImplementedError

    def failed(self, reason: str) -> None:
        """The connection is of no use any more, and nobody waits for an answer."""

    def answered(self, content: bytes) -> None:
        """What ``answer`` waits for is here."""
        if not self._answer.done():
            self._answer.set_result(content)

    async def answer(self) -> bytes:
        """What the peer answers.

        Raises:
            ConnectionError: it refused, or the connection ended.
        """
        async with asyncio.timeout(TIMEOUT_S):
            answer = await self._answer
        self._answer = asyncio.get_running_loop().create_future()
        return answer

    def fail(self, reason: str) -> None:
        """Tell whoever waits."""
        if not self._answer.done():
            self._answer.set_exception(ConnectionError(reason))
            self._answer.exception()  # nobody may be waiting
        self.failed(reason)

    def write(self, first: int, *payloads: bytes) -> None:
        """Send frames in one write."""
        if self._transport is None:
            return
        parts: list[bytes] = []
        for payload in payloads:
            size = len(payload)
            if size < 126:
                parts.append(b"%c%c\0\0\0\0%b" % (first, 0x80 | size, payload))
            elif size < 65536:
                parts.append(b"%c\xfe%b\0\0\0\0%b" % (first, size.to_bytes(2), payload))
            else:
                parts.append(b"%c\xff%b\0\0\0\0%b" % (first, size.to_bytes(8), payload))
        self._transport.write(b"".join(parts))

    def stop_reading(self) -> None:
        """Leave what comes from now on where it is."""
        if self._transport is not None:
            self._transport.pause_reading()

    def vanish(self) -> None:
        """Be gone without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Close as a page does that is left, and wait for the end."""
        self.write(_CLOSE, (1001).to_bytes(2))
        async with asyncio.timeout(TIMEOUT_S):
            await self._closed

    # What the other end does.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are transports in all but name.
        self._transport = transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {self._path} HTTP/1.1",
            f"Host: {self._target.host}",
            f"Origin: http://{self._target.host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        if self._subprotocols:
            lines.append(f"Sec-WebSocket-Protocol: {', '.join(self._subprotocols)}")
        transport.write("\r\n".join([*lines, "\r\n"]).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._closed.done():
            self._closed.set_result(None)
        self.fail("the server ended the connection")

    def data_received(self, data: bytes) -> None:
        if self._unread:
            self._unread += data
            if len(self._unread) < self._needed:
                return
            data = bytes(self._unread)
            self._unread.clear()
        at = 0 if self._upgraded else self._handshake(data)
        size = len(data)
        self._needed = 2
        while size - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if length > 125:
                start += 2 if length == 126 else 8
                if size < start:
                    break
                length = int.from_bytes(data[at + 2 : start])
            end = start + length
            if size < end:
                self._needed = end - at
                break
            if first < _CLOSE:
                self.frame(first, data[start:end])
            else:
                self._control(first, data[start:end])
            at = end
        if at < size:
            self._unread += data[at:]

    def _handshake(self, data: bytes) -> int:
        """Where the frames begin in the first bytes that came."""
        at = data.find(b"\r\n\r\n") + 4
        if at < 4:
            return 0
        if not data.startswith(b"HTTP/1.1 101"):
            self.fail(f"no websocket: {data[:200]!r}")
            return len(data)
        self._upgraded = True
        if not self.ready.done():
            self.ready.set_result(None)
        self.opened()
        return at

    def _control(self, first: int, payload: bytes) -> None:
        if first == _PING:
            self.write(_PONG, payload)
        elif first == _CLOSE:
            if self._transport is not None:
                self._transport.close()
            self.fail(f"the server closed: {payload!r}")
        elif first != _PONG:
            self.fail(f"a frame that this client does not read: {first:#x}")
