"""What uvicorn does: HTTP, the handshake of websockets, and where the native transport takes over.

Uvicorn reads the request and runs the application up to the point where it accepts the websocket;
routing, proxy headers, origins, tokens and refusals are the same whatever moves the frames.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from hyperfocal.web.chunks import Chunked
from hyperfocal.web.heartbeat import Heartbeat
from hyperfocal.web.transport import TAKE_OVER, Connect

__all__ = ("Deflate", "HttpLimits", "HttpProtocol", "NativeWebSocketProtocol", "WebSocketProtocol")

_log = logging.getLogger("hyperfocal")

#: Seconds in which a client that was refused may read why.
_LINGER_S = 2.0

#: What the library behind uvicorn's websocket has to read; what it has to know is given to it.
_HANDSHAKE = b"GET / HTTP/1.1\r\n\r\n"

#: Requests that may wait behind the one that is answered. A client that sends more is not read.
_MOST_PIPELINED = 8


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a request may be.

    Attributes:
        header_bytes: the most that its target, headers and trailers may have together.
        complete_s: seconds that it may take to come.
    """

    header_bytes: int = 64 * 1024
    complete_s: float = 30.0


class HttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP, with limits of its own, and with websockets that may have long headers.

    Its parser takes headers of any size and waits for them for ever. As for websockets, uvicorn
    would write their request anew for a parser that takes lines of up to 8 KiB; cookies are longer
    at times.

    Args:
        limits: what a request may be.
        options: uvicorn's.
    """

    def __init__(self, *, limits: HttpLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._begun = False  # something has come
        self._in_body = False
        self._head_bytes = 0  # of the request, as far as it is parsed
        self._unparsed_bytes = 0  # that have come since the parser last had something to say
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; its request is due."""
        super().connection_made(transport)
        Chunked(self, transport, lambda: self.flow.read_paused)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._refused:
            return
        self._begun = True
        self._await_request()
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > self._limits.header_bytes:
            self._refuse(431)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes = self._unparsed_bytes = 0
        self._await_request()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head of the request is there."""
        self._unparsed_bytes = 0
        super().on_headers_complete()
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        """A piece of the request's body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self._unparsed_bytes = 0
        self._in_body = False
        self._end_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A response has been written; the next request has its turn."""
        super().on_response_complete()
        if len(self.pipeline) >= _MOST_PIPELINED:
            self.flow.pause_reading()

    def _count(self, size: int) -> None:
        self._unparsed_bytes = 0
        self._head_bytes += size
        if self._head_bytes > self._limits.header_bytes:
            raise ValueError("the headers are too large")  # ends in send_400_response

    def _await_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.complete_s, self._too_slow)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.flow.read_paused:  # the client waits for us: requests before this one are not done
            self._await_request()
        elif self._begun:
            self._refuse(408)
        else:
            self.transport.close()  # browsers connect ahead

    def send_400_response(self, msg: str) -> None:
        """The parser does not take what has come."""
        self._refuse(431 if self._head_bytes > self._limits.header_bytes else 400)

    def _refuse(self, status: int) -> None:
        """Answer with this status, and close."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._end_deadline()
        reason = HTTPStatus(status)
        host = self.client[0] if self.client else "a local client"
        _log.info("Refused a request of %s: %d %s", host, status, reason.phrase)
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        if cycle is not None and not cycle.response_complete:
            # Its response would come behind the end, or be taken for that of the one before.
            awaits_answer = self._in_body and not cycle.response_started
            cycle.disconnected = True
            cycle.message_event.set()
        else:
            awaits_answer = not self._in_body
        if awaits_answer:
            text = f"{reason.phrase}\n".encode()
            head = (
                f"HTTP/1.1 {status} {reason.phrase}\r\ncontent-type: text/plain\r\n"
                f"content-length: {len(text)}\r\nconnection: close\r\n\r\n"
            )
            self._close_with(head.encode() + text)
        else:
            self._close_with(b"")

    def _close_with(self, response: bytes) -> None:
        """Write this, the last that the client gets, and close."""
        self._refused = True
        if response:
            self.transport.write(response)
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        # With unread bytes the system would end the connection in a way that keeps the client
        # from seeing the answer, so what it still sends is read for a while.
        self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(_LINGER_S, self.transport.abort)

    def handle_websocket_upgrade(self) -> None:
        """Give the connection to the websocket protocol."""
        self._end_deadline()
        self.connections.discard(self)
        protocol_class: Any = self.ws_protocol_class
        protocol = protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        protocol.connection_made(self.transport)
        # Before the handshake, which may be refused and close the transport.
        Chunked(protocol, self.transport, lambda: protocol.read_paused)
        protocol.upgrade(self.url, self.scope["headers"])

    def _should_upgrade(self) -> bool:
        """Only to a websocket, and only with GET (RFC 6455 section 4.1)."""
        parser: Any = self.parser
        return super()._should_upgrade() and parser.get_method() == b"GET"


@dataclass(frozen=True, slots=True)
class Deflate:
    """How websockets are compressed (RFC 7692), for clients that want that.

    Attributes:
        level: zlib's, 0 to 9.
        memory: zlib's memory level, 1 to 9.
    """

    level: int
    memory: int

    @classmethod
    def of(cls, level: int | None, memory: int | None) -> Deflate:
        """With zlib's own levels for what is not set."""
        return cls(6 if level is None else level, 8 if memory is None else memory)

    def factory(self) -> ServerPerMessageDeflateFactory:
        """What speaks of it in the handshake."""
        settings = {"level": self.level, "memLevel": self.memory}
        return ServerPerMessageDeflateFactory(compress_settings=settings)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's websocket, with a handshake that has been read already.

    Args:
        deflate: how to compress; not at all with ``None``.
        options: uvicorn's.
    """

    def __init__(self, *, deflate: Deflate | None = None, **options: Any) -> None:
        super().__init__(**options)
        if deflate is not None:
            self.conn = ServerProtocol(
                extensions=[deflate.factory()],
                max_size=self.config.ws_max_size,
                logger=logging.getLogger("uvicorn.error"),
            )

    def upgrade(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Answer this request, whose other end asks for a websocket."""
        named = Headers(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        )
        self._asked = Request(target.decode("latin-1"), named)
        self.data_received(_HANDSHAKE)

    def handle_ping(self) -> None:
        """Answer, unless the client does not read: the answers would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """Join fragments as they come: a list of single bytes takes forty times their memory."""
        if event.fin:
            super().handle_cont(event)
            return
        pieces: list[Any] = self.frames
        if not isinstance(pieces[0], bytearray):
            pieces[0] = bytearray(pieces[0])
        pieces[0] += event.data

    def handle_connect(self, event: Request) -> None:
        """The request, as it really is, goes to the application."""
        super().handle_connect(self._asked)


class NativeWebSocketProtocol(WebSocketProtocol):
    """Uvicorn's websocket until the application has accepted it.

    A client that has sent more by then stays with uvicorn, over ASGI: what it has sent is there.

    Args:
        heartbeat: tells the connections of this server when to ping.
        options: uvicorn's.
    """

    _early = False

    def __init__(self, *, heartbeat: Heartbeat, **options: Any) -> None:
        super().__init__(**options)
        self._heartbeat = heartbeat

    def data_received(self, data: bytes) -> None:
        """Bytes of the handshake, or of a client that does not wait for its end."""
        self._early = self.handshake_initiated
        super().data_received(data)

    async def run_asgi(self) -> None:
        """Run the application, which finds ``TAKE_OVER`` among the extensions."""
        scope: Any = self.scope
        scope["extensions"][TAKE_OVER] = self._take_over
        await super().run_asgi()

    def _take_over(self, connect: Connect, outbox_bytes: int) -> bool:
        from hyperfocal.web.native import NativeTransport

        if self._early or not self.handshake_complete or self.transport.is_closing():
            return False
        native = NativeTransport(
            connect,
            outbox_bytes,
            self.config.ws_max_size,
            self._heartbeat,
            self.connections,
        )
        self.stop_keepalive()
        self.connections.discard(self)
        transport, self.transport = self.transport, _handed_over
        native.start(transport)
        return True


class _HandedOver:
    """The transport of a connection that is no longer uvicorn's to close."""

    def close(self) -> None: ...


_handed_over: Any = _HandedOver()
