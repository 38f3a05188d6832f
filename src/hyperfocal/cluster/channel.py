"""The way to one process: messages that carry a connection and what has been read of it.

A pair of Unix sockets, made before processes are forked. Every process may send, only one
receives. What has been sent to a process that dies waits for the next in its place.
"""

from __future__ import annotations

import contextlib
import select
import socket

import orjson

from hyperfocal.web.exchange import Arrival

__all__ = ("Channel",)

#: The bound on what may wait in a channel, as far as the system allows it.
_QUEUE_BYTES = 1024 * 1024
#: The most that one message may have. A head of 64 KiB is large; the rest is what came with it.
_MESSAGE_BYTES = 400 * 1024


class Channel:
    """Never blocks, on either side."""

    def __init__(self) -> None:
        # Kinds that keep messages apart; not all systems have the better one.
        kind = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
        self._receiver, self._sender = socket.socketpair(socket.AF_UNIX, kind)
        for end in (self._receiver, self._sender):
            end.setblocking(False)
        self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE_BYTES)
        self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._receiver, select.POLLIN)

    def fileno(self) -> int:
        """The descriptor that becomes readable when something has come."""
        return self._receiver.fileno()

    @property
    def is_empty(self) -> bool:
        """Whether the receiver has taken all that it was sent."""
        return not self._poll.poll(0)

    def send(self, connection: int, arrival: Arrival) -> bool:
        """Send a connection, by its file descriptor.

        Returns:
            Whether it was sent; if not, the channel is full, or the message too large.
        """
        about = orjson.dumps([arrival.client, arrival.server, arrival.scheme])
        message = b"%s\n%s" % (about, arrival.data)
        if len(message) > _MESSAGE_BYTES:
            return False
        try:
            socket.send_fds(self._sender, [message], [connection])
        except OSError:
            return False
        return True

    def receive(self) -> tuple[socket.socket, Arrival] | None:
        """The next connection, if one has come. The caller has to close it."""
        while True:
            try:
                message, descriptors, flags, _ = socket.recv_fds(self._receiver, _MESSAGE_BYTES, 1)
            except BlockingIOError:
                return None
            if not descriptors:
                continue
            connection = socket.socket(fileno=descriptors[0])
            about, newline, data = message.partition(b"\n")
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or not newline:
                connection.close()
                continue
            client, server, scheme = orjson.loads(about)
            connection.setblocking(False)
            # A process that an application starts has no business with it.
            connection.set_inheritable(False)
            arrival = Arrival(
                data, tuple(client) if client else None, tuple(server) if server else None, scheme
            )
            return connection, arrival

    def close(self) -> None:
        """Close both ends, for this process."""
        with contextlib.suppress(KeyError):
            self._poll.unregister(self._receiver)
        self._receiver.close()
        self._sender.close()
