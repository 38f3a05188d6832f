"""A session's beginning and its end, for a visitor who has come or for one yet to come."""

# The contexts share what no application should see.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bokeh.document import Document

from hyperfocal.application import build_document
from hyperfocal.auth import user_name
from hyperfocal.clock import Clock
from hyperfocal.contexts.prewarming import Ahead, Demand, Prewarming, building_ahead
from hyperfocal.contexts.session import BokehSessionContext
from hyperfocal.document import new_document, session_created_hook
from hyperfocal.errors import BuildError
from hyperfocal.panel import end, settle, watch
from hyperfocal.session import (
    Admission,
    Execution,
    ExpiryRules,
    Lifetime,
    Seat,
    Session,
    SessionRequest,
)
from hyperfocal.telemetry import (
    BuildFailed,
    PrewarmingStopped,
    SessionCreated,
    SessionDestroyed,
    Telemetry,
    text_of,
)

if TYPE_CHECKING:
    from hyperfocal.contexts.application import ApplicationContext

__all__ = ("SessionMaker",)


class SessionMaker:
    """Makes the sessions of one application and takes them down.

    Args:
        owner: the application's context.
        telemetry: hears what happens.
        clock: tells the time.
        execution: where documents are built.
        admission: who may have a session; by default everybody.
    """

    def __init__(
        self,
        owner: ApplicationContext,
        telemetry: Telemetry,
        clock: Clock,
        execution: Execution,
        admission: Admission | None = None,
    ) -> None:
        watch()
        self._owner = owner
        self._telemetry = telemetry
        self._clock = clock
        self._execution = execution
        self._admission = admission
        #: Whether Bokeh has looked for mistakes in a document of this application.
        self._checked = False
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
            loop=self._owner.io_loop,
            clock=self._clock,
            telemetry=self._telemetry,
            url=self._url,
            rules=ExpiryRules(
                unused_s=settings.unused_session_lifetime_ms / 1000,
                lost_s=settings.lost_session_lifetime_ms / 1000,
            ),
            execution=self._execution,
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
        session.id = session_id
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
                self._telemetry.emit(BuildFailed(self._url, session_id, error, error.detail))
            await self.destroy(session, "build failed")
            raise
        if self.prewarming is not None:
            self.prewarming.resume()
        took = self._clock.monotonic() - began
        self._telemetry.emit(SessionCreated(self._url, session_id, took))
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
        async with session.turn():
            check = self._owner.settings.dev or not self._checked
            application, document = self._owner.application, session.document
            limit_ms = self._owner.settings.build_timeout_ms
            try:
                async with asyncio.timeout(limit_ms / 1000 if limit_ms else None):
                    await self._execution.build(
                        self._url,
                        session.id,
                        lambda: build_document(application, document, self._url, check=check),
                    )
            except TimeoutError as error:
                took = f"it took longer than {limit_ms / 1000:g} s (--build-timeout)"
                raise BuildError(self._url, took, "") from error
            self._checked = True

    # --- ahead ----------------------------------------------------------------------------------

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

    # --- the end --------------------------------------------------------------------------------

    async def destroy(self, session: Session, why: str) -> None:
        """Hooks of handlers, then the document's own, then the document itself."""
        await self._end(session, tell_handlers=True)
        self._telemetry.emit(SessionDestroyed(self._url, session.id, why))

    async def _end(self, session: Session, *, tell_handlers: bool = False) -> None:
        """Take it down; handlers are not told of the end of one for which no visitor came."""
        context = session.context
        if session.lifetime is not Lifetime.CLOSING:
            session.begin_closing()
        await session.end_callbacks()
        if tell_handlers:
            await context._hooks.session_destroyed(context)
        async with session.turn() as turn:
            settle(turn.document)
            callbacks = list(turn.document.session_destroyed_callbacks)
            turn.document.session_destroyed_callbacks.clear()
            for callback in callbacks:
                await context._hooks.document_destroyed(callback, context)
            end(turn.document)
        await session.destroy()
        context._end()
        if session.seat is not None:
            session.seat.free()


def _depends(ahead: Ahead) -> str:
    return f"the document depends on {ahead.looked_at}"


def _is_safe(receiver: Any) -> bool:
    """Whether a handler's ``on_session_created`` hook may run before a visitor has come."""
    hook = session_created_hook(receiver)
    return getattr(hook, "__hyperfocal_prewarm_safe__", False) is True


def _waits_for_visitor(receiver: Any) -> bool:
    return not _is_safe(receiver)
