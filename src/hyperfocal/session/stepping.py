"""Coroutines of applications that have the document only while they run, not while they wait."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hyperfocal.errors import SessionGoneError
from hyperfocal.session.execution import Habit
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

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                done, value = yield from self._take_step(value, error).__await__()
            except SessionGoneError:
                self._coroutine.close()
                return None
            if done:
                return value
            if self._turn is not None:
                self._turn.may_last()
            error = None
            try:
                value = yield value
            except BaseException as raised:  # a cancellation, most likely: the coroutine's affair
                error = raised

    async def _take_step(self, value: Any, error: BaseException | None) -> tuple[bool, Any]:
        if self._turn is not None:
            return await self._step_in(self._turn, value, error)
        turn = self._session.turn_nowait()
        if turn is None:
            held = self._session.turn_now
            if held is not None and not held.in_thread:
                with _joining(held):
                    return self._step(value, error)
            turn = await self._session.acquire()
        with turn:
            return await self._step_in(turn, value, error)

    async def _step_in(
        self, turn: Turn, value: Any, error: BaseException | None
    ) -> tuple[bool, Any]:
        habit, execution = self._habit, self._session.execution
        if habit is None or habit.quick:
            return execution.in_place(habit, lambda: self._step(value, error))
        return await self._session.in_thread(turn, habit, lambda: self._step(value, error))

    def _step(self, value: Any, error: BaseException | None) -> tuple[bool, Any]:
        """Whether it has ended, and what it gives or waits for."""
        try:
            if error is not None:
                return False, self._coroutine.throw(error)
            return False, self._coroutine.send(value)
        except StopIteration as end:
            return True, end.value


@contextmanager
def _joining(turn: Turn) -> Generator[None]:
    """Within, the calling code belongs to somebody else's turn, which waits meanwhile."""
    visit = turn.visit()
    try:
        yield
    finally:
        turn.end_visit(visit)
