"""Coroutines of applications that have the document only while they run, not while they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hyperfocal.errors import SessionGoneError
from hyperfocal.session.habits import Habit
from hyperfocal.session.turn import Turn

if TYPE_CHECKING:
    from hyperfocal.session.session import Session

__all__ = ("Stepping",)


class Stepping:
    """Awaited, runs a coroutine to its end, step by step: from one ``await`` to the next.

    Each step has the document: in the turn that is given, or else in one of its own. Where a turn
    waits on the event loop itself, a step happens within it, since the two cannot
    meet: whoever holds a turn for long does not keep up code that was promised not to wait for it.

    Args:
        session: whose document it is.
        coroutine: what to run.
        habit: says whether steps run in place or in a worker thread; ``None``: in place.
        turn: a turn that has been entered, for all steps.
    """

    def __init__(
        self,
        session: Session,
        coroutine: Coroutine[Any, Any, Any],
        habit: Habit | None,
        turn: Turn | None = None,
    ) -> None:
        self._session = session
        self._coroutine = coroutine
        self._habit = habit
        self._turn = turn
        #: Of the latest step: whether it was the last, and what it gives or waits for.
        self._outcomes: list[tuple[bool, Any]] = []

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                turn, is_ours = yield from self._find_turn().__await__()
            except SessionGoneError:
                self._coroutine.close()
                return None
            except asyncio.CancelledError as raised:
                if isinstance(error, asyncio.CancelledError):  # again: there is no time for that
                    self._coroutine.close()
                    raise
                error = raised
                continue
            self._outcomes.clear()
            try:
                yield from self._step_in(turn, is_ours, value, error).__await__()
            except asyncio.CancelledError as raised:
                if not self._outcomes or self._outcomes[0][0]:
                    raise  # the coroutine has done that itself, or has ended
                value, error = None, raised
                continue
            done, value = self._outcomes[0]
            if done:
                return value
            error = None
            if self._turn is not None:
                self._turn.may_last()
            try:
                value = yield value
            except BaseException as raised:  # a cancellation, most likely: the coroutine's affair
                error = raised

    async def _find_turn(self) -> tuple[Turn, bool]:
        """The turn for the next step, and whether it is ours, or somebody else's that waits."""
        if self._turn is not None:
            return self._turn, True
        turn = self._session.turn_nowait()
        if turn is not None:
            return turn, True
        held = self._session.turn_now
        if held is not None and not held.in_thread:
            return held, False
        return await self._session.acquire(), True

    async def _step_in(
        self, turn: Turn, is_ours: bool, value: Any, error: BaseException | None
    ) -> None:
        if turn is self._turn:
            await self._step_somewhere(turn, value, error)
        elif is_ours:
            with turn:
                await self._step_somewhere(turn, value, error)
        else:
            with _joining(turn):
                self._step(value, error)

    async def _step_somewhere(self, turn: Turn, value: Any, error: BaseException | None) -> None:
        habit, execution = self._habit, self._session.execution
        if habit is None or habit.quick:
            execution.in_place(habit, lambda: self._step(value, error))
        else:
            await self._session.in_thread(turn, habit, lambda: self._step(value, error))

    def _step(self, value: Any, error: BaseException | None) -> None:
        """Take a step, and note whether it was the last, and what it gives or waits for."""
        try:
            if error is not None:
                outcome = False, self._coroutine.throw(error)
            else:
                outcome = False, self._coroutine.send(value)
        except StopIteration as end:
            outcome = True, end.value
        self._outcomes.append(outcome)


@contextmanager
def _joining(turn: Turn) -> Generator[None]:
    """Within, the calling code belongs to somebody else's turn, which waits meanwhile."""
    visit = turn.visit()
    try:
        yield
    finally:
        turn.end_visit(visit)
