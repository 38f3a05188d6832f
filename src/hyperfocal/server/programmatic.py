"""A server to be run from a program: a script, a notebook, a thread of something larger."""

from __future__ import annotations

import asyncio
import signal
import threading
import webbrowser
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from hyperfocal.auth import AuthProvider
from hyperfocal.config import Settings, named_settings
from hyperfocal.errors import UsageError
from hyperfocal.server.addresses import base_url, with_actual_port
from hyperfocal.server.forked import heeding
from hyperfocal.server.listening import bind
from hyperfocal.server.serving import (
    HttpServer,
    asgi_app,
    run_to_the_end,
    site_of,
    uvicorn_config,
)
from hyperfocal.session import Session
from hyperfocal.telemetry import Telemetry
from hyperfocal.web.listing import Served
from hyperfocal.web.site import Site

__all__ = ("Server",)

#: Seconds that ``stop`` waits for sessions and hooks to end.
_STOP_S = 20.0


class Server:
    """Serves applications until it is told to stop.

    Where an event loop runs in the calling thread, as in a notebook or an ``async`` program,
    ``start`` serves on that loop; elsewhere it serves in a thread of its own. ``with Server(...)``
    and ``async with Server(...)`` start and stop it. ``run_until_shutdown`` serves in the calling
    thread until a signal comes.

    Args:
        applications: what to serve by URL path, or one thing to serve at "/": see ``asgi_app``.
        io_loop: an event loop on which to serve, or an object that has one as its
            ``asyncio_loop``.
        settings: the settings; or give single ones as options.
        telemetry: hears what happens; by default it is logged.
        auth: says who may come in.
        options: as on the command line, with underscores, as in ``port=0`` or
            ``allow_websocket_origin=["example.com"]``.

    Raises:
        UsageError: there is no such option or application.
        ConfigError: an option has a value that it may not have.
        ListenError: the address cannot be listened on.
    """

    def __init__(
        self,
        applications: Mapping[str, Any] | Any,
        io_loop: Any = None,
        *,
        settings: Settings | None = None,
        telemetry: Telemetry | None = None,
        auth: AuthProvider | None = None,
        **options: Any,
    ) -> None:
        if settings is not None and options:
            raise UsageError("give settings, or single options, and not both")
        asked = settings if settings is not None else named_settings(options)
        if asked.num_procs != 1 or asked.isolate:
            raise UsageError("several processes are a matter of hyperfocal serve --num-procs")
        self._sockets = bind(asked)
        try:
            self.settings = with_actual_port(asked, self._sockets)
            self._app = asgi_app(applications, self.settings, telemetry=telemetry, auth=auth)
            self._config = uvicorn_config(self._app, self.settings)
        except BaseException:
            self.unlisten()
            raise
        self._loop: asyncio.AbstractEventLoop | None = getattr(io_loop, "asyncio_loop", io_loop)
        self._http: HttpServer | None = None
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = threading.Event()

    # --- where it is -----------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return self.settings.port

    @property
    def address(self) -> str | None:
        """The address on which it listens; ``None``: this machine's own."""
        return self.settings.address

    @property
    def prefix(self) -> str:
        """The URL path under which everything is served."""
        return self.settings.prefix

    @property
    def unix_socket(self) -> str | None:
        """The path of the Unix socket on which it listens, if it does."""
        return self.settings.unix_socket

    @property
    def index(self) -> str | None:
        """The template of the start page, if it is not ours."""
        return self.settings.index

    @property
    def url(self) -> str:
        """Where it is, without a slash at its end."""
        return base_url(self.settings)

    @property
    def io_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop on which it serves.

        Raises:
            UsageError: it has not been started.
        """
        if self._loop is None:
            raise UsageError("the server has not been started")
        return self._loop

    # --- start and stop --------------------------------------------------------------------------

    def start(self) -> None:
        """Serve, on the loop that runs in this thread, or in a thread of its own.

        In a thread it listens when this returns. On a running loop it listens as soon as the loop
        gets to it; ``async with`` waits for that.

        Raises:
            UsageError: it was started before.
            Exception: what the lifecycle hooks of an application raise.
        """
        self._begin()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        loop = self._loop if self._loop is not None else running
        if loop is None:
            self._start_thread()
            return
        self._loop = loop
        if loop is running:
            self._start_on(loop, None)
        else:
            loop.call_soon_threadsafe(self._start_on, loop, None)

    def _begin(self) -> None:
        if self._http is not None or self._thread is not None or self._over.is_set():
            raise UsageError("the server was started before; make a new one")

    def _start_on(self, loop: asyncio.AbstractEventLoop, listens: Any) -> None:
        self._http = HttpServer(self._config, listens, heeds_signals=False, site=site_of(self._app))
        self._task = loop.create_task(self._serve(self._http))

    def _make_http(
        self, listens: Callable[[], None] | None, *, heeds_signals: bool = False
    ) -> HttpServer:
        return HttpServer(
            self._config,
            listens,
            heeds_signals=heeds_signals,
            site=site_of(self._app),
            handshake_s=self.settings.http_request_timeout_ms / 1000,
        )

    async def _serve(self, http: HttpServer) -> None:
        try:
            await http.serve(sockets=self._sockets)
        except SystemExit:  # uvicorn's, which must not end the program around us
            raise _not_started() from None
        finally:
            self._ended()

    def _ended(self) -> None:
        self.unlisten()
        self._over.set()

    def _start_thread(self) -> None:
        listens: Future[None] = Future()

        def serve() -> None:
            try:
                with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
                    self._loop = runner.get_loop()
                    http = self._make_http(lambda: listens.set_result(None))
                    self._http = http
                    run_to_the_end(self._loop, self._serve(http))
            except BaseException as error:
                if listens.done():
                    raise
                listens.set_exception(error)
            finally:
                if not listens.done():
                    listens.set_exception(_not_started())

        self._thread = threading.Thread(target=serve, name="hyperfocal-server", daemon=True)
        self._thread.start()
        listens.result()

    def stop(self, wait: bool = True) -> None:
        """Stop serving: sessions end with their hooks. A no-op when it does not serve.

        Args:
            wait: until that is done; not possible on the loop's own thread, where it goes on in the
                background (``async with`` and ``await server.stopped()`` wait).
        """
        loop, http = self._loop, self._http
        if http is None or loop is None:
            self.unlisten()
            return
        if _runs_here(loop):
            http.end()
            return
        if not self._over.is_set():
            loop.call_soon_threadsafe(http.end)
        if wait:
            self._over.wait(_STOP_S)
            if self._thread is not None:
                self._thread.join(_STOP_S)

    async def stopped(self) -> None:
        """Wait until it has ended. For programs on its own event loop."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def unlisten(self) -> None:
        """Take no new connections."""
        for listening in self._sockets:
            listening.close()

    def run_until_shutdown(self) -> None:
        """Serve until SIGINT or SIGTERM comes, or ``stop`` is called. In the main thread.

        Raises:
            UsageError: it is not the main thread; use ``start`` there.
        """
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("run_until_shutdown needs the main thread; use start() in others")
        if self._thread is None and self._http is None:
            self._begin()
            with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
                self._loop = runner.get_loop()
                self._http = self._make_http(None, heeds_signals=True)
                run_to_the_end(self._loop, self._serve(self._http))
            return
        if self._loop is not None and _runs_here(self._loop):
            raise UsageError("the server's loop runs in this thread; await server.stopped()")
        with heeding((signal.SIGINT, signal.SIGTERM), lambda *_: self._over_soon()):
            while not self._over.wait(0.5):  # signals are seen between two waits
                pass
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _over_soon(self) -> None:
        if self._loop is not None and self._http is not None:
            self._loop.call_soon_threadsafe(self._http.end)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Server:
        self._begin()
        loop = asyncio.get_running_loop()
        self._loop = loop
        listens = asyncio.Event()
        self._start_on(loop, listens.set)
        assert self._task is not None
        waiting = asyncio.ensure_future(listens.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._task
            raise _not_started()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        await self.stopped()

    # --- what it serves --------------------------------------------------------------------------

    @property
    def _site(self) -> Site:
        site: Site = self._app.state.site
        return site

    def _served(self, app_path: str) -> Served:
        for served in self._site.served:
            if served.url == app_path:
                return served
        raise ValueError(f"nothing is served at {app_path!r}")

    def get_session(self, app_path: str, session_id: str) -> Session:
        """The live session of this id.

        Raises:
            ValueError: there is no such application or session.
        """
        return self._served(app_path).context.get_session(session_id)

    def get_sessions(self, app_path: str | None = None) -> list[Session]:
        """The live sessions, of one application or of all.

        Raises:
            ValueError: there is no such application.
        """
        every = self._site.served if app_path is None else (self._served(app_path),)
        return [session for served in every for session in served.context.sessions]

    def show(self, app_path: str, browser: str | None = None, new: str = "tab") -> None:
        """Open an application in a browser.

        Args:
            app_path: the application's URL path, which begins with a slash.
            browser: its name, as the standard library's ``webbrowser`` knows it.
            new: "tab" or "window".

        Raises:
            ValueError: the path does not begin with a slash, or ``new`` is something else.
        """
        if not app_path.startswith("/"):
            raise ValueError("app_path must begin with a slash")
        if new not in ("tab", "window"):
            raise ValueError("new must be 'tab' or 'window'")
        webbrowser.get(browser).open(self.url + app_path, {"tab": 2, "window": 1}[new])


def _not_started() -> UsageError:
    return UsageError("the server could not be started; see its log")


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
