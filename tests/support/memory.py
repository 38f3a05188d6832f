"""A socket in memory, for protocols: what is written is kept, and nothing moves by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

__all__ = ("MemoryTransport",)


class MemoryTransport(asyncio.Transport):
    """The server's end of a connection.

    Attributes:
        writes: the bytes of each write, in order.
        reading: whether the protocol lets bytes come.
        full: set it, and what is written stays, as with a peer that does not read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.reading = True
        self.full = False
        self.closed = False
        self.aborted = False
        self._protocol: Any = None
        self._client = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)

    # --- what a protocol asks of it -----------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        if self.full:
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return 1 if self.full else 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    # --- what the peer and the system do --------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Bytes have come from the peer."""
        while data:
            buffer = self._protocol.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            data = data[size:]
            self._protocol.buffer_updated(size)

    def drain(self) -> None:
        """The peer reads again."""
        self.full = False
        self._protocol.resume_writing()

    def lose(self) -> None:
        """The connection breaks."""
        self.closed = True
        self._protocol.connection_lost(None)

    def heard(self) -> list[list[Frame]]:
        """The frames that the peer has got since it last looked, write by write."""
        writes, self.writes = self.writes, []
        found: list[list[Frame]] = []
        for data in writes:
            self._client.receive_data(data)
            events = self._client.events_received()
            found.append([event for event in events if isinstance(event, Frame)])
        return found
