"""Everything that the routes of one server share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from collections.abc import AsyncGenerator, Iterable
from functools import partial
from importlib.metadata import version
from typing import Any

from starlette.concurrency import run_in_threadpool

from hyperfocal.auth import AuthProvider, SessionPolicy, TokenAuthority
from hyperfocal.clock import Clock, SystemClock
from hyperfocal.config import AsyncLoop, Settings
from hyperfocal.contexts import ApplicationContext
from hyperfocal.document import acceleration, imports_take_turns
from hyperfocal.engine import Builds, Owner, ThreadedEngine, ThreadLimits, Watchdog
from hyperfocal.errors import UsageError
from hyperfocal.pages import Index, StaticFiles
from hyperfocal.session import Admission, AdmissionLimits
from hyperfocal.telemetry import Counters, Telemetry, log_failure
from hyperfocal.telemetry.memory import resident_bytes
from hyperfocal.web.development import Development
from hyperfocal.web.exchange import Place
from hyperfocal.web.listing import Listing, Served
from hyperfocal.web.providers import make_provider
from hyperfocal.web.reports import reporting
from hyperfocal.web.stopping import Stopping
from hyperfocal.web.visits import Visits
from hyperfocal.wire import Limits

__all__ = ("Site", "make_site")

_log = logging.getLogger("hyperfocal")

#: Seconds that an application's sessions and hooks have to end at shutdown.
_CLOSE_TIMEOUT_S = 10.0

#: Seconds that a page has to open its websocket before its session may go for want of memory.
_UNUSED_S = 5.0


def _import_what_streams_need() -> None:
    """Starlette imports it for its first stream: some 90 ms, for which everybody would wait."""
    asyncio.run(run_in_threadpool(int))


class Site:
    """The applications of a server and its rules.

    Args:
        served: the applications.
        settings: the settings in force.
        telemetry: hears what happens.
        counters: what the health endpoint shows.
        visits: lets visitors in.
        engine: runs the applications' code.
        builds: how many documents are built at once.
        admission: who may have a session.
        provider: says who visitors are, and lets nobody in who is nobody; ``None``: everybody
            may come in.
        place: where this process stands among several; ``None``: it is the only one.
    """

    def __init__(
        self,
        served: Iterable[Served],
        settings: Settings,
        telemetry: Telemetry,
        counters: Counters,
        visits: Visits,
        engine: ThreadedEngine,
        builds: Builds,
        admission: Admission,
        provider: AuthProvider | None = None,
        place: Place | None = None,
    ) -> None:
        self.served = tuple(served)
        self.place = place
        #: Those that run in this process; the others are shown, and run elsewhere.
        self.running = tuple(one for one in self.served if place is None or place.runs(one.url))
        self.settings = settings
        self.telemetry = telemetry
        self.counters = counters
        self.visits = visits
        self.engine: ThreadedEngine = engine
        self.builds = builds
        self.admission = admission
        self.provider = provider
        admission.make_room = self._make_room
        self.stopping = Stopping(settings.shutdown_delay_ms / 1000)
        #: Whether the lifespan has begun.
        self.begun = False
        self._late: asyncio.Future[None] | None = None
        self._forever = contextlib.AsyncExitStack()
        #: What follows the applications' files, with ``--dev``.
        self.development: Development | None = None
        self._making_room: asyncio.Task[None] | None = None
        #: Raises ``ConfigError`` for a template that is none.
        self.index = Index(settings.index)
        self.statics = StaticFiles(place)
        self.limits = Limits(
            message_bytes=settings.websocket_max_message_bytes,
            buffers=settings.websocket_max_buffers,
        )
        self.versions = {
            "bokeh": version("bokeh"),
            "server": version("bokeh"),
            "hyperfocal": version("hyperfocal"),
        }

    # --- lifetime --------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Load hooks at the start, expiry in between, sessions' and unload hooks at the end.

        Raises:
            UsageError: it has begun before.
        """
        if self.begun:
            raise UsageError("the lifespan of this application has begun before")
        self.begun = True
        self.engine.start()
        threading.Thread(
            target=_import_what_streams_need, name="hyperfocal-imports", daemon=True
        ).start()
        for served in self.running:
            loading = served.context.run_load_hook()
            if loading is not None:
                await loading
            served.context.start_prewarming()
        watchdog = Watchdog(self.settings.warn_blocked_ms / 1000, self.engine, self.telemetry)
        if self.settings.warn_blocked_ms:
            watchdog.start()
        sweeper = asyncio.create_task(self._sweep(), name="hyperfocal-expiry")
        try:
            async with contextlib.AsyncExitStack() as within:
                await within.enter_async_context(
                    reporting(self.settings, self.running, self.telemetry)
                )
                if self.development is not None:
                    await within.enter_async_context(self.development.watching())
                yield
        finally:
            sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeper
            await asyncio.gather(*(self._close(served) for served in self.running))
            watchdog.close()
            self.engine.close()

    async def begin_late(self) -> None:
        """A request has come, and nobody has begun the lifespan: begin it.

        It is not ended: nobody says when that would be.
        """
        if self._late is None:
            _log.warning(
                "Whoever serves this application does not run its lifespan. It begins now, and "
                "hooks will not run at the end. See hyperfocal.lifespan for how to mount it"
            )
            self._late = asyncio.ensure_future(self._lifespan_without_end())
        await asyncio.shield(self._late)

    async def _lifespan_without_end(self) -> None:
        await self._forever.enter_async_context(self.lifespan())

    async def say_that_it_ends(self) -> None:
        """Go on until whoever asks how the server is knows that it is about to end."""
        await self.stopping.begin()

    def begin_closing(self) -> None:
        """The server is about to end: make no new sessions. Pages that wait get an answer soon."""
        for served in self.running:
            served.context.begin_closing()

    async def _close(self, served: Served) -> None:
        """Close one application's sessions, and its hooks; a hook that hangs holds up nobody."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await served.context.close()
        except TimeoutError:
            _log.error(
                "%s: sessions or hooks did not end within %g seconds; leaving them",
                served.url,
                _CLOSE_TIMEOUT_S,
            )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.settings.check_unused_sessions_ms / 1000)
            for served in self.running:
                try:
                    async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                        await served.context.expire()
                except TimeoutError:
                    _log.error("%s: hooks of a session that ends take too long", served.url)
                except Exception as error:
                    what = "%s: looking for unused sessions failed"
                    log_failure(_log, logging.ERROR, what, served.url, error=error)

    def _make_room(self) -> None:
        """Memory is short: end the sessions that nobody has open."""
        if self._making_room is None or self._making_room.done():
            self._making_room = asyncio.create_task(self._discard_unused())

    async def _discard_unused(self) -> None:
        ended = 0
        for served in self.running:
            ended += await served.context.discard_unused(_UNUSED_S, "memory is short")
        _log.warning(
            "The process has more in memory than --max-memory allows: visitors are sent away, and "
            "%d sessions that nobody has open were ended",
            ended,
        )


def make_site(
    applications: Iterable[Listing],
    settings: Settings,
    telemetry: Telemetry,
    *,
    clock: Clock | None = None,
    provider: AuthProvider | None = None,
    place: Place | None = None,
) -> Site:
    """Assemble a site.

    Args:
        applications: what is served.
        settings: the settings.
        telemetry: hears what happens; the site's counters are subscribed to it.
        clock: tells the time.
        provider: says who visitors are; by default the one that the settings ask for, if any.
        place: where this process stands among several that serve the same applications.

    Raises:
        UsageError: there cannot be such a provider.
    """
    listed = list(applications)
    if settings.accelerate and not acceleration.install():
        _log.info(
            "Documents are built at Bokeh's own pace: its release %s is unknown", version("bokeh")
        )
    time = clock if clock is not None else SystemClock()
    made_up = secrets.token_bytes(32) if place is None else place.secret
    secret = settings.secret_key if settings.secret_key is not None else made_up
    chosen = provider if provider is not None else make_provider(settings, secret, time)
    tokens = TokenAuthority(secret, time, settings.token_expiration_s)
    policy = SessionPolicy(
        settings.session_ids,
        secret,
        secret_given=settings.secret_key is not None,
        # Where nothing runs no session is made, and no id would do.
        owns=place.owns if place and any(place.runs(one.url) for one in listed) else None,
    )
    counters = Counters()
    telemetry.subscribe(counters)
    engine = ThreadedEngine(
        ThreadLimits(
            settings.threads,
            settings.threads_per_visitor,
            # With one application there is nobody for whom to leave threads.
            settings.threads_per_app if len(listed) > 1 else settings.threads,
            settings.own_threads,
        ),
        imports_take_turns,
    )
    engine.on_host = settings.async_loop is not AsyncLoop.OWN
    builds = Builds(settings.build_threads, settings.build_queue)
    plain: Any = chosen
    if hasattr(plain, "run_plain"):  # an auth module
        plain.run_plain = partial(engine.call, Owner("", "/", "authentication"))
    admission = Admission(AdmissionLimits.of(settings), time, resident_bytes)
    served = [
        Served(
            one.url,
            ApplicationContext(
                one.application,
                url=settings.prefix + one.url,
                logout_url=chosen.logout_url if chosen is not None else None,
                settings=settings,
                telemetry=telemetry,
                clock=time,
                tokens=tokens,
                engine=engine,
                builds=builds,
                admission=admission,
            ),
            one.title,
            one.description,
            one.thumbnail,
        )
        for one in listed
    ]
    site = Site(
        served,
        settings,
        telemetry,
        counters,
        Visits(settings, tokens, policy, telemetry, time, place),
        engine,
        builds,
        admission,
        chosen,
        place,
    )
    if settings.dev:
        paths = {one.url: one.path for one in listed if one.path is not None}
        site.development = Development(site, paths, settings.arguments, settings.dev_watch)
    return site
