"""Everything assembled: an ASGI application to mount anywhere, and a server that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import uvicorn
from starlette.applications import Starlette

from hyperfocal.application import Loaded, as_application
from hyperfocal.config import Settings, WebSocketTransport
from hyperfocal.errors import UsageError
from hyperfocal.telemetry import LogSubscriber, Telemetry
from hyperfocal.web import make_app
from hyperfocal.web.dates import dated
from hyperfocal.web.exchange import Arrival, Exchange, Place
from hyperfocal.web.site import make_site

__all__ = ("ListenError", "asgi_app", "bind", "run", "uvicorn_config")


_log = logging.getLogger("hyperfocal")

#: Seconds that a thread which computes keeps the event loop waiting for the interpreter: each of
#: its system calls may cost it as much. Python's own 5 ms make 15 of a round trip.
_SWITCH_S = 0.001


class ListenError(UsageError, OSError):
    """An address cannot be listened on."""

    def __init__(self, address: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {address} port {port}: {reason}")
        self.address = address
        self.port = port


def asgi_app(
    applications: Mapping[str, Any] | Any,
    settings: Settings | None = None,
    *,
    telemetry: Telemetry | None = None,
    place: Place | None = None,
) -> Starlette:
    """An ASGI application that serves Bokeh applications.

    Args:
        applications: what to serve by URL path ("/" or "/name"), or a single thing to serve at
            "/". Each is a ``bokeh.application.Application``, a function of a document, or what
            ``hyperfocal.application.load`` gives.
        settings: lifetimes, secrets, origins.
        telemetry: hears what happens; by default it is logged.
        place: where this process stands among several that serve the same applications.

    Raises:
        UsageError: a URL path does not begin with a slash, or something is not an application.
    """
    if not isinstance(applications, Mapping):
        applications = {"/": applications}
    served: list[tuple[str, Any, str, str]] = []
    for url, thing in applications.items():
        if not url.startswith("/") or (url != "/" and url.endswith("/")):
            raise UsageError(f"{url!r} is not a URL path such as '/' or '/sliders'")
        if isinstance(thing, Loaded):
            served.append((url, thing.application, thing.title, thing.description))
        else:
            application, title, description = as_application(thing, url)
            served.append((url, application, title, description))
    hub = telemetry if telemetry is not None else Telemetry(LogSubscriber())
    chosen = settings if settings is not None else Settings()
    return make_app(make_site(served, chosen, hub, place=place))


def bind(settings: Settings) -> list[socket.socket]:
    """Sockets to listen on: localhost by IPv4 and IPv6 unless an address is set.

    Raises:
        ListenError: the port is in use, may not be used, or there is no such address.
    """
    if settings.address is not None:
        return [_listen(settings.address, settings.port)]
    first = _listen("127.0.0.1", settings.port)
    try:
        return [first, _listen("::1", first.getsockname()[1])]
    except ListenError:
        return [first]  # no IPv6 here, or somebody else's: browsers fall back to IPv4


def _listen(address: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol left at 0, as socket.create_server leaves it, asyncio does not see TCP
        # in the connections that are accepted and does not turn Nagle's algorithm off: each
        # small write then waits some 40 ms for the peer's delayed acknowledgement.
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(where)
            listening.listen(2048)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise ListenError(address, port, error.strerror or str(error)) from error
    listening.setblocking(False)
    return listening


def _not_about_refusals(record: logging.LogRecord) -> bool:
    """Uvicorn takes a websocket that is refused with an HTTP response for a mistake of ours."""
    return record.getMessage() != "ASGI callable returned without completing handshake."


class _Uvicorn(uvicorn.Server):
    """Uvicorn that says when it listens, and ends quietly on SIGINT and SIGTERM.

    With an exchange it also serves connections that other processes have accepted.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None] | None,
        exchange: Exchange | None = None,
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._exchange = exchange
        self._adopting: set[asyncio.Task[None]] = set()
        self._asked_to_end = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.started:
            return
        if self._exchange is not None:
            self._exchange.open(self._adopt)
        if self._ready is not None:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._exchange is not None:
            self._exchange.close()
        await super().shutdown(sockets=sockets)

    def _adopt(self, connection: socket.socket, arrival: Arrival) -> None:
        task = asyncio.get_running_loop().create_task(self._serve_arrival(connection, arrival))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)

    async def _serve_arrival(self, connection: socket.socket, arrival: Arrival) -> None:
        loop = asyncio.get_running_loop()

        make: Any = self.config.http_protocol_class

        def protocol() -> Any:
            return make(
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
                _loop=loop,
                arrival=arrival,
            )

        try:
            await loop.connect_accepted_socket(protocol, connection)
        except OSError as error:  # it has gone meanwhile
            connection.close()
            _log.debug("A connection ended on its way to this process: %s", error)

    async def main_loop(self) -> None:
        """Wait for the end. Uvicorn's own looks whether it has come, ten times a second."""
        await self.on_tick(0)
        if not self.should_exit:
            await self._asked_to_end.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        serving = asyncio.current_task()
        asked: list[int] = []

        def end() -> None:
            self._asked_to_end.set()
            if not self.started and serving is not None:
                serving.cancel()  # an application's hook may take its time, or for ever

        def stop(number: int, frame: object) -> None:
            # Runs between two instructions of whatever runs, so also when a callback is stuck.
            if self._exchange is not None and (asked or number == signal.SIGINT):
                return  # whoever watches over the processes says so, and ends those that do not
            if asked:
                os.write(2, b"Stopping at once: asked for a second time\n")
                os._exit(1)
            asked.append(number)
            self.should_exit = True
            loop.call_soon_threadsafe(end)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        except asyncio.CancelledError:
            if not self.should_exit:
                raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _websocket_protocol(chosen: WebSocketTransport, keep_alive_s: float | None) -> Any:
    """What makes uvicorn's websocket protocol.

    Raises:
        UsageError: the native transport was asked for, and picows is not to be had.
    """
    from hyperfocal.web.handover import NativeWebSocketProtocol, WebSocketProtocol
    from hyperfocal.web.heartbeat import Heartbeat

    if chosen is WebSocketTransport.ASGI:
        return WebSocketProtocol
    try:
        import_module("hyperfocal.web.native")  # needs picows
    except ImportError as error:
        if chosen is WebSocketTransport.NATIVE:
            raise UsageError(f"--websocket-transport native is not possible: {error}") from error
        return WebSocketProtocol
    return partial(NativeWebSocketProtocol, heartbeat=Heartbeat(keep_alive_s))


def uvicorn_config(
    app: Any, settings: Settings, exchange: Exchange | None = None
) -> uvicorn.Config:
    """How uvicorn has to run the application so that the settings hold.

    Args:
        app: what ``asgi_app`` gave.
        settings: the settings.
        exchange: passes connections between several processes that serve the same port.

    Raises:
        UsageError: a transport was asked for that is not to be had.
    """
    from hyperfocal.web.handover import HttpLimits, HttpProtocol

    keep_alive_s = settings.keep_alive_ms / 1000 or None
    limits = HttpLimits(settings.http_max_header_bytes, settings.http_request_timeout_ms / 1000)
    http: Any = partial(HttpProtocol, limits=limits)
    if exchange is not None:
        from hyperfocal.web.moving import MovingHttpProtocol

        http = partial(MovingHttpProtocol, limits=limits, exchange=exchange)
    return uvicorn.Config(
        dated(app),
        log_config=None,
        access_log=False,
        http=http,
        ws=_websocket_protocol(settings.websocket_transport, keep_alive_s),
        ws_max_size=settings.websocket_max_message_bytes,
        ws_ping_interval=keep_alive_s,
        ws_ping_timeout=keep_alive_s,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        server_header=False,
        date_header=False,  # ours: uvicorn would wake up ten times a second to know the date
        lifespan="on",
    )


def run(
    app: Any,
    sockets: Sequence[socket.socket],
    settings: Settings,
    *,
    ready: Callable[[], None] | None = None,
    exchange: Exchange | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; sessions are then closed with their hooks.

    Args:
        app: what ``asgi_app`` gave.
        sockets: what ``bind`` gave.
        settings: the settings with which both were made.
        ready: called when connections are being accepted.
        exchange: passes connections between several processes that serve the same port. Whoever
            watches over them sends SIGTERM, once; SIGINT goes to all that a terminal started.
    """
    sys.setswitchinterval(_SWITCH_S)
    config = uvicorn_config(app, settings, exchange)
    logging.getLogger("uvicorn.error").addFilter(_not_about_refusals)
    server = _Uvicorn(config, ready, exchange)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        _run_to_the_end(runner.get_loop(), server.serve(sockets=list(sockets)))


def _run_to_the_end(loop: asyncio.AbstractEventLoop, serve: Coroutine[Any, Any, None]) -> None:
    """Run the server until it has ended, whoever else asks the event loop to end.

    An application's ``sys.exit`` in a task of its own leaves the loop by the same way as ours.
    """
    serving = loop.create_task(serve)
    while not serving.done():
        try:
            loop.run_until_complete(serving)
        except (SystemExit, KeyboardInterrupt) as error:
            if serving.done():
                raise
            _log.error(
                "Code of an application asked the process to end (%r) in a task of its own; "
                "the server goes on",
                error,
                exc_info=error,
            )
        except RuntimeError as error:
            if serving.done():
                raise
            _log.error(
                "Code of an application stopped the event loop; the server goes on: %s", error
            )
