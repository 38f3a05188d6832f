"""The native transport: picows moves the frames, on the connection that uvicorn has accepted.

Uvicorn reads the handshake and runs the application up to the point where it would accept the
websocket; routing, origins, tokens and refusals are the same as on the ASGI transport. Then the
connection is handed over: from the bytes that a client sends to the bytes of the reply is one
plain call, and whatever is ready leaves in one write.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows import picows as _picows
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hyperfocal.connection import Connection, Outbox
from hyperfocal.errors import InvalidDataError, PeerError, ProtocolError, SessionGoneError
from hyperfocal.web.frames import Assembler, wrap
from hyperfocal.web.websocket import ABNORMAL, CLOSE_TIMEOUT_S, FRAMES_IN_A_ROW, TAKE_OVER
from hyperfocal.wire import Frame

__all__ = ("NativeProtocol",)

_log = logging.getLogger("hyperfocal")
#: Tells every frame, at ``--log-level trace``.
_frames_log = logging.getLogger("hyperfocal.frames")

_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})
#: Closed with a close frame that says no more (RFC 6455 section 7.1.5).
_NO_CODE = 1005
#: More than this is not copied together for one write.
_MAX_JOINED_BYTES = 64 * 1024
#: Bytes of a connection's read buffer at first; it grows with what comes in one go.
_READ_BUFFER_BYTES = 4096
#: Sent to clients when the server ends; the same code as on the ASGI transport.
_SHUTDOWN_CODE = 1012


class _Quiet:
    """What picows logs of every connection, we emit as events; only our own failures are logged."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def log(self, *args: Any) -> None: ...

    debug = info = warning = error = log

    def exception(self, message: str, *args: Any) -> None:
        _log.exception(message, *args)


_quiet = _Quiet()


class _Transport(WSListener):
    """Moves frames between picows and one connection.

    Args:
        connect: makes the connection, given its outbox.
        outbox_bytes: the outbox's bound.
        message_bytes: the most that a message of the client may have.
        ended: called when the socket is closed.
    """

    def __init__(
        self,
        connect: Callable[[Outbox], Connection],
        outbox_bytes: int,
        message_bytes: int,
        ended: Callable[[], None],
    ) -> None:
        self._outbox = Outbox(outbox_bytes, self._wake)
        self._connection = connect(self._outbox)
        self._assembler = Assembler(message_bytes)
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._ws: Any = None
        self._tells = _frames_log.isEnabledFor(logging.DEBUG)
        self._scheduled = False  # a write is due on the loop
        self._receiving = False  # frames are at hand whose replies leave with one write
        self._full = False  # the socket takes no more for now
        self._in_flight: list[Frame] = []  # written, but not taken by the socket yet
        self._row = 0
        self._backlog: deque[Frame] = deque()
        self._catching_up: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None  # we have sent a close frame
        self._code: tuple[int, str] | None = None  # how it ended, once that is known

    # --- what picows tells ------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The websocket is open."""
        self._ws = transport
        try:
            self._connection.open()
        except SessionGoneError as error:
            self._outbox.close(1001, str(error)[:120])

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame has come; the client's messages are carried out before this returns."""
        if self._code is not None or self._closing is not None or transport.is_close_frame_sent:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        self._receiving = True
        try:
            message = self._message(frame)
            if message is not None:
                self._take(message)
        except PeerError as error:
            self._outbox.close(error.close_code, error.reason)
        finally:
            self._receiving = False
        if frame.last_in_buffer:
            self._row = 0
            self._write()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is closed."""
        if self._closing is not None:
            self._closing.cancel()
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._end(*self._how_it_ended(transport))
        self._ended()

    def pause_writing(self) -> None:
        """The client does not keep up: what comes waits in the outbox, which has a bound."""
        self._full = True

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._full = False
        self._outbox.sent(self._in_flight)
        self._in_flight = []
        self._write()

    # --- in -----------------------------------------------------------------------------------

    def _message(self, frame: WSFrame) -> Frame | None:
        """The message that a frame completes, if it does; answers control frames."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise ProtocolError("a reserved bit of a frame is set")
        kind = frame.msg_type
        if kind in _DATA:
            if not self._assembler.idle or not frame.fin:
                self._assembler.begin(frame.get_payload_as_bytes(), text=kind == WSMsgType.TEXT)
                return None
            if kind == WSMsgType.BINARY:
                return frame.get_payload_as_bytes()
            try:
                return frame.get_payload_as_utf8_text()
            except UnicodeDecodeError as error:
                raise InvalidDataError("a text message is not UTF-8") from error
        if kind == WSMsgType.CONTINUATION:
            return self._assembler.go_on(frame.get_payload_as_bytes(), last=bool(frame.fin))
        if kind == WSMsgType.PING:
            # A client that does not read gets no answers that would pile up.
            if not self._full:
                self._ws.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            self._closed_by_peer(frame)
        return None

    def _closed_by_peer(self, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        self._ws.send(WSMsgType.CLOSE, payload)  # an echo; picows has checked it
        if payload:
            self._end(int.from_bytes(payload[:2], "big"), payload[2:].decode())
        else:
            self._end(_NO_CODE, "")
        self._ws.disconnect()

    def _take(self, message: Frame) -> None:
        if self._tells:
            _tell("<", message)
        self._row += 1
        if self._catching_up is not None:
            self._backlog.append(message)
        elif self._row > FRAMES_IN_A_ROW:
            self._backlog.append(message)
            self._catch_up_after(None)
        else:
            waiting = self._connection.receive(message)
            if waiting is not None:
                self._catch_up_after(waiting)

    def _catch_up_after(self, waiting: Awaitable[None] | None) -> None:
        """Read nothing more until what has been read is carried out."""
        self._ws.underlying_transport.pause_reading()
        self._catching_up = self._loop.create_task(self._catch_up(waiting))

    async def _catch_up(self, waiting: Awaitable[None] | None) -> None:
        try:
            if waiting is not None:
                await waiting
            self._write()
            await asyncio.sleep(0)
            done = 0
            while self._backlog and self._code is None:
                waiting = self._connection.receive(self._backlog.popleft())
                if waiting is not None:
                    await waiting
                done += 1
                if done % FRAMES_IN_A_ROW == 0:
                    self._write()
                    await asyncio.sleep(0)
        except PeerError as error:
            self._outbox.close(error.close_code, error.reason)
        except Exception:
            _log.exception("a message of a client failed")
            self._outbox.close(1011, "")
        self._catching_up = None
        self._backlog.clear()
        self._ws.underlying_transport.resume_reading()
        self._write()

    # --- out ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._scheduled and not self._receiving:
            self._scheduled = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        """Send all that waits, in one write, and the close frame if that is what comes next."""
        self._scheduled = False
        if self._ws is None or self._closing is not None or self._code is not None:
            return
        if not self._full:
            frames = self._outbox.take()
            if frames:
                self._send(frames)
        closing = self._outbox.closing
        if closing is not None and (self._outbox.overflowed or not self._full):
            self._close(closing.code, closing.reason)

    def _send(self, frames: list[Frame]) -> None:
        if self._tells:
            for frame in frames:
                _tell(">", frame)
        parts = wrap(frames)
        transport = self._ws.underlying_transport
        if self._outbox.queued_bytes <= _MAX_JOINED_BYTES:
            transport.write(b"".join(parts))
        else:
            transport.writelines(parts)
        if self._full:
            self._in_flight += frames  # they count against the bound until they have left
        else:
            self._outbox.sent(frames)

    # --- the end ------------------------------------------------------------------------------

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame; the peer has some time to answer it."""
        self._end(code, reason)
        self._ws.send_close(code, reason)
        abort = self._ws.underlying_transport.abort
        self._closing = self._loop.call_later(CLOSE_TIMEOUT_S, abort)

    def _end(self, code: int, reason: str) -> None:
        if self._code is None:
            self._code = (code, reason)
            self._connection.closed(code, reason)

    @staticmethod
    def _how_it_ended(transport: Any) -> tuple[int, str]:
        """How a connection ended that neither the peer nor we have closed."""
        handshake = transport.close_handshake
        if handshake is None or handshake.sent is None:
            return ABNORMAL, ""
        if handshake.sent.code == WSCloseCode.GOING_AWAY:
            return ABNORMAL, "no answer to pings"
        return int(handshake.sent.code), str(handshake.sent.reason)  # what picows found wrong

    def shut_down(self) -> None:
        """The server ends: say so, let what is queued leave, and close."""
        self._outbox.close(_SHUTDOWN_CODE, "")
        self._full = False
        self._write()
        if self._ws is not None:
            self._ws.disconnect()


def _tell(direction: str, message: Frame) -> None:
    kind = "TEXT" if isinstance(message, str) else "BINARY"
    shown = message if len(message) <= 200 else message[:200]
    _frames_log.debug("%s %s %r [%d]", direction, kind, shown, len(message))


class _HandedOver:
    """Stands for the socket of a connection that is no longer uvicorn's to close."""

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return True


class NativeProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's websocket, until the application accepts; then picows has the connection.

    A connection that picows cannot take (a Unix socket, or a client that has sent more before it
    was accepted) stays with uvicorn, over ASGI.
    """

    _handed_over: ClassVar[Any] = _HandedOver()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._native: _Transport | None = None
        self._early = False

    def data_received(self, data: bytes) -> None:
        """Bytes of the handshake; others come only after the application has accepted."""
        self._early = self.handshake_initiated
        super().data_received(data)

    async def run_asgi(self) -> None:
        """Run the application, which finds ``TAKE_OVER`` among the extensions."""
        scope: Any = self.scope
        scope["extensions"][TAKE_OVER] = self._take_over
        await super().run_asgi()

    def shutdown(self) -> None:
        """The server ends."""
        if self._native is not None:
            self._native.shut_down()
        else:
            super().shutdown()

    def _take_over(self, connect: Callable[[Outbox], Connection], outbox_bytes: int) -> bool:
        """Accept the websocket and hand it to picows.

        Args:
            connect: makes the connection, given its outbox.
            outbox_bytes: the outbox's bound.

        Returns:
            False: it cannot be; accept it over ASGI.
        """
        plain = self.transport.get_extra_info("socket")
        if self._early or self.transport.is_closing() or plain is None:
            return False
        if plain.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        native = _Transport(connect, outbox_bytes, self.config.ws_max_size, self._lost)
        key = self.request.headers["Sec-WebSocket-Key"]
        protocol = _picows_protocol(
            native, max_bytes=self.config.ws_max_size, ping_s=self.config.ws_ping_interval
        )
        self._native = native
        self.handshake_complete = True
        transport, self.transport = self.transport, self._handed_over
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        request = _HANDSHAKE % key.encode()
        view = protocol.get_buffer(-1)
        view[: len(request)] = request
        protocol.buffer_updated(len(request))
        return True

    def _lost(self) -> None:
        self.connections.discard(self)


#: What picows needs of a handshake that has been checked already.
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
)


def _picows_protocol(listener: _Transport, *, max_bytes: int, ping_s: float | None) -> Any:
    def accept(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": "bokeh"})
        return WSUpgradeResponseWithListener(response, listener)

    protocol: Any = vars(_picows)["WSProtocol"]
    return protocol(
        None,  # host and path are for clients
        None,
        False,
        accept,
        _quiet,
        True,  # disconnect when the listener raises
        None,  # no timeout for the handshake, which is at hand
        ping_s is not None,
        ping_s or 1,
        ping_s or 1,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        False,  # pongs are the listener's
        max_bytes,
        None,
        _READ_BUFFER_BYTES,
    )
