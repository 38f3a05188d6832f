"""The session callbacks of a document: next tick, timeout, periodic, each run as a turn."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from hyperfocal.clock import Clock
from hyperfocal.document import unlocked
from hyperfocal.errors import SessionGoneError
from hyperfocal.panel import is_panels
from hyperfocal.session.execution import is_coroutine
from hyperfocal.session.habits import Habit
from hyperfocal.session.stepping import Stepping
from hyperfocal.session.timers import Timer, TimerKind, Timers
from hyperfocal.session.turn import Turn, no_turn
from hyperfocal.telemetry import CallbackFailed, Telemetry, TimerLate

if TYPE_CHECKING:
    from hyperfocal.session.session import Session

__all__ = ("SessionCallbacks",)

#: Names whose @without_document_lock callback the calling code belongs to.
_unlocked_in: ContextVar[object] = ContextVar("hyperfocal_unlocked", default=None)


class SessionCallbacks:
    """Runs the session callbacks of one document. They wait for ``start``.

    Args:
        session: whose turns they take.
        loop: where they run.
        clock: when they run.
        telemetry: hears of failures.
    """

    def __init__(
        self,
        session: Session,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._session = session
        self._telemetry = telemetry
        self._mark = object()  # stands for the session in contexts that may outlive it
        self._timers = Timers(loop, clock, self._run, self._failed, self._late, started=False)

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
        """Wait so many seconds for callbacks that run, then cancel them: they may hold a turn."""
        await self._timers.wait_closed(grace_s)

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

    def _run(self, timer: Timer) -> Awaitable[None] | None:
        """In place when the document is free and the callback plain, else as a task."""
        if is_panels(self._session.document) and is_coroutine(timer.callback):
            habit = self._session.execution.habit(timer.callback, self._session.url)
            if getattr(timer.callback, "nolock", False):
                return self._run_in_steps(timer, habit)
            if habit is not None:
                return self._run_locked(timer, habit)
        if getattr(timer.callback, "nolock", False):
            return self._run_unlocked(timer)
        try:
            turn = self._session.turn_nowait()
        except SessionGoneError:
            return None
        if turn is None:
            return self._run_locked(timer)
        execution = self._session.execution
        habit = execution.habit(timer.callback, self._session.url)
        if habit is not None and not habit.quick:
            return self._run_in_turn(turn, timer)
        turn.enter()
        result: Any = None
        try:
            result = execution.in_place(habit, timer.callback)
        finally:
            if not inspect.isawaitable(result):
                turn.end()
        if not inspect.isawaitable(result):
            return None
        turn.leave()
        return self._await_in_turn(turn, result)

    @staticmethod
    async def _await_in_turn(turn: Turn, result: Awaitable[Any]) -> None:
        """Go on with a turn in a task: the callback turned out to be asynchronous."""
        with turn:
            turn.may_last()
            await result

    async def _run_in_turn(self, turn: Turn, timer: Timer) -> None:
        with turn:
            await self._session.run_in(turn, timer.callback, timer.callback)

    async def _run_locked(self, timer: Timer, steps: Habit | None = None) -> None:
        """Wait for the document. With ``steps`` it is a coroutine of Panel's, taken by steps."""
        try:
            turn = await self._session.acquire()
        except SessionGoneError:
            return
        with turn:
            if timer.removed and timer.kind is TimerKind.PERIODIC:
                return
            if steps is not None:
                await Stepping(self._session, timer.callback(), steps, turn)
            else:
                await self._session.run_in(turn, timer.callback, timer.callback)

    async def _run_in_steps(self, timer: Timer, habit: Habit | None) -> None:
        """A callback of Panel's that does not hold the document while it waits."""
        with no_turn():
            await Stepping(self._session, timer.callback(), habit)

    async def _run_unlocked(self, timer: Timer) -> None:
        token = _unlocked_in.set(self._mark)
        try:
            with no_turn(), unlocked(self._session.document):
                result = timer.callback()
                if inspect.isawaitable(result):
                    await result
        finally:
            _unlocked_in.reset(token)

    def _failed(self, timer: Timer, error: BaseException) -> None:
        session = self._session
        self._telemetry.emit(CallbackFailed(session.url, timer.name, error, session.id))

    def _late(self, timer: Timer, took_s: float) -> None:
        self._telemetry.emit(TimerLate(self._session.url, timer.name, timer.delay_s, took_s))
