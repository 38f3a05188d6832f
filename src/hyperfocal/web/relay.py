"""For connections that cannot move: their bytes are passed on, both ways.

The keys of a TLS connection live in the process that accepted it. The other process gets one end
of a pair of sockets in place of the connection, and this one moves bytes between both, at the
pace of the slower side.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from hyperfocal.web.exchange import Arrival, Way

__all__ = ("relay",)


def relay(transport: asyncio.Transport, connections: set[Any], way: Way, arrival: Arrival) -> bool:
    """Pass on what this transport brings, and bring what comes back.

    Args:
        transport: the connection to the client.
        connections: where those are that have to be shut down when the server ends.
        way: to the process that answers the client.
        arrival: what has been read.

    Returns:
        Whether the other process is told; if not, nothing has happened.

    When that process ends without a word, the client is told what ``Way.crashed`` says.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        if not way.send(theirs.fileno(), arrival):
            ours.close()
            return False
    transport.pause_reading()
    crashed = way.crashed
    outer, inner = _Side(connections), _Side(connections)
    inner.last_words = crashed.response() if crashed is not None else b""
    outer.other, inner.other = inner, outer
    transport.set_protocol(outer)
    outer.connection_made(transport)
    loop = asyncio.get_running_loop()
    outer.connecting = loop.create_task(_connect(loop, ours, outer, inner))
    return True


async def _connect(
    loop: asyncio.AbstractEventLoop, ours: socket.socket, outer: _Side, inner: _Side
) -> None:
    try:
        await loop.connect_accepted_socket(lambda: inner, ours)
    except OSError:
        ours.close()
        outer.transport.abort()
        return
    if outer.transport.is_closing():
        inner.transport.close()
    else:
        outer.transport.resume_reading()


class _Side(asyncio.Protocol):
    """One side of a relay; what it hears, the other says."""

    def __init__(self, connections: set[Any]) -> None:
        self._connections = connections
        self.transport: Any = None
        self.other: Any = None
        self.connecting: asyncio.Task[None] | None = None
        #: To be said to the other side if nothing else is.
        self.last_words = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self.last_words = b""
        if not self.other.transport.is_closing():
            self.other.transport.write(data)

    def eof_received(self) -> None:
        """Nothing more comes: the transport closes, and the other side with it."""

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self.other.transport is not None:
            if self.last_words and not self.other.transport.is_closing():
                self.other.transport.write(self.last_words)
            self.other.transport.close()  # once it has taken what was written

    def shutdown(self) -> None:
        """The server ends. The process at the other end knows, and has the last word."""
