"""A client that is cheap enough to measure with.

It speaks HTTP and websocket frames straight on an ``asyncio.Protocol``: no task per message, the
three frames of a request in one write, masks of zeros (allowed, and nothing to compute). Both
servers meet exactly this client.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import cast

import orjson

from hyperfocal.testing import page_token

__all__ = ("Session", "Target")

#: Gets the kind of a message and its content's JSON.
Listener = Callable[[str, bytes], None]

_TIMEOUT_S = 30


class Session(asyncio.Protocol):
    """One websocket, from the handshake to the close. Made by ``Target.open``."""

    def __init__(self, target: Target, token: str) -> None:
        self._target = target
        self._token = token
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._upgraded = False
        self._frames: list[bytes] = []
        self._due = 3
        self._kind = ""
        self._wanted = "ACK"
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._requests = 0
        self._closed = asyncio.get_running_loop().create_future()
        #: Called with every message, instead of waiting for one.
        self.listener: Listener | None = None

    # What the other end does.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are transports in all but name.
        self._transport = transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._target.path}/ws HTTP/1.1\r\nHost: {self._target.host}\r\n"
            f"Origin: http://{self._target.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: bokeh, {self._token}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._closed.done():
            self._closed.set_result(None)
        self._fail("the server ended the connection")

    def data_received(self, data: bytes) -> None:
        data = self._unread + data if self._unread else data
        at = 0
        if not self._upgraded:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._unread = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self._fail(f"no websocket: {data[:200]!r}")
                return
            self._upgraded = True
        size = len(data)
        while size - at >= 2:
            start, length = at + 2, data[at + 1]
            if length > 125:
                start += 2 if length == 126 else 8
                if size < start:
                    break
                length = int.from_bytes(data[at + 2 : start])
            end = start + length
            if size < end:
                break
            self._frame(data[at], data[start:end])
            at = end
        self._unread = data[at:]

    def _frame(self, first: int, payload: bytes) -> None:
        if first in {0x81, 0x82}:
            self._frames.append(payload)
            if len(self._frames) == 1:
                header = orjson.loads(payload)
                self._kind = header["msgtype"]
                self._due = 3 + 2 * header.get("num_buffers", 0)
            elif len(self._frames) == self._due:
                content = self._frames[2]
                self._frames = []
                self._message(self._kind, content)
        elif first == 0x89:
            self._write(0x8A, payload)
        elif first == 0x88:
            self._fail(f"the server closed: {payload!r}")
            if self._transport is not None:
                self._transport.close()
        elif first != 0x8A:
            self._fail(f"a frame that this client does not read: {first:#x}")

    def _message(self, kind: str, content: bytes) -> None:
        if kind == "ERROR":
            self._fail(content.decode())
        elif self.listener is not None:
            self.listener(kind, content)
        elif kind == self._wanted and not self._answer.done():
            self._answer.set_result(content)

    def _fail(self, reason: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(ConnectionError(reason))
        elif self.listener is not None:
            self.listener("ERROR", reason.encode())

    # What we do.

    def _write(self, first: int, *payloads: bytes) -> None:
        if self._transport is None:
            return
        parts: list[bytes] = []
        for payload in payloads:
            size = len(payload)
            if size < 126:
                head = bytes((first, 0x80 | size))
            else:
                head = bytes((first, 0xFE)) + size.to_bytes(2)
            parts += (head, b"\0\0\0\0", payload)
        self._transport.write(b"".join(parts))

    def send(self, kind: str, content: bytes) -> None:
        """Send a request, in three frames."""
        self._requests += 1
        header = b'{"msgid":"%d","msgtype":"%b"}' % (self._requests, kind.encode())
        self._write(0x81, header, b"{}", content)

    async def answer(self) -> bytes:
        """The content of the message that is waited for: at first the ACK.

        Raises:
            ConnectionError: the server said ERROR, or ended the connection.
        """
        async with asyncio.timeout(_TIMEOUT_S):
            return await self._answer

    async def pull(self) -> bytes:
        """The document, as JSON."""
        self._wanted = "PULL-DOC-REPLY"
        self._answer = asyncio.get_running_loop().create_future()
        self.send("PULL-DOC-REQ", b"{}")
        return await self.answer()

    async def close(self) -> None:
        """Close as a page does that is left, and wait for the end."""
        self.listener = None
        self._write(0x88, (1001).to_bytes(2))
        async with asyncio.timeout(_TIMEOUT_S):
            await self._closed


class Target:
    """Where an application is served."""

    def __init__(self, port: int, path: str) -> None:
        self.port = port
        self.path = path
        self.host = f"localhost:{port}"

    async def page(self) -> str:
        """The application's page, by a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        writer.write(f"GET {self.path} HTTP/1.0\r\nHost: {self.host}\r\n\r\n".encode())
        async with asyncio.timeout(_TIMEOUT_S):
            answer = await reader.read()
        writer.close()
        return answer.decode()

    async def open(self) -> Session:
        """Open a page and connect its websocket, up to the ACK."""
        token = page_token(await self.page())
        session = Session(self, token)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: session, "127.0.0.1", self.port)
        await session.answer()
        return session
