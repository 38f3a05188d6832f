"""Reading in pieces, so that one connection does not keep the event loop from all others.

asyncio reads 256 KiB at once, and libuv goes on for as long as the socket has more, up to 32 times.
That is more than a million frames, or 300,000 requests, before anybody else is served.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

__all__ = ("CHUNK_BYTES", "Chunked")

#: Bytes that a protocol gets at once.
CHUNK_BYTES = 4 * 1024


class _Buffers(threading.local):
    """Where bytes are read, for all connections of an event loop: they are taken out at once."""

    def __init__(self) -> None:
        self.chunk = memoryview(bytearray(CHUNK_BYTES))


_buffers = _Buffers()


class Chunked(asyncio.BufferedProtocol):
    """Takes the place of a protocol on its transport, and gives it bytes in pieces.

    After each piece that is full, everybody else on the event loop has a turn.

    Args:
        protocol: gets the bytes, and all else that the transport has to say.
        transport: the connection, on which the protocol has been made.
        is_paused: whether the protocol wants nothing to be read.
    """

    def __init__(
        self,
        protocol: asyncio.Protocol,
        transport: asyncio.Transport,
        is_paused: Callable[[], bool],
    ) -> None:
        self._protocol = protocol
        self._transport = transport
        self._is_paused = is_paused
        self._loop = asyncio.get_running_loop()
        transport.set_protocol(self)

    def eof_received(self) -> bool | None:
        """The peer sends nothing more."""
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._protocol.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return _buffers.chunk

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self._protocol.data_received(bytes(_buffers.chunk[:nbytes]))
        if nbytes == CHUNK_BYTES and self._is_in_charge and not self._is_paused():
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    @property
    def _is_in_charge(self) -> bool:
        """Whether the connection has not gone to another protocol, or ended."""
        return self._transport.get_protocol() is self and not self._transport.is_closing()

    def _go_on(self) -> None:
        if self._is_in_charge and not self._is_paused():
            self._transport.resume_reading()
