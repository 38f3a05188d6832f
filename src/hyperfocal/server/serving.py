"""Everything assembled: an ASGI application to mount anywhere, and a server that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE

from hyperfocal.application import Loaded, as_application, load, load_mended_later
from hyperfocal.auth import AuthProvider
from hyperfocal.config import AsyncLoop, Settings, WebSocketTransport, named_settings
from hyperfocal.errors import ConfigError, UsageError
from hyperfocal.server.forked import heeding, heeding_once
from hyperfocal.server.hangup import HANGUP, ends_with_terminal, say_that_it_goes_on
from hyperfocal.telemetry import LogSubscriber, Telemetry, log_failure, shown
from hyperfocal.web import make_app
from hyperfocal.web.dates import dated
from hyperfocal.web.exchange import Arrival, Exchange, Place
from hyperfocal.web.listing import Listing
from hyperfocal.web.proxies import behind_proxy
from hyperfocal.web.site import Site, make_site

__all__ = (
    "HttpServer",
    "asgi_app",
    "lifespan",
    "run",
    "run_to_the_end",
    "site_of",
    "uvicorn_config",
)


_log = logging.getLogger("hyperfocal")


def asgi_app(
    applications: Mapping[str, Any] | Any,
    settings: Settings | None = None,
    *,
    telemetry: Telemetry | None = None,
    auth: AuthProvider | None = None,
    place: Place | None = None,
    **options: Any,
) -> Starlette:
    """An ASGI application that serves Bokeh applications.

    Args:
        applications: what to serve by URL path ("/" or "/name"), or a single thing to serve at
            "/". Each is a ``bokeh.application.Application``, a function of a document, the path of
            a script, notebook or folder, or what ``hyperfocal.application.load`` gives.
        settings: the settings; or give single ones as options.
        telemetry: hears what happens; by default it is logged.
        auth: says who visitors are, and lets in nobody else; by default the provider that the
            settings ask for. Without one, applications know the ``user`` of the ASGI scope.
        place: where this process stands among several that serve the same applications.
        options: as on the command line, with underscores, as in ``prefix="/apps"`` or
            ``allow_websocket_origin=["example.com"]``.

    Its lifespan begins and ends what belongs to the applications. A host that mounts it has to run
    that: see ``hyperfocal.lifespan``.

    Raises:
        UsageError: a URL path does not begin with a slash, or something is not an application.
    """
    if settings is not None and options:
        raise UsageError("give settings, or single options, and not both")
    chosen = settings if settings is not None else named_settings(options)
    if place is None and (chosen.isolate or chosen.num_procs != 1):
        raise UsageError("num_procs and isolate are for `hyperfocal serve`: one process runs this")
    if not isinstance(applications, Mapping):
        applications = {"/": applications}
    served: list[Listing] = []
    for url, thing in applications.items():
        if not url.startswith("/") or (url != "/" and url.endswith("/")):
            raise UsageError(f"{url!r} is not a URL path such as '/' or '/sliders'")
        loaded = thing
        if isinstance(thing, str | Path):
            loaded = load_mended_later(thing) if chosen.dev else load(thing)
        if isinstance(loaded, Loaded):
            served.append(
                Listing(
                    url,
                    loaded.application,
                    loaded.title,
                    loaded.description,
                    loaded.thumbnail,
                    loaded.path,
                )
            )
        else:
            application, title, description = as_application(thing, url)
            served.append(Listing(url, application, title, description))
    hub = telemetry if telemetry is not None else Telemetry(LogSubscriber())
    return make_app(make_site(served, chosen, hub, provider=auth, place=place))


@contextlib.asynccontextmanager
async def lifespan(*apps: Starlette) -> AsyncGenerator[None]:
    """Begin what belongs to these applications, and end it behind: for the lifespan of a host.

        @contextlib.asynccontextmanager
        async def of_host(host):
            async with hyperfocal.lifespan(dashboards):
                yield

        host = FastAPI(lifespan=of_host)
        host.mount("/dashboards", dashboards)

    Args:
        apps: what ``asgi_app`` gave.
    """
    async with contextlib.AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield


def _not_about_refusals(record: logging.LogRecord) -> bool:
    """Uvicorn takes a websocket that is refused with an HTTP response for a mistake of ours."""
    return record.getMessage() != "ASGI callable returned without completing handshake."


class HttpServer(uvicorn.Server):
    """Uvicorn that says when it listens, and ends quietly on SIGINT and SIGTERM.

    With an exchange it also serves connections that other processes have accepted.

    Args:
        config: what ``uvicorn_config`` gave.
        ready: called when connections are being accepted.
        heeds_signals: whether the signals are its own; else only ``end`` ends it.
        exchange: passes connections between several processes.
        site: what it serves; it hears of the end before connections are closed.
        handshake_s: seconds in which a client has to have made its TLS handshake.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None] | None,
        *,
        heeds_signals: bool = True,
        exchange: Exchange | None = None,
        site: Site | None = None,
        handshake_s: float = 60.0,
    ) -> None:
        super().__init__(config)
        self._site = site
        self._handshake_s = handshake_s
        self._ready = ready
        self._heeds_signals = heeds_signals
        self._exchange = exchange
        self._adopting: set[asyncio.Task[None]] = set()
        self._asked_to_end = asyncio.Event()
        self._is_terminated = False  # by SIGTERM: whoever sends it may have sent visitors
        self._is_interrupted = False  # by a person at the terminal

    def end(self) -> None:
        """Have it end. On the event loop."""
        self.should_exit = True
        self._asked_to_end.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        # Uvicorn's own leaves a TLS handshake that does not go on a minute.
        loop, tls = asyncio.get_running_loop(), self.config.ssl
        patience = self._handshake_s if tls is not None else None
        self.servers = [
            await loop.create_server(
                self._protocol,
                sock=one,
                ssl=tls,
                backlog=self.config.backlog,
                ssl_handshake_timeout=patience,
            )
            for one in sockets or ()
        ]
        self.started = True
        if self._exchange is not None:
            self._exchange.open(self._adopt)
        if self._ready is not None:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; what other processes send from here on waits for the next in this place."""
        if self._exchange is not None:
            self._exchange.close()
        if self._site is not None:
            self._site.begin_closing()
        await super().shutdown(sockets=sockets)

    def _protocol(self, **more: Any) -> Any:
        make: Any = self.config.http_protocol_class
        return make(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            **more,
        )

    def _adopt(self, connection: socket.socket, arrival: Arrival) -> None:
        task = asyncio.get_running_loop().create_task(self._serve_arrival(connection, arrival))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)

    async def _serve_arrival(self, connection: socket.socket, arrival: Arrival) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                partial(self._protocol, arrival=arrival), connection
            )
        except OSError as error:  # it has gone meanwhile
            connection.close()
            _log.debug("A connection ended on its way to this process: %s", error)

    async def main_loop(self) -> None:
        """Wait for the end. Uvicorn's own looks whether it has come, ten times a second."""
        await self.on_tick(0)
        if not self.should_exit:
            await self._asked_to_end.wait()
        if self._site is not None and self._is_terminated and not self._is_interrupted:
            await self._site.say_that_it_ends()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Heed the signals within."""
        if not self._heeds_signals:
            yield
            return
        loop = asyncio.get_running_loop()
        serving = asyncio.current_task()
        asked: list[int] = []

        def end() -> None:
            self._asked_to_end.set()
            if not self.started and serving is not None:
                serving.cancel()  # an application's hook may take its time, or for ever

        def stop(number: int, frame: object) -> None:
            self._is_interrupted |= number == signal.SIGINT
            if self._exchange is not None and (asked or number == signal.SIGINT):
                return  # whoever watches over the processes says so, and ends those that do not
            asked.append(number)
            self._is_terminated = number == signal.SIGTERM
            self.should_exit = True
            loop.call_soon_threadsafe(end)

        ends_it = self._exchange is None and ends_with_terminal()

        def hang_up(number: int, frame: object) -> None:
            if ends_it:
                stop(number, frame)
            elif self._exchange is None:
                loop.call_soon_threadsafe(say_that_it_goes_on)

        # Alone, nobody else ends it: the second signal has to, whatever keeps the first from it.
        listening = heeding_once if self._exchange is None else heeding
        with listening((signal.SIGINT, signal.SIGTERM), stop), heeding(HANGUP, hang_up):
            try:
                yield
            except asyncio.CancelledError:
                if not self.should_exit:
                    raise


def _websocket_protocol(settings: Settings) -> Any:
    """What makes uvicorn's websocket protocol.

    Raises:
        UsageError: the native transport was asked for, and is not to be had.
    """
    from hyperfocal.web.handover import Deflate, NativeWebSocketProtocol, WebSocketProtocol
    from hyperfocal.web.heartbeat import Heartbeat

    chosen = settings.websocket_transport
    level, memory = settings.websocket_compression_level, settings.websocket_compression_mem_level
    if level is not None or memory is not None:
        if chosen is WebSocketTransport.NATIVE:
            raise ConfigError(
                "--websocket-transport", str(chosen), "auto or asgi, which can compress"
            )
        return partial(WebSocketProtocol, deflate=Deflate.of(level, memory))
    if chosen is WebSocketTransport.ASGI:
        return WebSocketProtocol
    try:
        import_module("hyperfocal.web.native")  # needs picows
    except ImportError as error:
        if chosen is WebSocketTransport.NATIVE:
            raise UsageError(f"--websocket-transport native is not possible: {error}") from error
        return WebSocketProtocol
    return partial(
        NativeWebSocketProtocol, heartbeat=Heartbeat(settings.keep_alive_ms / 1000 or None)
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    """The certificate and its key.

    Raises:
        ConfigError: they cannot be used.
    """
    assert settings.ssl_certfile is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    password = settings.ssl_password or ""  # without one, OpenSSL would ask for it at the terminal
    try:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, lambda: password)
    except OSError as error:  # also what OpenSSL finds wrong
        reason = error.strerror or str(error) or "it cannot be read"
        raise ConfigError(
            "--ssl-certfile",
            settings.ssl_certfile,
            "a certificate in PEM, with its private key behind it or in --ssl-keyfile, and in "
            f"BOKEH_SSL_PASSWORD the key's password if it has one (OpenSSL says: {reason})",
        ) from error
    return context


def site_of(app: Any) -> Site | None:
    """What an application that ``asgi_app`` gave serves."""
    site: Site | None = getattr(getattr(app, "state", None), "site", None)
    return site


def uvicorn_config(
    app: Any, settings: Settings, exchange: Exchange | None = None
) -> uvicorn.Config:
    """How uvicorn has to run the application so that the settings hold.

    Args:
        app: what ``asgi_app`` gave.
        settings: the settings.
        exchange: passes connections between several processes that serve the same port.

    Raises:
        UsageError: a transport was asked for that is not to be had, or a certificate is not one.
    """
    from hyperfocal.web.handover import HttpLimits, HttpProtocol

    site = site_of(app)
    if site is not None and settings.async_loop is AsyncLoop.AUTO:
        site.engine.on_host = False  # this loop is ours
    keep_alive_s = settings.keep_alive_ms / 1000 or None
    limits = HttpLimits(settings.http_max_header_bytes, settings.http_request_timeout_ms / 1000)
    http: Any = partial(HttpProtocol, limits=limits)
    if exchange is not None:
        from hyperfocal.web.moving import MovingHttpProtocol

        http = partial(MovingHttpProtocol, limits=limits, exchange=exchange)
    tls = _tls(settings) if settings.ssl_certfile is not None else None
    if settings.use_xheaders:
        app = behind_proxy(app)
    return uvicorn.Config(
        dated(app),
        log_config=None,
        access_log=False,
        http=http,
        ws=_websocket_protocol(settings),
        ws_max_size=settings.websocket_max_message_bytes,
        ws_ping_interval=keep_alive_s,
        ws_ping_timeout=keep_alive_s,
        ws_per_message_deflate=False,  # ours: uvicorn's has a level of its own
        ssl_context_factory=(lambda config, default: tls) if tls is not None else None,
        proxy_headers=False,  # ours: uvicorn would believe any proxy on this machine
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
    config = uvicorn_config(app, settings, exchange)
    logging.getLogger("uvicorn.error").addFilter(_not_about_refusals)
    server = HttpServer(
        config,
        ready,
        exchange=exchange,
        site=site_of(app),
        handshake_s=settings.http_request_timeout_ms / 1000,
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        run_to_the_end(runner.get_loop(), server.serve(sockets=list(sockets)))


def run_to_the_end(loop: asyncio.AbstractEventLoop, serve: Coroutine[Any, Any, None]) -> None:
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
            log_failure(
                _log,
                logging.ERROR,
                "Code of an application asked the process to end (%s) in a task of its own; "
                "the server goes on",
                shown(error),
                error=error,
            )
        except RuntimeError as error:
            if serving.done():
                raise
            _log.error(
                "Code of an application stopped the event loop; the server goes on: %s", error
            )
