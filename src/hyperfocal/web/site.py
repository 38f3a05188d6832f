"""Everything that the routes of one server share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hyperfocal.auth import (
    AuthProvider,
    OriginPolicy,
    SessionPolicy,
    TokenAuthority,
    dump_payload,
    user_name,
)
from hyperfocal.clock import Clock, SystemClock
from hyperfocal.config import Settings
from hyperfocal.contexts import ApplicationContext, SessionRequest
from hyperfocal.document import acceleration
from hyperfocal.errors import AuthError, BusyError, UsageError
from hyperfocal.pages import Index, StaticFiles
from hyperfocal.panel import is_panels, place_files
from hyperfocal.session import Admission, AdmissionLimits, Execution, Session, Watchdog
from hyperfocal.telemetry import Counters, HookFailed, Telemetry
from hyperfocal.telemetry.memory import resident_bytes
from hyperfocal.web.development import Development
from hyperfocal.web.disclosure import Disclosure
from hyperfocal.web.exchange import Place
from hyperfocal.web.providers import make_provider
from hyperfocal.web.reports import reporting
from hyperfocal.web.requests import Scope, header, is_direct_local, read_request, restore_request
from hyperfocal.wire import Limits

__all__ = ("Listing", "Served", "Site", "Visit", "make_site")

_log = logging.getLogger("hyperfocal")

#: Seconds that an application's sessions and hooks have to end at shutdown.
_CLOSE_TIMEOUT_S = 10.0

#: Seconds that a page has to open its websocket before its session may go for want of memory.
_UNUSED_S = 5.0

#: Whose pages may connect unless told otherwise. What listens knows its port and says so.
_LOCAL_ORIGINS = ("localhost:*", "127.0.0.1:*", "[::1]:*")

#: What a token's payload says of the page's request, beside what hooks have added.
_REQUEST = frozenset({"arguments", "headers", "cookies"})


@dataclass(frozen=True, slots=True)
class Served:
    """An application and how the index shows it. ``url`` is "/" or "/name"."""

    url: str
    context: ApplicationContext
    title: str
    description: str
    thumbnail: Path | None = None

    @property
    def path(self) -> str:
        """The URL path without a slash at its end: "" or "/name"."""
        return self.url.rstrip("/")


@dataclass(frozen=True, slots=True)
class Listing:
    """An application to serve: where, and how the index shows it. ``url`` is "/" or "/name"."""

    url: str
    application: Any
    title: str
    description: str
    thumbnail: Path | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page. ``token`` is what lets the page connect to its session."""

    session_id: str
    request: SessionRequest
    payload: Mapping[str, Any]
    token: str


class Site:
    """The applications of a server and its rules.

    Args:
        served: the applications.
        settings: the settings in force.
        telemetry: hears what happens.
        counters: what the health endpoint shows.
        tokens: issues and reads tokens.
        policy: which session ids and tokens are taken.
        clock: tells the time.
        execution: where the applications' plain code runs.
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
        tokens: TokenAuthority,
        policy: SessionPolicy,
        clock: Clock,
        execution: Execution,
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
        self.tokens = tokens
        self.policy = policy
        self.clock = clock
        self.execution = execution
        self.admission = admission
        self.provider = provider
        admission.make_room = self._make_room
        #: Whether the lifespan has begun.
        self.begun = False
        self._late: asyncio.Future[None] | None = None
        self._forever = contextlib.AsyncExitStack()
        #: What follows the applications' files, with ``--dev``.
        self.development: Development | None = None
        self._making_room: asyncio.Task[None] | None = None
        #: Raises ``ConfigError`` for a template that is none.
        self.index = Index(settings.index)
        self._disclosure = Disclosure(settings)
        self.statics = StaticFiles(place)
        self.origins = OriginPolicy(settings.websocket_origins or _LOCAL_ORIGINS)
        self.limits = Limits(
            message_bytes=settings.websocket_max_message_bytes,
            buffers=settings.websocket_max_buffers,
        )
        self.versions = {
            "bokeh": version("bokeh"),
            "server": version("bokeh"),
            "hyperfocal": version("hyperfocal"),
        }

    # --- lifetime -----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Load hooks at the start, expiry in between, sessions' and unload hooks at the end.

        Raises:
            UsageError: it has begun before.
        """
        if self.begun:
            raise UsageError("the lifespan of this application has begun before")
        self.begun = True
        for served in self.running:
            loading = served.context.run_load_hook()
            if loading is not None:
                await loading
            served.context.start_prewarming()
        watchdog = Watchdog(self.settings.warn_blocked_ms / 1000, self.execution, self.telemetry)
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
            self.execution.close()
            watchdog.close()

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
                except Exception:
                    _log.exception("%s: looking for unused sessions failed", served.url)

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

    # --- sessions -----------------------------------------------------------------------------

    def admit(
        self, served: Served, scope: Scope, arguments: Mapping[str, str], root: str = ""
    ) -> Visit:
        """Who asks for a page, and for which session.

        Args:
            served: the application.
            scope: the request.
            arguments: its query arguments.
            root: where the server's URLs begin, for a page of somebody else's.

        Raises:
            AuthError: the request brings a session id that is not taken.
        """
        given, known = self._given_session(served, scope, arguments)
        session_id = given if given is not None else self.policy.new_session_id()
        whole = read_request(scope)
        if given is not None:
            self._check_user(served.context.find_session(given), whole.user)
        extra = {**known, **self._process_request(served, whole)}
        request = self._disclosure(whole)
        payload = {**request.payload(), **extra}
        less = {"arguments": payload["arguments"], **extra}
        token = self.tokens.issue(session_id, payload, less, root=root)
        return Visit(session_id, request, payload, token)

    async def session_of(self, served: Served, visit: Visit) -> Session:
        """The session for a visit, made now if there is none.

        Raises:
            BuildError: the application failed.
            BusyError: too many sessions are being made, or it lives in another process.
        """
        self._check_owned(served, visit.session_id)
        return await served.context.create_session_if_needed(
            visit.session_id, visit.request, payload=visit.payload
        )

    def _given_session(
        self, served: Served, scope: Scope, arguments: Mapping[str, str]
    ) -> tuple[str | None, Mapping[str, Any]]:
        """The session id that a page request brings, if any, and what its token knows."""
        direct_local = is_direct_local(scope)
        in_header = header(scope, b"bokeh-session-id")
        session_id = arguments.get("bokeh-session-id") or in_header
        if in_header and session_id != in_header:
            raise AuthError("the session ids in the argument and in the header differ")
        text = arguments.get("bokeh-token")
        if not text:
            if session_id:
                self.policy.check_session_id(session_id, direct_local=direct_local)
            return session_id or None, {}
        token = self.tokens.read(text)
        if session_id and session_id != token.session_id:
            raise AuthError("the session ids of the request and of its token differ")
        self.policy.check_token(
            token,
            now=self.clock.wall(),
            direct_local=direct_local,
            session_exists=served.context.knows(token.session_id),
        )
        extra = {name: value for name, value in token.payload.items() if name not in _REQUEST}
        return token.session_id, extra

    async def open_websocket(
        self, served: Served, scope: Scope, token_text: str
    ) -> tuple[Session, str]:
        """The session that a websocket asks for, made anew if it may be, and its page's name.

        Raises:
            AuthError: the token is not taken.
            BuildError: the application failed.
            BusyError: there are too many sessions, or it lives in another process.
        """
        token = self.tokens.read(token_text)
        self._check_owned(served, token.session_id)
        context = served.context
        existed = context.knows(token.session_id)
        self.policy.check_token(
            token,
            now=self.clock.wall(),
            direct_local=is_direct_local(scope),
            session_exists=existed,
        )
        own = read_request(scope)
        if existed:  # and has the request of its page
            session = await context.create_session_if_needed(token.session_id)
            self._check_user(session, own.user)
            return session, token.page
        whole = restore_request(own, token.payload)
        request = self._disclosure(whole)
        payload: Mapping[str, Any] = token.payload
        if "headers" not in payload:
            payload = {**request.payload(), **payload, **self._process_request(served, whole)}
        session = await context.create_session_if_needed(token.session_id, request, payload=payload)
        if token.signed:
            # The page outlived its session. If it had the document before, it is one that comes
            # back, and would lose buffers; nobody here remembers.
            session.note_page(token.page)
            if is_panels(session.document):
                await self._place(session, token.root)
        return session, token.page

    async def _place(self, session: Session, root: str) -> None:
        """Have a document's files asked for here. Otherwise its page sees to that."""
        self.statics.publish()
        async with session.turn() as turn:
            place = partial(place_files, turn.document, root)
            await session.run_in(turn, place_files, place)

    def _check_owned(self, served: Served, session_id: str) -> None:
        """Raise where a session would be made twice. Requests are brought to the right process.

        Raises:
            BusyError: this one is not.
        """
        place = self.place
        if place is not None and not (place.runs(served.url) and place.owns(session_id)):
            raise BusyError("the session lives in another process; please try again", 1)

    @staticmethod
    def _check_user(session: Session | None, user: Any) -> None:
        """Raise if the session was made for somebody else.

        Raises:
            AuthError: it was.
        """
        if session is None or session.context is None:
            return
        request = session.context.request
        owner = user_name(request.user) if request is not None else None
        if owner is not None and user_name(user) != owner:
            raise AuthError("this session is somebody else's; reload the page")

    def check_origin(self, scope: Scope) -> None:
        """Raise unless pages of this origin may connect.

        Raises:
            AuthError: they may not; the reason names the option that lets them.
        """
        origin = header(scope, b"origin")
        if not self.origins.allows(origin):
            host = (origin or "").partition("://")[2] or origin
            raise AuthError(
                f"origin {origin} is not allowed; allow it with --allow-websocket-origin={host}"
            )

    def may_push(self, scope: Scope) -> bool:
        """Whether who asks may replace the document, and bring code for the browsers of others."""
        return self.policy.may_push(
            self.settings.allow_push_doc, direct_local=is_direct_local(scope)
        )

    def _process_request(self, served: Served, request: SessionRequest) -> dict[str, Any]:
        """What the hooks add to the token, without what does not fit into one."""
        kept: dict[str, Any] = {}
        for name, value in served.context.process_request(request).items():
            try:
                dump_payload({name: value})
            except (TypeError, ValueError, RecursionError) as error:
                self.telemetry.emit(HookFailed(served.url, f"process_request ({name})", error))
            else:
                kept[name] = value
        return kept


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
    execution = Execution.of(settings, time, telemetry)
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
                execution=execution,
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
        tokens,
        policy,
        time,
        execution,
        admission,
        chosen,
        place,
    )
    if settings.dev:
        paths = {one.url: one.path for one in listed if one.path is not None}
        site.development = Development(site, paths, settings.arguments, settings.dev_watch)
    return site
