"""An application, what is global to all its sessions, and the sessions themselves."""

# The three contexts share what no application should see.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import Awaitable, Mapping
from contextvars import copy_context
from typing import Any

from bokeh.application.application import Application

from hyperfocal.application import Hooks
from hyperfocal.auth import TokenAuthority
from hyperfocal.clock import Clock, SystemClock
from hyperfocal.config import Settings
from hyperfocal.contexts.making import SessionMaker
from hyperfocal.contexts.server import BokehServerContext
from hyperfocal.document import no_document
from hyperfocal.engine import Builds, Coroutines, Engine, InlineEngine, Mailbox, Owner
from hyperfocal.errors import NoEventLoopError
from hyperfocal.labels import session_label
from hyperfocal.session import (
    Admission,
    Ended,
    Session,
    SessionRegistry,
    SessionRequest,
    Timer,
    Timers,
)
from hyperfocal.telemetry import (
    ApplicationLoaded,
    ApplicationUnloaded,
    CallbackFailed,
    LogSubscriber,
    Telemetry,
    TimerLate,
)

__all__ = ("ApplicationContext",)


class ApplicationContext:
    """An application, what is global to all its sessions, and the sessions themselves.

    Args:
        application: the factory of documents.
        io_loop: an asyncio event loop, a Tornado ``IOLoop`` (its ``asyncio_loop`` is used), or
            ``None`` for the loop that is running when one is needed.
        url: the URL path at which the application is served.
        logout_url: where users log out, if anywhere.
        settings: lifetimes and the like.
        telemetry: hears what happens; by default it is logged.
        clock: tells the time.
        tokens: reads tokens given to ``create_session_if_needed``.
        engine: where code runs; by default all of it runs on the event loop.
        builds: how many documents are built at once; by default any number.
        admission: who may have a session; by default everybody.
    """

    def __init__(
        self,
        application: Application,
        io_loop: Any = None,
        url: str | None = None,
        logout_url: str | None = None,
        *,
        settings: Settings | None = None,
        telemetry: Telemetry | None = None,
        clock: Clock | None = None,
        tokens: TokenAuthority | None = None,
        engine: Engine | None = None,
        builds: Builds | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._application = application
        self._loop: asyncio.AbstractEventLoop | None = getattr(io_loop, "asyncio_loop", io_loop)
        self._url = url
        self._logout_url = logout_url
        self._settings = settings if settings is not None else Settings()
        self._telemetry = telemetry if telemetry is not None else Telemetry(LogSubscriber())
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._tokens = (
            tokens if tokens is not None else TokenAuthority(secrets.token_bytes(32), self._clock)
        )
        self._given_engine = engine
        self._mailbox: Mailbox | None = None
        self._coroutines: Coroutines | None = None
        self._hooks = self._hooks_of(application)
        self._server_context = BokehServerContext(self)
        self._maker = SessionMaker(self, self._telemetry, self._clock, builds, admission)
        self._registry = SessionRegistry(self._maker.destroy)

    def _hooks_of(self, application: Application) -> Hooks:
        return Hooks(
            application,
            self._telemetry,
            self._name,
            lambda: self._engine,
            has_threads=self._given_engine is not None and self._given_engine.has_threads,
        )

    @property
    def _engine(self) -> Engine:
        """Where code runs."""
        if self._given_engine is None:
            self._given_engine = InlineEngine(self._found_loop())
        return self._given_engine

    def _found_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                raise NoEventLoopError from None
        return self._loop

    @property
    def _name(self) -> str:
        return self._url or "/"

    # --- what the released class has -------------------------------------------------------------

    @property
    def application(self) -> Application:
        """The application."""
        return self._application

    @property
    def io_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop on which ``async`` code of this application runs.

        Raises:
            NoEventLoopError: none was given and none is running.
        """
        return self._engine.application_loop

    @property
    def url(self) -> str | None:
        """The URL path at which the application is served."""
        return self._url

    @property
    def logout_url(self) -> str | None:
        """Where users log out, or ``None``."""
        return self._logout_url

    @property
    def server_context(self) -> BokehServerContext:
        """What server lifecycle hooks get."""
        return self._server_context

    @property
    def sessions(self) -> list[Session]:
        """The live sessions, oldest first."""
        return self._registry.all()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def run_load_hook(self) -> asyncio.Task[None] | None:
        """Run ``on_server_loaded`` of all handlers.

        Returns:
            A task to await, if hooks are ``async``.
        """
        pending = self._hooks.server_loaded(self._server_context)
        self._telemetry.emit(ApplicationLoaded(self._name))
        return self._in_order(pending)

    def run_unload_hook(self) -> asyncio.Task[None] | None:
        """Run ``on_server_unloaded`` of all handlers, then remove all server-level callbacks.

        Returns:
            A task to await, if hooks are ``async`` or callbacks still run.
        """
        pending = self._hooks.server_unloaded(self._server_context)
        self._telemetry.emit(ApplicationUnloaded(self._name))
        if self._server_context._timers is not None:
            pending.append(self._server_context._remove_all())
        return self._in_order(pending)

    def _in_order(self, pending: list[Awaitable[None]]) -> asyncio.Task[None] | None:
        if not pending:
            return None

        async def settle() -> None:
            for one in pending:
                await one

        return self._engine.loop.create_task(settle())

    def get_session(self, session_id: str) -> Session:
        """The live session of this id.

        Raises:
            ValueError: there is none.
        """
        session = self.find_session(session_id)
        if session is None:
            label = session_label(session_id)
            raise ValueError(f"there is no session of this id, which logs call {label}")
        return session

    def find_session(self, session_id: str) -> Session | None:
        """The live session of this id, if there is one."""
        return self._registry.get(session_id)

    def knows(self, session_id: str) -> bool:
        """Whether this session lives or is being built."""
        return self._registry.knows(session_id)

    async def create_session_if_needed(
        self,
        session_id: str,
        request: SessionRequest | None = None,
        token: str | None = None,
        *,
        payload: Mapping[str, Any] | None = None,
    ) -> Session:
        """The session of this id, made now if there is none.

        Any number of simultaneous calls for one id share one build.

        Args:
            session_id: the id.
            request: the request that asks for the session.
            token: the token that came with it; its payload becomes ``token_payload``.
            payload: the payload, where the caller has read the token already.

        Raises:
            ValueError: the id is empty.
            BusyError: there are too many sessions.
            BuildError: the application failed. Everybody who waits for this build gets it; the
                next call tries afresh.
            AuthError: the token is malformed.
        """
        if not session_id:
            raise ValueError("a session id must not be empty")
        if payload is None:
            payload = self._tokens.read(token).payload if token is not None else {}
        known = payload
        made = self._registry.get_or_create(
            session_id, lambda: self._maker.build(session_id, request, known)
        )
        loop = self._engine.loop
        if asyncio.get_running_loop() is loop:
            return await made
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(made, loop))

    # --- for the server --------------------------------------------------------------------------

    async def process_request(self, request: SessionRequest) -> Mapping[str, Any]:
        """What the application's ``process_request`` hooks make of a request."""
        return await self._hooks.process_request(request)

    def start_prewarming(self) -> None:
        """Build sessions ahead, as ``settings.prewarm`` says. Call after the load hook."""
        self._maker.start_prewarming()

    async def replace_application(self, application: Application) -> None:
        """Serve another application from now on, such as this one with other code.

        The hooks at the end of the old one run, and those at the beginning of the new. Sessions
        that are there go on; at their end they hear from the application that made them.
        """
        ending = self.run_unload_hook()
        if ending is not None:
            await ending
        self._application, self._hooks = application, self._hooks_of(application)
        self._server_context._begin_anew()
        beginning = self.run_load_hook()
        if beginning is not None:
            await beginning
        await self._maker.empty_pool()

    async def expire(self) -> int:
        """Discard sessions that nobody has used for their lifetime. Returns how many."""
        return await self._registry.expire(self._clock.monotonic())

    async def discard_unused(self, seconds: float, why: str) -> int:
        """Discard sessions that nobody has used for so long. Returns how many."""
        now = self._clock.monotonic()
        unused = [one for one in self._registry.all() if one.is_unused(seconds, now)]
        await asyncio.gather(*(self._registry.discard(one, why) for one in unused))
        return len(unused)

    async def discard(self, session: Session, why: str) -> None:
        """Discard a session now, with its hooks."""
        await self._registry.discard(session, why)

    def begin_closing(self) -> None:
        """Make no new sessions; those that are still being built have a second."""
        self._registry.begin_closing()
        self._maker.hurry()

    async def close(self) -> None:
        """Discard all sessions with their hooks, then run the unload hooks."""
        self.begin_closing()
        await self._maker.close()
        await self._registry.close("server shutdown")
        task = self.run_unload_hook()
        if task is not None:
            await task

    # --- server-level callbacks ------------------------------------------------------------------

    def _make_timers(self) -> Timers:
        engine = self._engine
        self._coroutines = Coroutines(engine)
        self._mailbox = engine.mailbox(Owner("", self._name, f"callbacks of {self._name}"))
        return Timers(
            engine.loop, self._clock, self._run_timer, self._timer_failed, self._timer_late
        )

    def _run_timer(self, timer: Timer, ended: Ended) -> None:
        """Run it, one after the other, outside of all sessions."""
        timers, mailbox = self._server_context._timers, self._mailbox
        assert timers is not None
        assert mailbox is not None

        def job() -> None:
            try:
                if not timers.begin(timer):
                    ended(None)
                    return
                timer.context.run(self._call, timer, ended)
            except BaseException as error:  # CancelledError and KeyboardInterrupt are its own
                ended(error)
            finally:
                mailbox.release()

        mailbox.post(job)

    def _call(self, timer: Timer, ended: Ended) -> None:
        assert self._coroutines is not None
        with no_document():
            result = timer.callback()
            if inspect.isawaitable(result):
                self._coroutines.spawn(self._await_callback(result, ended), copy_context())
            else:
                ended(None)

    def _cancel_callbacks(self) -> None:
        if self._coroutines is not None:
            self._coroutines.cancel()

    @staticmethod
    async def _await_callback(result: Awaitable[Any], ended: Ended) -> None:
        try:
            with no_document():
                await result
        except BaseException as error:
            ended(error)
            return
        ended(None)

    def _timer_failed(self, timer: Timer, error: BaseException) -> None:
        self._telemetry.emit(CallbackFailed(self._name, timer.name, error))

    def _timer_late(self, timer: Timer, took_s: float) -> None:
        self._telemetry.emit(TimerLate(self._name, timer.name, timer.delay_s, took_s))
