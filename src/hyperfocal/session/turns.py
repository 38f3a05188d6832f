"""Who has a session's document, and who gets it next."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeAlias, TypeVar

from hyperfocal.clock import Clock, TimerHandle, running_loop
from hyperfocal.document import Document, entries_of
from hyperfocal.engine import Coroutines, Engine, Mailbox, Outcome, Owner, ThreadLoop
from hyperfocal.errors import SessionGoneError, TurnReentryError
from hyperfocal.publishing import Progress, Publisher
from hyperfocal.session.turn import Turn, current_turn, turns_around
from hyperfocal.session.waiting import waits_for

__all__ = ("TurnCall", "Turns")

_T = TypeVar("_T")

#: Code that runs in a turn. What it gives, if anything, is awaited in the same turn.
TurnCall: TypeAlias = Callable[[Turn], Coroutine[Any, Any, None] | None]

#: Seconds between looks at whether a turn waits for a task that waits for the turn's end.
_REENTRY_CHECK_S = 0.05

#: Guards the making of a turn's progress: its holder and the I/O loop may both want to.
_lasting = threading.Lock()


class Turns:
    """Gives the turns of one session, in the order in which they are asked for.

    Whatever needs the document is a job of the session's mailbox, so it is for whoever has that
    mailbox to change ``now``. Methods are safe from any thread, but for what says otherwise.

    Args:
        session_id: for errors.
        document: the session's document.
        engine: runs the code.
        owner: on whose account.
        publisher: says what turns have changed.
        clock: tells the time.
        lasting: called with a turn that is known to last; what it gives is called off at the end.
        failed: called with what an ``async`` callback of a change has raised.

    Attributes:
        now: the turn that runs.
        mailbox: the session's.
        coroutines: those of the session's callbacks.
        closed: there are no more turns.
    """

    def __init__(
        self,
        session_id: str,
        document: Document,
        engine: Engine,
        owner: Owner,
        publisher: Publisher,
        clock: Clock,
        lasting: Callable[[Turn], TimerHandle | None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.session_id = session_id
        self.engine = engine
        self.mailbox: Mailbox = engine.mailbox(owner)
        self.mailbox.on_lasting = self._lasts
        self.coroutines = Coroutines(engine)
        self.now: Turn | None = None
        self.closed = False
        self._document = document
        self._entries = entries_of(document)
        self._publisher = publisher
        self._clock = clock
        self._told_lasting = lasting
        self._failed = failed
        #: What callbacks see of context variables: what others of the session have set.
        self._context = Context()

    # --- turns of plain code ---------------------------------------------------------------------

    def post(
        self,
        call: TurnCall,
        originator: object | None = None,
        gone: Callable[[], None] | None = None,
        context: Context | None = None,
    ) -> None:
        """Have ``call`` run in a turn.

        Args:
            call: gets the turn; a coroutine that it gives is awaited in the same turn, on the
                application loop.
            originator: see ``Turn``.
            gone: called instead when the session is over.
            context: what it sees of context variables; by default what others of the session have
                set.
        """

        def job() -> None:
            self.take(call, originator, gone, context)

        self.mailbox.post(job)

    def take(
        self,
        call: TurnCall,
        originator: object | None = None,
        gone: Callable[[], None] | None = None,
        context: Context | None = None,
    ) -> bool:
        """The same, now. In a job of the mailbox, which ends with the turn.

        Returns:
            whether the turn is over; False: a coroutine goes on with it.
        """
        if self.closed:
            self.mailbox.release()
            if gone is not None:
                gone()
            return False
        turn = self._begin(originator)
        rest: Coroutine[Any, Any, None] | None = None
        if context is None:
            context = self._context
        try:
            rest = context.run(self._within, turn, call)
        finally:
            if rest is None:  # not before the context is left: the next turn enters it
                self.ended(turn)
        if rest is None:
            return True
        self.coroutines.spawn(self._finish(turn, rest), context)
        return False

    def _within(self, turn: Turn, call: TurnCall) -> Coroutine[Any, Any, None] | None:
        turn.enter()
        rest: Coroutine[Any, Any, None] | None = None
        try:
            rest = call(turn)
        finally:
            if rest is None and turn.awaited:
                rest = self._await_callbacks(turn.awaited)
            try:
                if rest is None and (self._publisher.changes or not turn.is_flushed):
                    self.flush(turn)
            finally:
                turn.leave()
        return rest

    async def _finish(self, turn: Turn, rest: Coroutine[Any, Any, None]) -> None:
        """Go on with a turn on the application loop."""
        with turn:
            turn.may_last()
            await rest
            await self._await_callbacks(turn.awaited)

    async def _await_callbacks(self, awaited: list[Any]) -> None:
        """Await the ``async`` callbacks of changes that were made in a turn."""
        while awaited:
            try:
                await awaited.pop(0)
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                self._failed(error)

    async def run(self, call: Callable[[Turn], _T]) -> _T:
        """Run plain code in a turn, in a context like the caller's, and give what it gives.

        A caller that is cancelled leaves code alone that has begun.

        Raises:
            TurnReentryError: the caller holds the turn for which it would wait.
            SessionGoneError: the session is over.
            Exception: whatever the code raises.
        """
        outcome, context = Outcome(), copy_context()

        def work(turn: Turn) -> _T:
            turn.enter()
            try:
                return call(turn)
            finally:
                turn.end()

        self._post_for(outcome, lambda turn: outcome.run(lambda: context.run(work, turn)))
        found: _T = await self._answer(outcome)
        return found

    async def with_locked_document(self, func: Callable[[Document], Any]) -> Any:
        """Run ``func(document)`` in a turn and give back what it, or its awaitable, gives.

        The awaitable runs on the caller's event loop. A caller that is cancelled cancels it.

        Raises:
            TurnReentryError: the caller holds the turn for which it would wait.
            SessionGoneError: the session is over.
            Exception: whatever ``func`` raises.
        """
        outcome, context = Outcome(), copy_context()
        tasks: list[asyncio.Task[None]] = []

        async def finish(turn: Turn, result: Any) -> None:
            with turn:
                turn.may_last()
                while inspect.isawaitable(result):
                    result = await result
                outcome.give(result)

        def ended(turn: Turn, result: Any, task: asyncio.Task[None]) -> None:
            if turn.task is not task:  # it was cancelled before it had begun
                if inspect.iscoroutine(result):
                    result.close()
                turn.end()
            if task.cancelled():
                outcome.cancel()
            elif (error := task.exception()) is not None:
                outcome.fail(error)

        def go_on(turn: Turn, result: Any) -> None:
            task = asyncio.get_running_loop().create_task(finish(turn, result))
            tasks.append(task)
            task.add_done_callback(partial(ended, turn, result))
            if outcome.done:
                task.cancel()

        def work(turn: Turn) -> None:
            turn.enter()
            result: Any = None
            try:
                result = func(self._document)
            except BaseException as error:
                turn.end()
                outcome.fail(error)
                return
            if not inspect.isawaitable(result):
                turn.end()
                outcome.give(result)
                return
            turn.leave()
            try:
                outcome.call_soon(go_on, turn, result)
            except RuntimeError:  # the caller's loop is closed
                turn.end()

        self._post_for(outcome, lambda turn: context.run(work, turn))
        try:
            return await self._answer(outcome)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise

    def _post_for(self, outcome: Outcome, begin: Callable[[Turn], None]) -> None:
        self._refuse_reentry()

        def job() -> None:
            if outcome.done:  # nobody waits any more
                self.mailbox.release()
            elif self.closed:
                self.mailbox.release()
                outcome.fail(SessionGoneError(self.session_id))
            else:
                begin(self._begin(None))

        self.mailbox.post(job)

    # --- turns that a task holds -----------------------------------------------------------------

    def nowait(self, originator: object | None = None) -> Turn | None:
        """A turn if the document is free, else ``None``. Use it as ``with turn:``.

        Raises:
            SessionGoneError: the session is over.
        """
        if self.closed:
            raise SessionGoneError(self.session_id)
        if not self.mailbox.try_hold():
            return None
        return self._begin(originator)

    async def acquire(self, originator: object | None = None) -> Turn:
        """Wait for a turn; the caller enters and ends it.

        Raises:
            TurnReentryError: the calling code holds the turn for which it would wait.
            SessionGoneError: the session is over, or ended meanwhile.
        """
        self._refuse_reentry()
        if not self.mailbox.try_hold():
            outcome = Outcome()

            def grant() -> None:
                if outcome.done:
                    self.mailbox.release()
                else:
                    outcome.give_now(None)

            def job() -> None:
                try:
                    outcome.call_soon(grant)
                except RuntimeError:  # its loop is closed
                    self.mailbox.release()

            self.mailbox.post(job)
            try:
                await self._answer(outcome)
            except BaseException:
                if outcome.given:  # in the moment in which we were cancelled
                    self.mailbox.release()
                raise
        if self.closed:
            self.mailbox.release()
            raise SessionGoneError(self.session_id)
        return self._begin(originator)

    def _refuse_reentry(self) -> None:
        holder = self.now
        if holder is None:
            return
        try:
            current = asyncio.current_task()
        except RuntimeError:
            return
        if current is not None and holder.task is current:
            raise TurnReentryError(self.session_id)

    async def _answer(self, outcome: Outcome) -> Any:
        """Wait for it, unless the turn that runs waits for us."""
        holder = self.now
        if holder is None or holder not in turns_around():
            return await outcome
        # A task that the turn has started. It may wait for the document, unless the turn waits for
        # it in turn, be it later.
        current = asyncio.current_task()
        while not outcome.done:
            if (
                current is not None
                and self.now is holder
                and waits_for(holder.task, current, holder.thread)
            ):
                outcome.cancel()
                raise TurnReentryError(self.session_id)
            await outcome.wait(_REENTRY_CHECK_S)
        return await outcome

    # --- of turns: see TurnHost ------------------------------------------------------------------

    def _begin(self, originator: object | None) -> Turn:
        self.now = turn = Turn(self, self._document, self._entries, originator)
        return turn

    def flush(self, turn: Turn) -> None:
        """See ``TurnHost``."""
        if self.closed:
            return
        if turn.progress is not None:
            turn.progress.settle()
        self._publisher.flush(turn.originator, turn.defined)

    def ended(self, turn: Turn) -> None:
        """See ``TurnHost``."""
        self.now = None
        try:
            if turn.progress is not None:  # after that: see _lasts
                turn.progress.end()
            if turn.warning is not None:
                turn.warning.cancel()
            if turn.awaited:  # a turn of plain code that nobody goes on with: they get one
                self.post(lambda _, awaited=turn.awaited: self._await_callbacks(awaited))  # type: ignore[misc]
        finally:
            self.mailbox.release()

    def may_last(self, turn: Turn) -> None:
        """See ``TurnHost``."""
        with _lasting:
            if turn.progress is None:
                turn.progress = self._make_progress(turn)
            else:  # it has begun in a thread, for long
                turn.progress.hand_over(self._loop_of(turn))

    def _loop_of(self, turn: Turn) -> asyncio.AbstractEventLoop:
        return self.engine.application_loop if turn.task is None else turn.task.get_loop()

    def _make_progress(self, turn: Turn) -> Progress:
        turn.warning = self._told_lasting(turn)
        return Progress(
            self._publisher,
            self._document,
            turn.originator,
            lambda: turn.defined,
            self._clock,
            self.engine.loop,
            turn.thread,
            self._loop_of(turn),
            lambda: self.now is turn,
        )

    def _lasts(self) -> None:
        """The job of a thread is known to last. On the I/O loop."""
        turn = self.now
        if turn is None:
            return
        with _lasting:
            if turn.thread is None or turn.progress is not None:
                return  # a task has it
            progress = self._make_progress(turn)
            turn.progress = progress
        if self.now is not turn:  # it has ended meanwhile, perhaps without having seen it
            progress.end()
            if turn.warning is not None:
                turn.warning.cancel()
            return
        if self._publisher.changes:
            self._peek(progress)

    def _peek(self, progress: Progress) -> None:
        mailbox = self.engine.mailbox(self.mailbox.owner)

        def job() -> None:
            try:
                progress.peek()
            finally:
                mailbox.release()

        mailbox.post(job)

    # --- the sink of the document ----------------------------------------------------------------

    def has_turn(self) -> bool:
        """Whether the calling code belongs to the turn that runs, and shows it by its context."""
        turn = self.now
        return turn is not None and (turn is current_turn() or turn in turns_around())

    def is_excused(self) -> bool:
        """Whether code may change the document that does not show that it belongs to the turn.

        Threads that a turn starts, in an executor, say, need not carry its context: let them. On
        a loop, in a thread of the engine, or in a turn of another session there is no such excuse.
        """
        if self.now is None or current_turn() is not None:
            return False
        loop: Any = running_loop()
        if loop is None:
            return True
        engine = self.engine
        return type(loop) is not ThreadLoop and loop not in (engine.loop, engine.application_loop)
