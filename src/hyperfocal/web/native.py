"""The native transport: the frames of one client, straight between the socket and its connection.

From the bytes that a client sends to the bytes of the reply is one plain call, and whatever is
ready leaves in one write. Works over anything that asyncio can read and write: TCP, TLS, Unix
sockets. ``web/handover.py`` makes the handshake.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable
from enum import Enum, auto
from typing import Any

from hyperfocal.connection import Connection, Outbox
from hyperfocal.errors import PeerError, SessionGoneError
from hyperfocal.telemetry import log_failure
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
from hyperfocal.web.transport import ABNORMAL, CLOSE_TIMEOUT_S, FRAMES_IN_A_ROW, Connect
from hyperfocal.wire import Frame

__all__ = ("NativeTransport",)

_log = logging.getLogger("hyperfocal")
#: Tells every frame, at ``--log-level trace``.
_frames_log = logging.getLogger("hyperfocal.frames")

#: More than this is not copied together for one write.
_MAX_JOINED_BYTES = 64 * 1024
#: Events that go to the connection. A union would be made anew for each frame.
_MESSAGES = (str, bytes)
#: Seconds of silence after which a peer that made a mistake has had its say.
_QUIET_S = 0.1


class _Phase(Enum):
    OPEN = auto()
    #: Our close frame has been sent; the peer has some time to answer it.
    CLOSING = auto()
    #: Nothing is read or written any more; the socket may still have something to send.
    CLOSED = auto()


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
        self._context = contextvars.copy_context()  # of nobody's turn
        self._reader = FrameReader(message_bytes)
        self._outbox = Outbox(outbox_bytes, self._wake)
        self._connection: Connection = connect(self._outbox)
        self._connections = connections
        self._heartbeat = heartbeat
        self._tells = _frames_log.isEnabledFor(logging.DEBUG)
        self._transport: Any = None
        self._phase = _Phase.OPEN
        self._scheduled = False  # a write is due on the loop
        self._carrying_out = False  # frames are at hand whose replies leave with one write
        self._full = False  # the socket takes no more for now
        self._pongs: list[bytes] = []
        self._backlog: list[Event] = []  # what one read brought and is still to be carried out
        self._catching_up: asyncio.Task[None] | None = None
        self._is_broken = False  # the peer speaks no websocket any more
        self._heard = True  # since the last ping
        self._unsent = 0  # bytes that the socket had not taken at the last ping
        self._deadline: asyncio.TimerHandle | None = None

    def start(self, transport: asyncio.Transport) -> None:
        """Take over this transport, on which the websocket has been accepted."""
        self._transport = transport
        self._connections.add(self)
        transport.set_protocol(self)
        self._carrying_out = True
        try:
            self._connection.open()
        except SessionGoneError as error:
            self._outbox.close(1001, str(error)[:120])
        except Exception as error:
            self._fail(error)
        self._carrying_out = False
        self._flush()
        self._heartbeat.add(self)

    def shutdown(self) -> None:
        """The server ends: say so behind what is queued, and close. Called by uvicorn."""
        self._outbox.close(1012, "")
        self._flush()
        self._close(1012, "")  # a client that does not read gets nothing else
        self._leave()

    # --- what the event loop tells ------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come. Whatever they ask for is done before this returns, if it can be."""
        self._heard = True
        events = self._reader.received(nbytes)
        if self._catching_up is not None and self._phase is _Phase.OPEN:
            self._backlog += events  # decrypted before reading was paused
            return
        waiting, rest = self._carry_out(events)
        self._flush()
        if waiting is not None or (rest and self._phase is _Phase.OPEN):
            self._transport.pause_reading()
            self._catching_up = self._loop.create_task(self._catch_up(waiting, rest))
        else:
            self._leave_with(rest)

    def eof_received(self) -> None:
        """The peer sends nothing more; the event loop closes the connection."""

    def pause_writing(self) -> None:
        """The client does not keep up: what comes waits in the outbox, which has a bound."""
        self._full = True

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._full = False
        self._outbox.sent()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._phase = _Phase.CLOSED
        self._connections.discard(self)
        self._heartbeat.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._reader.close()
        self._connection.closed(ABNORMAL)

    # --- in -----------------------------------------------------------------------------------

    def _carry_out(self, events: list[Event]) -> tuple[Awaitable[None] | None, list[Event]]:
        """Carry out the first few of what has come.

        Returns:
            what to await before going on, if anything, and what is left.
        """
        waiting: Awaitable[None] | None = None
        done = 0
        outbox, receive = self._outbox, self._connection.receive
        self._carrying_out = True
        for event in events[:FRAMES_IN_A_ROW]:
            if waiting is not None or outbox.closing is not None or self._phase is not _Phase.OPEN:
                break
            done += 1
            try:
                if isinstance(event, _MESSAGES):
                    if self._tells:
                        _tell("<", event)
                    waiting = receive(event)
                else:
                    self._heed(event)
            except Exception as error:
                self._fail(error)
        self._carrying_out = False
        return waiting, events[done:]

    def _heed(self, event: Ping | Closing | PeerError) -> None:
        if isinstance(event, Ping):
            if not self._full:  # a client that does not read gets no answers that would pile up
                self._pongs.append(wrap_pong(event.payload))
        elif isinstance(event, Closing):
            self._closed_by_peer(event)
        else:
            self._is_broken = True
            raise event

    @property
    def _is_served(self) -> bool:
        """Whether the client's requests are still carried out."""
        return self._phase is _Phase.OPEN and self._outbox.closing is None

    async def _catch_up(self, waiting: Awaitable[None] | None, rest: list[Event]) -> None:
        """Carry out what has been read; nothing more is read meanwhile."""
        self._backlog = rest
        while waiting is not None or (self._backlog and self._is_served):
            try:
                await (waiting if waiting is not None else asyncio.sleep(0))
            except Exception as error:
                self._fail(error)
            waiting, rest = self._carry_out(self._backlog)
            self._backlog = rest
            self._flush()
        self._catching_up = None
        rest, self._backlog = self._backlog, []
        self._leave_with(rest)
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _fail(self, error: Exception) -> None:
        """End the connection, with the code of whose fault it is."""
        if isinstance(error, PeerError):
            self._outbox.close(error.close_code, error.reason)
            return
        log_failure(_log, logging.ERROR, "A message of a client failed", error=error)
        self._outbox.close(1011, "")

    # --- out ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._scheduled and not self._carrying_out:
            self._scheduled = True
            self._loop.call_soon(self._flush, context=self._context)

    def _flush(self) -> None:
        """Send all that waits, in one write, and the close frame if that is what comes next."""
        self._scheduled = False
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
            for frame in frames:
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
        alive = heard or self._catching_up is not None or 0 < unsent != self._unsent
        if not alive:
            self._close(1011, "no answer to pings")
            return
        self._heard = False
        self._unsent = unsent
        if not self._full:
            self._transport.write(wrap_ping())

    # --- the end ------------------------------------------------------------------------------

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame, behind what has been written."""
        if self._phase is not _Phase.OPEN:
            return
        self._phase = _Phase.CLOSING
        self._connection.closed(code, reason)
        self._transport.write(wrap_close(code, reason))
        if self._catching_up is not None:
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
        if self._phase is _Phase.OPEN:
            self._carrying_out = False
            self._flush()  # what has been asked for before
        if self._phase is _Phase.OPEN:
            self._phase = _Phase.CLOSING
            self._connection.closed(closing.code, closing.reason)
            self._transport.write(wrap_close(closing.code, closing.reason))
        self._leave()

    def _leave_with(self, rest: list[Event]) -> None:
        """We have sent a close frame: leave if the peer has answered it, or sent its own."""
        if self._phase is _Phase.CLOSING and rest and isinstance(rest[-1], Closing | PeerError):
            self._leave()

    def _leave(self) -> None:
        """Close the socket once it has taken what has been written."""
        self._phase = _Phase.CLOSED
        self._transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        if self._deadline is None:
            self._deadline = self._loop.call_later(CLOSE_TIMEOUT_S, self._transport.abort)


def _tell(direction: str, message: Frame) -> None:
    kind = "TEXT" if isinstance(message, str) else "BINARY"
    shown = message if len(message) <= 200 else message[:200]
    _frames_log.debug("%s %s %r [%d]", direction, kind, shown, len(message))
