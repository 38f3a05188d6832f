"""A turn: one stretch of exclusive access to a session's document."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import FrameType, TracebackType
from typing import Any, Protocol

from hyperfocal.clock import TimerHandle
from hyperfocal.document import Document, Model, enter_entries, leave_entries
from hyperfocal.engine import frame_of
from hyperfocal.publishing import Progress

__all__ = ("Turn", "TurnHost", "current_reference", "current_turn", "no_turn", "turns_around")

#: Held weakly: tasks that outlive a turn keep its context, and must not keep its session.
_current: ContextVar[weakref.ReferenceType[Turn] | None] = ContextVar(
    "hyperfocal_turn", default=None
)

_NOBODY: frozenset[Model] = frozenset()


#: The turn in which the calling code runs, or which started the task it runs in, as a reference.
current_reference = _current.get


def current_turn() -> Turn | None:
    """The turn in which the calling code runs, or which started the task it runs in."""
    reference = _current.get()
    return reference() if reference is not None else None


@contextmanager
def no_turn() -> Generator[None]:
    """Within, the calling code counts as code of its own, whatever turn it was started from."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def turns_around() -> Iterator[Turn]:
    """The turns in which the calling code runs, or which started the tasks it runs in."""
    turn = current_turn()
    while turn is not None:
        yield turn
        turn = turn.outer() if turn.outer is not None else None


class TurnHost(Protocol):
    """Who gives turns: ``Turns``."""

    def flush(self, turn: Turn) -> None:
        """Say what has changed so far."""
        ...

    def ended(self, turn: Turn) -> None:
        """The turn is over; the next in line gets the document."""
        ...

    def may_last(self, turn: Turn) -> None:
        """Let out the changes of a turn that a task holds from now on."""
        ...


class Turn:
    """Exclusive access, from ``enter`` to ``end``. Made by ``Turns``.

    Within, ``curdoc()`` is the session's document. ``flush`` lets out what has changed so far;
    ``end`` does the same and gives the document to whoever waits.

    Attributes:
        document: the session's document.
        originator: the client on whose behalf the turn is taken, or ``None``. Changes made with
            it as their setter are not echoed to it.
        defined: models that the originator brought along in this turn.
        is_flushed: ``flush`` was called; since then only changes make something to say.
        outer: the turn from within which it was asked for, held weakly.
        task: the task that holds the turn, ``None`` when a thread holds it.
        thread: the identity of the thread that holds it, ``None`` when a task does.
        awaited: what callbacks have given that is to be awaited before the turn ends.
        warning: has telemetry hear of it if it goes on for long.
        progress: lets out what a turn that lasts has changed so far.
    """

    __slots__ = (
        "__weakref__",
        "_entries",
        "_host",
        "_tokens",
        "awaited",
        "defined",
        "document",
        "is_flushed",
        "originator",
        "outer",
        "progress",
        "task",
        "thread",
        "warning",
    )

    def __init__(
        self, host: TurnHost, document: Document, entries: Any, originator: object | None
    ) -> None:
        self._host = host
        self._entries = entries  # of the document: see ``entries_of``
        self.document = document
        self.originator = originator
        self.defined = _NOBODY
        self.awaited: list[Any] = []
        self.is_flushed = False
        self.task: asyncio.Task[Any] | None = None
        self.thread: int | None = None
        self.progress: Progress | None = None
        self.warning: TimerHandle | None = None
        self.outer: weakref.ReferenceType[Turn] | None = None
        self._tokens: tuple[Token[Any], Token[Any]] | None = None

    def enter(self) -> None:
        """Make the calling context and thread the one that holds the document."""
        self.outer = _current.get()
        self._tokens = enter_entries(self._entries), _current.set(weakref.ref(self))
        self.thread = threading.get_ident()

    def leave(self) -> None:
        """Undo ``enter``, in the same context. The turn goes on."""
        if self._tokens is not None:
            document, turn = self._tokens
            self._tokens = None
            _current.reset(turn)
            leave_entries(document)

    def visit(self) -> tuple[Token[Any], Token[Any]]:
        """Make the calling context one of the turn, too, while its holder waits."""
        return enter_entries(self._entries), _current.set(weakref.ref(self))

    @staticmethod
    def end_visit(visit: tuple[Token[Any], Token[Any]]) -> None:
        """Undo ``visit``, in the same context."""
        document, turn = visit
        _current.reset(turn)
        leave_entries(document)

    def frame(self) -> FrameType | None:
        """Where the code that runs in it is at the moment, as far as that is to be seen."""
        if self.task is not None:
            stack = self.task.get_stack()
            return stack[-1] if stack else None
        return frame_of(self.thread) if self.thread is not None else None

    def may_last(self) -> None:
        """Let clients see what changes before the end: code that awaits begins."""
        self._host.may_last(self)

    def flush(self) -> None:
        """Encode what has changed and offer it to the clients, in order."""
        self.is_flushed = True
        self._host.flush(self)

    def end(self) -> None:
        """Flush and give the document to the next in line. Call it once."""
        try:
            self._host.flush(self)
        finally:
            self.leave()
            self._host.ended(self)

    def __enter__(self) -> Turn:
        self.enter()
        try:
            self.task = asyncio.current_task()
        except RuntimeError:
            self.task = None
        if self.task is not None:
            self.thread = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
