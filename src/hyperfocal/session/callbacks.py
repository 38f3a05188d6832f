"""The session callbacks of a document: next tick, timeout, periodic, each run as a turn."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any

from hyperfocal.clock import Clock
from hyperfocal.document import Document, unlocked
from hyperfocal.labels import session_label
from hyperfocal.panel import is_panels, runs_plain_code
from hyperfocal.session.stepping import Stepping, first_step
from hyperfocal.session.timers import Ended, Timer, TimerKind, Timers
from hyperfocal.session.turn import Turn, no_turn
from hyperfocal.session.turns import Turns
from hyperfocal.telemetry import CallbackFailed, Telemetry, TimerLate

__all__ = ("SessionCallbacks", "is_coroutine")

#: Names whose @without_document_lock callback the calling code belongs to.
_unlocked_in: ContextVar[object] = ContextVar("hyperfocal_unlocked", default=None)


class SessionCallbacks:
    """Runs the session callbacks of one document. They wait for ``start``.

    Args:
        turns: of the session.
        document: of the session.
        clock: when they run.
        telemetry: hears of failures.
        url: the application's URL path.
    """

    def __init__(
        self, turns: Turns, document: Document, clock: Clock, telemetry: Telemetry, url: str
    ) -> None:
        self._turns = turns
        self._document = document
        self._telemetry = telemetry
        self._url = url
        self._mark = object()  # stands for the session in contexts that may outlive it
        self._timers = Timers(
            turns.engine.loop, clock, self._run, self._failed, self._late, started=False
        )

    @property
    def unlocked(self) -> bool:
        """Whether the calling code belongs to a callback that runs without the lock."""
        return _unlocked_in.get() is self._mark

    def start(self) -> None:
        """Begin; what was added before counts from now."""
        self._timers.start()

    def close(self) -> None:
        """Start nothing more."""
        self._timers.close()

    async def wait_closed(self, grace_s: float) -> None:
        """Wait so many seconds for callbacks that run, then cancel what awaits something."""
        await self._timers.wait_closed(grace_s, self._turns.coroutines.cancel)

    def add(self, callback: Any) -> None:
        """Start a timer for one of Bokeh's session callback objects. From any thread."""
        if hasattr(callback, "period"):
            kind, delay_ms = TimerKind.PERIODIC, callback.period
        elif hasattr(callback, "timeout"):
            kind, delay_ms = TimerKind.TIMEOUT, callback.timeout
        else:
            kind, delay_ms = TimerKind.NEXT_TICK, 0
        self._timers.add(callback, kind, callback.callback, delay_ms / 1000)

    def remove(self, callback: Any) -> None:
        """Stop its timer; a no-op when it has fired. From any thread."""
        self._timers.discard(callback)

    def _run(self, timer: Timer, ended: Ended) -> None:
        if getattr(timer.callback, "nolock", False):
            self._run_unlocked(timer, ended)
        else:
            self._turns.post(
                partial(self._in_turn, timer, ended),
                gone=partial(ended, None),
                context=timer.context,
            )

    # --- with the document -----------------------------------------------------------------------

    def _in_turn(self, timer: Timer, ended: Ended, turn: Turn) -> Coroutine[Any, Any, None] | None:
        """In a thread: the callback, as far as it is plain."""
        if not self._timers.begin(timer):
            ended(None)
            return None
        try:
            result = timer.callback()
            if inspect.iscoroutine(result) and runs_plain_code(inner_of(timer.callback)):
                result = first_step(result)  # plain code of the application in one of Panel's
        except BaseException as error:  # CancelledError and KeyboardInterrupt, too, are its own
            ended(error)
            return None
        if inspect.isawaitable(result):
            return self._awaited(result, ended)
        ended(None)
        return None

    @staticmethod
    async def _awaited(result: Awaitable[Any], ended: Ended) -> None:
        try:
            await result
        except BaseException as error:
            ended(error)
            return
        ended(None)

    # --- without ---------------------------------------------------------------------------------

    def _run_unlocked(self, timer: Timer, ended: Ended) -> None:
        callback = timer.callback
        if is_panels(self._document) and is_coroutine(callback):
            # Panel's, or given to Panel: it has the document while it runs, not while it waits.
            if self._timers.begin(timer):
                in_threads = runs_plain_code(inner_of(callback))
                self._turns.coroutines.spawn(
                    self._awaited(Stepping(self._turns, callback, in_threads=in_threads), ended),
                    timer.context,
                )
            else:
                ended(None)
            return
        mailbox = self._turns.engine.mailbox(self._turns.mailbox.owner)

        def job() -> None:
            try:
                if not self._timers.begin(timer):
                    ended(None)
                    return
                result = timer.context.run(self._outside, callback)
                if inspect.isawaitable(result):
                    self._turns.coroutines.spawn(self._await_outside(result, ended), timer.context)
                else:
                    ended(None)
            except BaseException as error:
                ended(error)
            finally:
                mailbox.release()

        mailbox.post(job)

    def _outside(self, call: Callable[[], Any]) -> Any:
        token = _unlocked_in.set(self._mark)
        try:
            with no_turn(), unlocked(self._document):
                return call()
        finally:
            _unlocked_in.reset(token)

    async def _await_outside(self, result: Awaitable[Any], ended: Ended) -> None:
        token = _unlocked_in.set(self._mark)
        try:
            with no_turn(), unlocked(self._document):
                await self._awaited(result, ended)
        finally:
            _unlocked_in.reset(token)

    # --- what is told ----------------------------------------------------------------------------

    def _failed(self, timer: Timer, error: BaseException) -> None:
        label = session_label(self._turns.session_id)
        self._telemetry.emit(CallbackFailed(self._url, timer.name, error, label))

    def _late(self, timer: Timer, took_s: float) -> None:
        self._telemetry.emit(TimerLate(self._url, timer.name, timer.delay_s, took_s))


def inner_of(callback: Any) -> Any:
    """The application's function behind what Bokeh and others wrap around it."""
    while True:
        func = getattr(callback, "func", None) if isinstance(callback, partial) else None
        if func is None:
            func = getattr(callback, "__wrapped__", None)
        if func is None:
            return callback
        callback = func


def is_coroutine(callback: Any) -> bool:
    """Whether it is an ``async`` function, whatever is wrapped around it."""
    return inspect.iscoroutinefunction(inner_of(callback))
