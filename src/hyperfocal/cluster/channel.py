"""The way to one process: messages that carry a connection and what has been read of it.

A pair of Unix sockets, made before processes are forked. Every process may send, only one
receives. What has been sent to a process that dies waits for the next in its place.
"""

from __future__ import annotations

import contextlib
import select
import socket
from dataclasses import dataclass
from enum import IntEnum

import orjson

from hyperfocal.web.exchange import Arrival

__all__ = ("Channel", "Note", "Word")

#: The bound on what may wait in a channel, as far as the system allows it.
_QUEUE_BYTES = 1024 * 1024
#: The most that one message may have. A head of 64 KiB is large; the rest is what came with it.
_MESSAGE_BYTES = 400 * 1024


class Word(IntEnum):
    """What a note says."""

    #: A connection with a ticket has been received, by the process with this number of starts.
    TAKEN = 1
    #: It is being answered, or is no more.
    ANSWERED = 2
    #: The process in a slot has died, the one with this number of starts.
    DIED = 3
    #: The process is to show that its event loop runs.
    ASKED = 4


@dataclass(frozen=True, slots=True)
class Note:
    """A message without a connection.

    Attributes:
        word: what it says.
        about: a ticket, or a slot.
        starts: which of the processes that have been in a slot.
    """

    word: Word
    about: int
    starts: int = 0


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

    def is_empty(self) -> bool:
        """Whether the receiver has taken all that it was sent."""
        return not self._poll.poll(0)

    def send(self, connection: int, arrival: Arrival) -> bool:
        """Send a connection, by its file descriptor.

        Returns:
            Whether it was sent; if not, the channel is full, or the message too large.
        """
        about = orjson.dumps(
            [arrival.client, arrival.server, arrival.scheme, arrival.ticket, arrival.asked]
        )
        message = b"%s\n%s" % (about, arrival.data)
        if len(message) > _MESSAGE_BYTES:
            return False
        try:
            socket.send_fds(self._sender, [message], [connection])
        except OSError:
            return False
        return True

    def notify(self, note: Note) -> bool:
        """Send a note. Returns whether there was room."""
        try:
            self._sender.send(orjson.dumps([note.word, note.about, note.starts]))
        except OSError:
            return False
        return True

    def receive(self) -> tuple[socket.socket, Arrival] | Note | None:
        """The next message, if one has come. The caller has to close the connection."""
        while True:
            try:
                message, descriptors, flags, _ = socket.recv_fds(self._receiver, _MESSAGE_BYTES, 1)
            except BlockingIOError:
                return None
            if not descriptors:
                note = _note(message)
                if note is None:
                    continue
                return note
            connection = socket.socket(fileno=descriptors[0])
            about, newline, data = message.partition(b"\n")
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or not newline:
                connection.close()
                continue
            client, server, scheme, ticket, asked = orjson.loads(about)
            connection.setblocking(False)
            # A process that an application starts has no business with it.
            connection.set_inheritable(False)
            return connection, Arrival(
                data,
                tuple(client) if client else None,
                tuple(server) if server else None,
                scheme,
                ticket,
                tuple(asked),
            )

    def close(self) -> None:
        """Close both ends, for this process."""
        with contextlib.suppress(KeyError):
            self._poll.unregister(self._receiver)
        self._receiver.close()
        self._sender.close()


def _note(message: bytes) -> Note | None:
    """A note; ``None`` for what should have had a connection, for which there is no descriptor."""
    try:
        word, about, starts = orjson.loads(message)
        return Note(Word(word), about, starts)
    except ValueError:
        return None
