"""A client that sends bytes as they are, answers nothing, and shows every frame that comes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from hyperfocal.wire import Kind, MessageIds, encode
from tests.support.frames import Opcode, message
from tests.support.serving import Running

__all__ = ("RawClient", "info_request")

_ids = MessageIds()


def info_request(fragments: int = 1) -> list[bytes]:
    """The frames of a request that any server answers at once, without its document."""
    frames = encode(Kind.SERVER_INFO_REQ, "{}", msgid=_ids())
    return [piece for frame in frames for piece in message(frame, fragments)]


class RawClient:
    """A websocket without a library that keeps it from doing wrong. Made by ``connect``.

    Attributes:
        status: the status line of the handshake's answer.
        head: its headers, in lower case.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = ""
        self.head = ""
        self._protocol = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
        self._frames: list[Frame] = []

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        server: Running,
        token: str,
        *,
        path: str = "/a",
        headers: Mapping[str, str] | None = None,
        wait: bool = True,
        tls: ssl.SSLContext | None = None,
        unix: str | None = None,
    ) -> AsyncGenerator[RawClient]:
        """Ask for a websocket, and wait for the answer unless told otherwise."""
        if unix is not None:
            reader, writer = await asyncio.open_unix_connection(unix, limit=1 << 26)
        else:
            port = int(server.base.rpartition(":")[2])
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, limit=1 << 26, ssl=tls
            )
        fields = {
            "Host": "x",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol": f"bokeh, {token}",
            **(headers or {}),
        }
        lines = [f"GET {path}/ws HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
        client = cls(reader, writer)
        try:
            await client.send("\r\n".join([*lines, "", ""]).encode())
            if wait:
                await client.handshake()
            yield client
        finally:
            writer.transport.abort()

    async def handshake(self) -> None:
        """Wait for the answer to the handshake."""
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        self.status, _, rest = head.partition("\r\n")
        self.head = rest.lower()

    async def send(self, data: bytes | Iterable[bytes]) -> None:
        self.writer.write(data if isinstance(data, bytes) else b"".join(data))
        await self.writer.drain()

    async def frame(self, timeout_s: float = 10) -> Frame | None:
        """The next frame, or ``None`` when the server has closed the connection."""
        async with asyncio.timeout(timeout_s):
            while not self._frames:
                try:
                    data = await self.reader.read(1 << 16)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._protocol.receive_data(data)
                self._frames += [
                    e for e in self._protocol.events_received() if isinstance(e, Frame)
                ]
        return self._frames.pop(0)

    async def frames(self, count: int) -> list[tuple[Opcode, bytes]]:
        """The next frames, as opcodes and payloads."""
        found: list[tuple[Opcode, bytes]] = []
        for _ in range(count):
            frame = await self.frame()
            assert frame is not None, f"the connection ended after {found}"
            found.append((frame.opcode, bytes(frame.data)))
        return found

    async def end(self) -> int | None:
        """The code of the close frame with which the server ends it, whatever comes before."""
        while (frame := await self.frame()) is not None:
            if frame.opcode is Opcode.CLOSE:
                return int.from_bytes(frame.data[:2]) if frame.data else 1005
        return None

    async def eof(self) -> None:
        """Wait until the server has closed the connection."""
        while await self.frame() is not None:
            pass
