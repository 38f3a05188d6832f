"""The native transport: the frames of one client, straight between the socket and its connection.

The I/O loop reads, and gives what one read has brought to the connection, whose messages are
carried out in turns. A turn thread writes what turns have offered by itself, straight to the socket
(``write_collected``), where nothing else waits to be written; otherwise the I/O loop does, which
also writes pings and everything over TLS. Works over anything that asyncio can read and write: TCP,
TLS, Unix sockets. ``web/handover.py`` makes the handshake.

``_guard`` guards the way out: whoever takes from the outbox and writes holds it, and so does
whoever ends the connection, because the number of a socket that is closed is soon another's.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import socket
import threading
from enum import Enum, auto
from typing import Any

from hyperfocal.connection import Connection, Outbox
from hyperfocal.errors import PeerError, SessionGoneError
from hyperfocal.web.frames import (
    Closing,
    Event,
    FrameReader,
    Ping,
    wrap,
    wrap_close,
    wrap_ping,
    wrap_pong,
)
from hyperfocal.web.heartbeat import Heartbeat
from hyperfocal.web.transport import ABNORMAL, CLOSE_TIMEOUT_S, MOST_READS, Connect, closing_of
from hyperfocal.wire import Frame, unpacked

__all__ = ("NativeTransport",)

#: Tells every frame, at ``--log-level trace``.
_frames_log = logging.getLogger("hyperfocal.frames")

#: More than this is not copied together for one write.
_MAX_JOINED_BYTES = 64 * 1024
#: Events that go to the connection. A union would be made anew for each frame.
_MESSAGES = (str, bytes)
#: Seconds of silence after which a peer that made a mistake has had its say.
_QUIET_S = 0.1


#: send(2), which keeps the interpreter. A call that lets it go would have to wait until the event
#: loop lets it go again, and the loop has nothing to do but to fetch it for a moment.
_c_send = ctypes.PyDLL(None, use_errno=True).send
_c_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_c_send.restype = ctypes.c_ssize_t
_SEND_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)


class _Phase(Enum):
    OPEN = auto()
    #: Our close frame has been sent; the peer has some time to answer it.
    CLOSING = auto()
    #: Nothing is read or written any more; the socket may still have something to send.
    CLOSED = auto()


_OPEN = _Phase.OPEN


class NativeTransport(asyncio.BufferedProtocol):
    """The protocol of an upgraded connection.

    Args:
        connect: makes the connection, given its outbox.
        outbox_bytes: the outbox's bound.
        message_bytes: the most that a message of the client may have.
        heartbeat: tells when to ping; a client from which nothing is heard until the next beat is
            dropped.
        connections: where those are that have to be shut down when the server ends.
    """

    def __init__(
        self,
        connect: Connect,
        outbox_bytes: int,
        message_bytes: int,
        heartbeat: Heartbeat,
        connections: set[Any],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(message_bytes)
        self._outbox = Outbox(outbox_bytes, self._wake)
        self._connection: Connection = connect(self._outbox)
        self._collect = self._connection.engine.collector
        self._connections = connections
        self._heartbeat = heartbeat
        self._tells = _frames_log.isEnabledFor(logging.DEBUG)
        self._transport: Any = None
        self._phase = _Phase.OPEN
        self._guard = threading.RLock()  # a transport may say within write() that it takes more
        self._fd = -1  # to which threads write; -1: they do not
        self._is_collected = False  # the engine knows that there is something to write
        self._full = False  # the socket takes no more for now
        self._rest = b""  # of what a thread has written, what the socket did not take
        self._pongs: list[bytes] = []
        self._read = 0  # reads whose messages were given to the connection, counted by the loop
        self._failure: BaseException | None = None  # of a message, until the loop has heeded it
        self._carried_out = 0  # those that are done, counted by whoever has the session's mailbox
        self._is_paused = False
        self._behind: list[Event] = []  # what comes after messages that are still to be carried out
        self._is_broken = False  # the peer speaks no websocket any more
        self._heard = True  # since the last ping
        self._unsent = 0  # bytes that the socket had not taken at the last ping
        self._deadline: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport) -> None:
        """Take over this transport, on which the websocket has been accepted."""
        self._transport = transport
        self._connections.add(self)
        transport.set_protocol(self)
        found = transport.get_extra_info("socket")
        if found is not None and transport.get_extra_info("sslcontext") is None:
            self._fd = found.fileno()
        try:
            self._connection.open()
        except (PeerError, SessionGoneError) as error:
            self._fail(error)
        self.write_on_loop()
        self._heartbeat.add(self)

    def shutdown(self) -> None:
        """The server ends: say so behind what is queued, and close. Called by uvicorn."""
        self._outbox.close(1012, "")
        self.write_on_loop()
        self._close(1012, "")  # a client that does not read gets nothing else
        self._leave()

    # --- what the event loop tells ---------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self._heard = True
        events = self._reader.received(nbytes)
        if not events:
            return
        if self._phase is not _Phase.OPEN:
            self._leave_with(events)
            return
        messages: list[Frame] = events  # type: ignore[assignment]
        if self._reader.has_others:
            messages = self._heed_all(events)
        if messages:
            self._receive(messages)

    def eof_received(self) -> None:
        """The peer sends nothing more; the event loop closes the connection."""

    def pause_writing(self) -> None:
        """The client does not keep up: what comes waits in the outbox, which has a bound."""
        self._full = True

    def resume_writing(self) -> None:
        """The socket takes more."""
        with self._guard:
            self._full = False
            self._outbox.sent()
        self.write_on_loop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        with self._guard:
            self._phase = _Phase.CLOSED
            self._fd = -1
        self._connections.discard(self)
        self._heartbeat.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        self._reader.close()
        self._connection.closed(ABNORMAL)

    # --- in --------------------------------------------------------------------------------------

    @property
    def _is_served(self) -> bool:
        """Whether the client's requests are still carried out."""
        return self._phase is _Phase.OPEN and self._outbox.closing is None

    def _receive(self, messages: list[Frame]) -> None:
        """Have these messages carried out; while many wait, nothing more is read."""
        if self._phase is not _OPEN or self._outbox.closing is not None:
            return
        if self._tells:
            for message in messages:
                _tell("<", message)
        self._read += 1
        if self._read - self._carried_out >= MOST_READS and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._connection.receive(messages, self._done)

    def _done(self, error: BaseException | None) -> None:
        """The messages of one read have been carried out. In any thread."""
        if error is not None:
            self._failure = error
        self._carried_out += 1
        # The loop does the same the other way round: it says what it waits for, then looks.
        if (
            error is not None
            or (self._behind and self._read == self._carried_out)
            or (self._is_paused and self._read - self._carried_out <= MOST_READS // 2)
        ):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        """On the I/O loop, after messages have been carried out."""
        failure, self._failure = self._failure, None
        if failure is not None and self._phase is _Phase.OPEN:
            self._fail(failure)
            self.write_on_loop()
        if self._read == self._carried_out and self._behind:
            behind, self._behind = self._behind, []
            for event in behind:
                self._heed_late(event)
        if self._is_paused and self._read - self._carried_out <= MOST_READS // 2:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _heed_all(self, events: list[Event]) -> list[Frame]:
        """Heed what is the transport's own; gives the messages. What ends the connection waits."""
        messages: list[Frame] = []
        ends: list[Event] = []
        for event in events:
            if isinstance(event, Ping):
                if not self._full:  # a client that does not read gets no answers that pile up
                    self._pongs.append(wrap_pong(event.payload))
            elif isinstance(event, _MESSAGES):
                messages.append(event)
            else:
                ends.append(event)
        if self._pongs:
            self.write_on_loop()
        if not ends:
            return messages
        if messages and self._is_served:
            self._receive(messages)
        self._behind += ends
        self._go_on()
        return []

    def _heed_late(self, event: Event) -> None:
        """The client ends the connection, or has made a mistake."""
        if self._phase is not _Phase.OPEN:
            self._leave_with([event])
        elif isinstance(event, Closing):
            self._closed_by_peer(event)
        elif isinstance(event, PeerError):
            self._is_broken = True
            self._fail(event)
            self.write_on_loop()

    def _fail(self, error: BaseException) -> None:
        """End the connection, with the code of whose fault it is."""
        self._outbox.close(*closing_of(error))

    # --- out -------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """The outbox has something. From any thread."""
        if not self._is_collected:
            self._is_collected = True
            self._collect(self)

    def write_collected(self) -> bool:
        """See ``Sink``: straight to the socket, where nothing stands in the way."""
        if self._fd < 0 or self._tells or self._pongs:
            return False
        with self._guard:
            self._is_collected = False
            if (
                self._fd < 0
                or self._full
                or self._phase is not _OPEN
                or self._outbox.closing is not None
                or self._outbox.queued_bytes > _MAX_JOINED_BYTES
                or self._has_unsent()
            ):
                return False
            frames = self._outbox.take()
            if not frames:
                return True
            data = b"".join(wrap(frames))
            sent = _c_send(self._fd, data, len(data), _SEND_FLAGS)
            if sent == len(data):
                self._outbox.sent()
                return True
            if sent < 0:
                if ctypes.get_errno() not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR):
                    self._outbox.sent()
                    return True  # the loop finds out by itself
                sent = 0
            self._full = True  # nobody writes until the loop has written the rest
            self._rest = data[sent:]
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._write_rest)
        return True

    def _has_unsent(self) -> bool:
        """Whether the transport still has something to write, or has ended."""
        try:
            return bool(self._transport.get_write_buffer_size())
        except RuntimeError:
            return True

    def _write_rest(self) -> None:
        with self._guard:
            if self._rest:
                self._full = False  # unless it is too much for the transport, which then says so
                self._hand_over_rest()
                if not self._full:
                    self._outbox.sent()
        self.write_on_loop()

    def _hand_over_rest(self) -> None:
        """Have the transport write the rest of what a thread has begun. With the guard held."""
        rest, self._rest = self._rest, b""
        if rest and self._phase is not _Phase.CLOSED:
            self._transport.write(rest)

    def write_on_loop(self) -> None:
        """Send all that waits, in one write, and the close frame if that is what comes next."""
        with self._guard:
            self._is_collected = False
            if self._phase is not _Phase.OPEN:
                return
            if not self._full:
                frames = self._outbox.take()
                if frames or self._pongs:
                    self._send(frames)
        closing = self._outbox.closing
        if closing is not None and (self._outbox.overflowed or not self._full):
            self._close(closing.code, closing.reason)

    def _send(self, frames: list[Frame]) -> None:
        if self._tells:
            for frame in unpacked(frames):
                _tell(">", frame)
        parts = wrap(frames)
        if self._pongs:
            parts += self._pongs
            self._pongs.clear()
        if self._outbox.queued_bytes <= _MAX_JOINED_BYTES:
            self._transport.write(b"".join(parts))
        else:
            self._transport.writelines(parts)
        if not self._full:  # otherwise they count until the socket has taken them
            self._outbox.sent()

    def beat(self) -> None:
        """Ping, unless nothing came of the ping before."""
        if self._phase is not _Phase.OPEN:
            return
        unsent = self._transport.get_write_buffer_size()
        # A client that is busy with what we send, or that we do not listen to, is alive.
        # One whose close frame waits until it reads has no more to say.
        heard = self._heard and self._outbox.closing is None
        alive = heard or self._is_paused or 0 < unsent != self._unsent
        if not alive:
            self._close(1011, "no answer to pings")
            return
        self._heard = False
        self._unsent = unsent
        with self._guard:
            if not self._full:
                self._transport.write(wrap_ping())

    # --- the end ---------------------------------------------------------------------------------

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame, behind what has been written."""
        with self._guard:
            if self._phase is not _Phase.OPEN:
                return
            self._hand_over_rest()
            self._phase = _Phase.CLOSING
            self._fd = -1
            self._transport.write(wrap_close(code, reason))
        self._connection.closed(code, reason)
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()  # so that the peer's answer is seen
        self._abort_later()
        if self._is_broken:
            self._leave_when_quiet()

    def _leave_when_quiet(self) -> None:
        """Close the socket when nothing comes any more; what comes is not looked at.

        An answer would not be understood, and with unread bytes the system would end the
        connection in a way that keeps the peer from seeing our close frame.
        """
        if self._phase is not _Phase.CLOSING:
            return
        if self._heard:
            self._heard = False
            self._loop.call_later(_QUIET_S, self._leave_when_quiet)
        else:
            self._leave()

    def _closed_by_peer(self, closing: Closing) -> None:
        self.write_on_loop()  # what has been asked for before
        with self._guard:
            was_open = self._phase is _Phase.OPEN
            if was_open:
                self._hand_over_rest()
                self._phase = _Phase.CLOSING
                self._fd = -1
                self._transport.write(wrap_close(closing.code, closing.reason))
        if was_open:
            self._connection.closed(closing.code, closing.reason)
        self._leave()

    def _leave_with(self, rest: list[Event]) -> None:
        """We have sent a close frame: leave if the peer has answered it, or sent its own."""
        if self._phase is _Phase.CLOSING and rest and isinstance(rest[-1], Closing | PeerError):
            self._leave()

    def _leave(self) -> None:
        """Close the socket once it has taken what has been written."""
        with self._guard:
            self._phase = _Phase.CLOSED
            self._fd = -1
        self._transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        if self._deadline is None:
            self._deadline = self._loop.call_later(CLOSE_TIMEOUT_S, self._transport.abort)


def _tell(direction: str, message: Frame) -> None:
    kind = "TEXT" if isinstance(message, str) else "BINARY"
    shown = message if len(message) <= 200 else message[:200]
    _frames_log.debug("%s %s %r [%d]", direction, kind, shown, len(message))
