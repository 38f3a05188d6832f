"""A session's beginning and its end, for a visitor who has come or for one yet to come."""

# The contexts share what no application should see.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bokeh.document import Document

from hyperfocal.application import build_document
from hyperfocal.auth import user_name
from hyperfocal.clock import Clock
from hyperfocal.contexts.prewarming import Ahead, Demand, Prewarming, building_ahead
from hyperfocal.contexts.session import BokehSessionContext
from hyperfocal.document import needs_own_thread, new_document, session_created_hook
from hyperfocal.engine import Builds
from hyperfocal.errors import BuildError
from hyperfocal.panel import end, settle, watch
from hyperfocal.session import (
    Admission,
    ExpiryRules,
    Lifetime,
    Seat,
    Session,
    SessionRequest,
    Turn,
)
from hyperfocal.telemetry import (
    BuildFailed,
    PrewarmingStopped,
    SessionCreated,
    SessionDestroyed,
    Telemetry,
    log_failure,
    text_of,
)

if TYPE_CHECKING:
    from hyperfocal.contexts.application import ApplicationContext

__all__ = ("SessionMaker",)

_log = logging.getLogger("hyperfocal")

#: Seconds for which the end of a session waits for a callback that has its document.
_END_S = 20.0
#: Seconds for which it waits for the session's timers, and again when they have been cancelled.
_GRACE_S = 1.0
#: The same two when the server ends.
_HURRIED_END_S, _HURRIED_GRACE_S = 2.0, 0.5


class SessionMaker:
    """Makes the sessions of one application and takes them down.

    Args:
        owner: the application's context.
        telemetry: hears what happens.
        clock: tells the time.
        builds: how many documents are built at once; by default any number.
        admission: who may have a session; by default everybody.
    """

    def __init__(
        self,
        owner: ApplicationContext,
        telemetry: Telemetry,
        clock: Clock,
        builds: Builds | None = None,
        admission: Admission | None = None,
    ) -> None:
        watch()
        self._owner = owner
        self._telemetry = telemetry
        self._clock = clock
        self._builds = builds
        self._admission = admission
        #: Whether Bokeh has looked for mistakes in a document of this application.
        self._checked = False
        self._grace_s, self._end_s = _GRACE_S, _END_S
        self.prewarming = self._make_prewarming()

    @property
    def _url(self) -> str:
        return self._owner.url or "/"

    def session_of(self, session_id: str, document: Document) -> Session:
        """A session for a document that is there."""
        settings = self._owner.settings
        return Session(
            session_id,
            document,
            loop=self._owner._engine.loop,
            clock=self._clock,
            telemetry=self._telemetry,
            url=self._url,
            rules=ExpiryRules(
                unused_s=settings.unused_session_lifetime_ms / 1000,
                lost_s=settings.lost_session_lifetime_ms / 1000,
            ),
            engine=self._owner._engine,
            warn_long_turn_s=settings.warn_long_turn_ms / 1000,
            max_connections=settings.max_connections_per_session,
        )

    async def build(
        self, session_id: str, request: SessionRequest | None, payload: Mapping[str, Any]
    ) -> Session:
        """A live session for a visitor: one that was built ahead, or one made now.

        Raises:
            BuildError: the application failed.
            BusyError: there are too many sessions.
        """
        began = self._clock.monotonic()
        seat = self._seat_for(request)
        try:
            ready = await self._take_ready()
        except BaseException:
            if seat is not None:
                seat.free()
            raise
        session = ready if ready is not None else self._new_session(session_id)
        session.seat = seat
        session.arrive(session_id, _visitor(request))
        session.context._arrive(session_id, request, payload)
        try:
            if ready is None:
                await session.context._hooks.session_created(session.context)
                await self._fill(session)
            else:
                await session.context._hooks.session_created(
                    session.context, wanted=_waits_for_visitor
                )
            session.go_live()
        except BaseException as error:
            if isinstance(error, BuildError):
                self._telemetry.emit(BuildFailed(self._url, session.label, error, error.detail))
            await self.destroy(session, "build failed")
            raise
        if self.prewarming is not None:
            self.prewarming.resume()
        took = self._clock.monotonic() - began
        self._telemetry.emit(SessionCreated(self._url, session.label, took))
        return session

    def _seat_for(self, request: SessionRequest | None) -> Seat | None:
        if self._admission is None:
            return None
        if request is None:
            return self._admission.admit(self._url, "")
        return self._admission.admit(self._url, request.remote_ip, user_name(request.user) or "")

    def _new_session(self, session_id: str) -> Session:
        document = new_document()
        session = self.session_of(session_id, document)
        owner = self._owner
        context = BokehSessionContext(session_id, owner.server_context, document, owner.logout_url)
        context._session = session
        context._hooks = owner._hooks
        session.context = context
        return session

    async def _fill(self, session: Session) -> None:
        """Have the application fill the session's document, in a turn."""
        limit_ms = self._owner.settings.build_timeout_ms
        async with self._slot(session):
            building = asyncio.ensure_future(session.turns.run(lambda turn: self._build(session)))
            try:
                await asyncio.wait({building}, timeout=limit_ms / 1000 if limit_ms else None)
            finally:
                if not building.done() or building.cancelled():
                    # The thread is left alone with the document, which nobody gets any more.
                    session.turns.closed = True
                    building.cancel()
        if building.cancelled() or not building.done():
            took = f"it took longer than {limit_ms / 1000:g} s (--build-timeout)"
            raise BuildError(self._url, took, "")
        building.result()
        self._checked = True

    def _slot(self, session: Session) -> contextlib.AbstractAsyncContextManager[None]:
        if self._builds is None:
            return contextlib.nullcontext()
        visitor = session.turns.mailbox.owner.visitor
        return self._builds.slot(self._url, session.id, visitor)

    def _build(self, session: Session) -> None:
        """In a turn, in a thread."""
        check = self._owner.settings.dev or not self._checked
        document = session.document
        build_document(self._owner.application, document, self._url, check=check)
        if self._owner.settings.thread_per_session or needs_own_thread(document):
            session.turns.engine.keep_thread(session.turns.mailbox)

    # --- ahead -----------------------------------------------------------------------------------

    def _make_prewarming(self) -> Prewarming | None:
        settings = self._owner.settings
        if settings.prewarm == 0:
            return None
        return Prewarming(
            None if settings.prewarm == "auto" else int(settings.prewarm),
            Demand(settings.prewarm_max_bytes),
            self._build_ahead,
            self._end,
            self._clock,
        )

    def start_prewarming(self) -> None:
        """Build sessions ahead, as ``settings.prewarm`` says."""
        if self.prewarming is not None:
            self.prewarming.start()

    async def empty_pool(self) -> None:
        """The application has changed: what was built ahead is of no use."""
        self._checked = False
        if self.prewarming is not None:
            await self.prewarming.empty()

    def hurry(self) -> None:
        """The server ends: callbacks that do not end keep no session for long."""
        self._grace_s, self._end_s = _HURRIED_GRACE_S, _HURRIED_END_S

    async def close(self) -> None:
        """Build nothing ahead any more, and discard what nobody has taken."""
        if self.prewarming is not None:
            await self.prewarming.close()

    async def _take_ready(self) -> Session | None:
        if self.prewarming is None:
            return None
        session = self.prewarming.take()
        if session is None or session.context._ahead.looked_at is None:
            return session
        # Something that the building had started has asked meanwhile.
        self.prewarming.retire()
        self._stopped(_depends(session.context._ahead))
        await self._end(session)
        return None

    async def _build_ahead(self) -> Session | None:
        """A session for a visitor yet to come; ``None`` when that cannot be.

        Raises:
            BuildError: the application failed, without having looked at the visitor.
        """
        session = self._new_session(f"ahead-{secrets.token_hex(8)}")
        session.context._ahead = ahead = Ahead()
        token = building_ahead.set(ahead)
        try:
            await session.context._hooks.session_created(session.context, wanted=_is_safe)
            await self._fill(session)
            if ahead.looked_at is None:
                return session
        except BuildError as error:
            if ahead.looked_at is None:
                await self._end(session)
                self._stopped(f"building a document failed: {text_of(error)}")
                raise
        except BaseException:
            await self._end(session)
            raise
        finally:
            building_ahead.reset(token)
        await self._end(session)
        self._stopped(_depends(ahead))
        return None

    def _stopped(self, why: str) -> None:
        self._telemetry.emit(PrewarmingStopped(self._url, why))

    # --- the end ---------------------------------------------------------------------------------

    async def destroy(self, session: Session, why: str) -> None:
        """Hooks of handlers, then the document's own, then the document itself."""
        await self._end(session, tell_handlers=True)
        self._telemetry.emit(SessionDestroyed(self._url, session.label, why))

    async def _end(self, session: Session, *, tell_handlers: bool = False) -> None:
        """Take it down; handlers are not told of the end of one for which no visitor came."""
        context = session.context
        if session.lifetime is not Lifetime.CLOSING:
            session.begin_closing()
        try:
            await session.end_callbacks(self._grace_s)
            if tell_handlers:
                await context._hooks.session_destroyed(context)
            if not session.turns.closed:
                async with asyncio.timeout(self._end_s):
                    await self._end_document(session)
        except TimeoutError:
            pass  # a callback has the document; it keeps it
        except Exception as error:
            what = "%s: taking a session down failed; it is left to itself"
            log_failure(_log, logging.ERROR, what, self._url, error=error)
        finally:
            if not session.destroyed:
                session.abandon()
            context._end()
            if session.seat is not None:
                session.seat.free()

    @staticmethod
    async def _end_document(session: Session) -> None:
        context = session.context

        def begin(turn: Turn) -> list[Any]:
            session.say_goodbye()
            settle(turn.document)
            callbacks = list(turn.document.session_destroyed_callbacks)
            turn.document.session_destroyed_callbacks.clear()
            return callbacks

        for callback in await session.turns.run(begin):
            await context._hooks.document_destroyed(
                callback, context, session.turns.with_locked_document
            )
        await session.turns.run(lambda turn: end(turn.document))
        await session.destroy()


def _depends(ahead: Ahead) -> str:
    return f"the document depends on {ahead.looked_at}"


def _is_safe(receiver: Any) -> bool:
    """Whether a handler's ``on_session_created`` hook may run before a visitor has come."""
    hook = session_created_hook(receiver)
    return getattr(hook, "__hyperfocal_prewarm_safe__", False) is True


def _waits_for_visitor(receiver: Any) -> bool:
    return not _is_safe(receiver)


def _visitor(request: SessionRequest | None) -> str:
    """On whose account threads are used: the user's, or else the client's address.

    The address of this machine is nobody in particular: whoever is behind a proxy has it.
    """
    if request is None:
        return ""
    name = user_name(request.user)
    if name is not None:
        return f"user {name}"
    address = request.remote_ip
    return "" if address in ("", "127.0.0.1", "::1") else address
