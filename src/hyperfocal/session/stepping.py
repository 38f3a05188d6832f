"""Coroutines of applications that have the document only while they run, not while they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

from hyperfocal.clock import running_loop
from hyperfocal.errors import SessionGoneError
from hyperfocal.session.turn import Turn, no_turn
from hyperfocal.session.turns import Turns

__all__ = ("Stepping", "first_step")


class Stepping:
    """Awaited, runs a coroutine to its end, step by step: from one ``await`` to the next.

    Each step has a turn of its own. Where a turn waits on the same event loop, a step happens
    within it, since the two cannot meet: whoever holds a turn for long does not keep up code that
    was promised not to wait for it.

    Args:
        turns: of the session.
        function: makes the coroutine.
        in_threads: steps run in threads rather than on the event loop: there is plain code in
            them.
    """

    def __init__(
        self,
        turns: Turns,
        function: Callable[[], Coroutine[Any, Any, Any]],
        *,
        in_threads: bool,
    ) -> None:
        self._turns = turns
        self._function = function
        self._in_threads = in_threads
        #: Of the latest step: whether it was the last, and what it gives or waits for.
        self._outcomes: list[tuple[bool, Any]] = []

    def __await__(self) -> Generator[Any, Any, Any]:
        with no_turn():
            coroutine = self._function()
            return (yield from self._steps(coroutine))

    def _steps(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            self._outcomes.clear()
            try:
                yield from self._step(coroutine, value, error).__await__()
            except SessionGoneError as raised:
                if self._outcomes:
                    raise  # it is the coroutine's
                coroutine.close()
                del raised
                return None
            except asyncio.CancelledError as raised:
                if self._outcomes:
                    if self._outcomes[0][0]:
                        raise  # the coroutine has ended
                elif isinstance(error, asyncio.CancelledError):  # again: there is no time for that
                    coroutine.close()
                    raise
                value, error = None, raised
                continue
            done, value = self._outcomes[0]
            if done:
                return value
            error = None
            try:
                value = yield value
            except BaseException as raised:  # a cancellation, most likely: the coroutine's affair
                error = raised

    async def _step(
        self, coroutine: Coroutine[Any, Any, Any], value: Any, error: BaseException | None
    ) -> None:
        def step() -> None:
            self._outcomes.append((True, None))  # it has begun, and may raise
            try:
                if error is not None:
                    outcome = False, coroutine.throw(error)
                else:
                    outcome = False, coroutine.send(value)
            except StopIteration as end:
                outcome = True, end.value
            self._outcomes[0] = outcome

        if self._in_threads:
            await _uninterrupted(self._turns.run(lambda turn: step()))
            return
        turn = self._turns.nowait()
        if turn is None:
            holder = self._turns.now
            task = holder.task if holder is not None else None
            if holder is not None and task is not None and task.get_loop() is running_loop():
                with _joining(holder):
                    step()
                return
            turn = await self._turns.acquire()
        with turn:
            step()


async def _uninterrupted(work: Coroutine[Any, Any, None]) -> None:
    """Await it to its end, and be cancelled only then: a thread is in the midst of it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen
        raise cancelled
    task.result()


def first_step(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine until it waits for something.

    Returns:
        what to await for the rest, or ``None`` if there is no rest.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return _Rest(coroutine, awaited)


class _Rest:
    """Awaited, goes on with a coroutine that has begun."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], awaited: Any) -> None:
        self._coroutine = coroutine
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, awaited = self._coroutine, self._awaited
        while True:
            raised: BaseException | None = None
            value: Any = None
            try:
                value = yield awaited
            except BaseException as error:
                raised = error
            try:
                awaited = coroutine.send(value) if raised is None else coroutine.throw(raised)
            except StopIteration as end:
                return end.value


@contextmanager
def _joining(turn: Turn) -> Generator[None]:
    """Within, the calling code belongs to somebody else's turn, which waits meanwhile."""
    visit = turn.visit()
    try:
        yield
    finally:
        turn.end_visit(visit)
