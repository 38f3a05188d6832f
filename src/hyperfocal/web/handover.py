"""What uvicorn does for a websocket: the handshake, and where the native transport takes over.

Uvicorn reads the request and runs the application up to the point where it accepts the websocket;
routing, proxy headers, origins, tokens and refusals are the same whatever moves the frames.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request

from hyperfocal.web.heartbeat import Heartbeat
from hyperfocal.web.transport import TAKE_OVER, Connect

__all__ = ("HttpProtocol", "NativeWebSocketProtocol", "WebSocketProtocol")

#: What the library behind uvicorn's websocket has to read; what it has to know is given to it.
_HANDSHAKE = b"GET / HTTP/1.1\r\n\r\n"


class HttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP, whose websockets may have long headers.

    Uvicorn would write the request anew for a parser that takes lines of up to 8 KiB; cookies are
    longer at times.
    """

    def handle_websocket_upgrade(self) -> None:
        """Give the connection to the websocket protocol."""
        self.connections.discard(self)
        protocol_class: Any = self.ws_protocol_class
        protocol = protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        protocol.connection_made(self.transport)
        # Before the handshake, which may be refused and close the transport.
        self.transport.set_protocol(protocol)
        protocol.upgrade(self.url, self.scope["headers"])

    def _should_upgrade(self) -> bool:
        """Only to a websocket, and only with GET (RFC 6455 section 4.1)."""
        parser: Any = self.parser
        return super()._should_upgrade() and parser.get_method() == b"GET"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's websocket, with a handshake that has been read already."""

    def upgrade(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Answer this request, whose other end asks for a websocket."""
        named = Headers(
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        )
        self._asked = Request(target.decode("latin-1"), named)
        self.data_received(_HANDSHAKE)

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
