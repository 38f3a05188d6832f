"""HTTP connections that move to the process that has their session.

A request that belongs elsewhere is not answered here: the connection itself goes there, as a file
descriptor, with what has been read of it. From then on it costs nothing here.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from hyperfocal.web.exchange import Arrival, Exchange, Refusal, Way
from hyperfocal.web.handover import HttpProtocol
from hyperfocal.web.relay import relay

__all__ = ("MovingHttpProtocol",)

#: Where nobody can say where a request begins: behind the body of the one before, in one write.
_LOST = Refusal(b"Please try again.\n", "text/plain; charset=utf-8", 1)
#: Bytes of further requests that are kept for the process to which a connection is to go.
_MAX_RAW_BYTES = 512 * 1024


class MovingHttpProtocol(HttpProtocol):
    """HTTP in one of several processes.

    A connection moves at the beginning of a request, once the responses to those before it have
    left; also again, when a later request belongs to yet another process.

    Args:
        exchange: says what belongs where.
        arrival: what another process has read of this connection; its first request is for us, or
            comes to us because others could not answer it.
        options: as for ``HttpProtocol``.
    """

    def __init__(
        self, *, exchange: Exchange, arrival: Arrival | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self._exchange = exchange
        self._arrival = arrival
        self._is_ours = arrival is not None  # the next request, whatever it says
        self._asked = arrival.asked if arrival is not None else ()
        self._ticket = arrival.ticket if arrival is not None else 0
        self._verdict: Way | Refusal | None = None
        self._left = False
        self._within = False  # a request has begun and is not there wholly
        self._has_body = False
        #: What has come since the beginning of the request; ``None`` when that is not known.
        self._raw: bytes | None = b""

    # --- in --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, here or to the process that hands it on."""
        super().connection_made(transport)
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            self.client, self.server = arrival.client, arrival.server
            self.scheme = "https" if arrival.scheme == "https" else "http"
            self.data_received(arrival.data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._answers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._verdict is not None:  # these go where the connection goes
            self._keep(data)
            return
        if not self._within:
            self._raw = data
        elif not self._in_body and self._raw is not None:
            self._raw += data
        super().data_received(data)
        self._depart()

    def _keep(self, data: bytes) -> None:
        if self._raw is None or self._left or self._refused:
            return
        self._raw += data
        if len(self._raw) > _MAX_RAW_BYTES:
            self.transport.abort()
        else:
            self.flow.pause_reading()

    def on_message_begin(self) -> None:
        """A request begins, unless one before it has to be answered elsewhere."""
        if self._verdict is None:
            self._within, self._has_body = True, False
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        if self._verdict is None:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        if self._verdict is None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head of the request is there; it says where the request belongs."""
        if self._verdict is not None:
            return
        is_ours, asked = self._is_ours, self._asked
        self._is_ours, self._asked = False, ()
        if not is_ours or asked:
            known = self._raw is not None
            self._verdict = self._exchange.direct(self.url, self.headers, asked) if known else _LOST
        if self._verdict is not None:
            self._unparsed_bytes = 0
            self._end_deadline()
        elif self._ticket:
            app, self.app = self.app, self._announcing(self.app)
            super().on_headers_complete()
            self.app = app
        else:
            super().on_headers_complete()

    def _announcing(self, app: Any) -> Any:
        """The application, with word to whoever handed the connection on once it answers."""

        async def announced(scope: Any, receive: Any, send: Any) -> None:
            async def send_and_tell(message: Any) -> None:
                self._answers()
                await send(message)

            await app(scope, receive, send_and_tell)

        return announced

    def _answers(self) -> None:
        if self._ticket:
            ticket, self._ticket = self._ticket, 0
            self._exchange.answers(ticket)

    def on_body(self, body: bytes) -> None:
        """A piece of the request's body."""
        if self._verdict is None:
            self._has_body = True
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there; what has come behind it is the beginning of the next."""
        if self._verdict is not None:
            return
        self._within = False
        framed = (b"content-length", b"transfer-encoding")
        if self._raw is None or self._has_body or any(name in framed for name, _ in self.headers):
            self._raw = None
        else:
            begun = len(self._raw) - len(self._raw.lstrip(b"\r\n"))
            _, _, self._raw = self._raw[begun:].partition(b"\r\n\r\n")
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        return self._verdict is None and super()._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        if self._verdict is None:
            super()._unsupported_upgrade_warning()

    def send_400_response(self, msg: str) -> None:
        """The parser does not take what has come; where the connection goes, it says so again."""
        if self._verdict is None:
            super().send_400_response(msg)

    # --- away ------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """A response has been written."""
        super().on_response_complete()
        if self._verdict is not None:
            self._unset_keepalive_if_required()
            self._depart()

    def resume_writing(self) -> None:
        """The socket has taken what was written."""
        super().resume_writing()
        if self._verdict is not None:
            # Not from within the transport, which has not finished with what it does.
            self.loop.call_soon(self._depart)

    def shutdown(self) -> None:
        """The server ends: so does a connection that only waits to leave."""
        if self._verdict is not None:
            self.transport.close()
        else:
            super().shutdown()

    def _depart(self) -> None:
        """Go, unless responses are still under way; then later."""
        verdict = self._verdict
        if verdict is None or self._left or self._refused or self.transport.is_closing():
            return
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        if (cycle is not None and not cycle.response_complete) or self.pipeline:
            self.flow.pause_reading()
            return
        if not self._is_tls and self.transport.get_write_buffer_size():
            self.flow.pause_reading()
            if self._deadline is None:
                self._deadline = self.loop.call_later(self._limits.complete_s, self.transport.abort)
                self.transport.set_write_buffer_limits(high=0)  # resume_writing tells
            return
        self._end_deadline()
        if isinstance(verdict, Refusal):
            self._decline(verdict)
        elif self._send_away(verdict):
            self._left = True
        else:
            self._decline(verdict.busy)

    @property
    def _is_tls(self) -> bool:
        return self.transport.get_extra_info("sslcontext") is not None

    def _send_away(self, way: Way) -> bool:
        assert self._raw is not None
        assert self.scheme is not None
        arrival = Arrival(self._raw, self.client, self.server, self.scheme)
        if self._is_tls:
            # The keys are here and stay here.
            if not relay(self.transport, self.connections, way, arrival):
                return False
            self.connections.discard(self)
            return True
        connection = self.transport.get_extra_info("socket").fileno()
        crashed = way.crashed
        if crashed is None:
            if not way.send(connection, arrival):
                return False
            self.transport.abort()  # closes our copy of the descriptor, and nothing else
            return True
        if not way.send(connection, arrival, partial(self._settled, crashed)):
            return False
        self.flow.pause_reading()
        return True

    def _settled(self, crashed: Refusal, died: bool) -> None:
        """The process to which the connection went answers, or has died before it did."""
        if self.transport.is_closing():
            return
        if died:
            self._decline(crashed)
        else:
            self.transport.abort()

    def _close_with(self, response: bytes) -> None:
        self._answers()
        super()._close_with(response)

    def _decline(self, refusal: Refusal) -> None:
        self._close_with(refusal.response())
