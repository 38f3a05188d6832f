"""A turn: one stretch of exclusive access to a session's document."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any

from hyperfocal.clock import TimerHandle
from hyperfocal.document import Document, enter_document, leave_document
from hyperfocal.session.progress import Progress

if TYPE_CHECKING:
    from hyperfocal.session.session import Session

__all__ = ("Turn", "current_turn", "no_turn", "turns_around")

#: Held weakly: tasks that outlive a turn keep its context, and must not keep its session.
_current: ContextVar[weakref.ReferenceType[Turn] | None] = ContextVar(
    "hyperfocal_turn", default=None
)


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


class Turn:
    """Exclusive access, from ``enter`` to ``end``. Made by ``Session.turn`` and its siblings.

    Within, ``curdoc()`` is the session's document. ``flush`` lets out what has changed so far;
    ``end`` does the same and gives the document to whoever waits.

    Attributes:
        session: whose document it is.
        originator: the client on whose behalf the turn is taken, or ``None``. Changes made with
            it as their setter are not echoed to it.
        defined: models that the originator brought along in this turn.
        outer: the turn from within which it was asked for, held weakly.
        task: the task that holds the turn, ``None`` when it is held in a plain call.
        progress: lets out what a turn that may last has changed so far.
        in_thread: a worker thread may be changing the document.
    """

    __slots__ = (
        "__weakref__",
        "_tokens",
        "_warning",
        "defined",
        "in_thread",
        "originator",
        "outer",
        "progress",
        "session",
        "task",
    )

    def __init__(self, session: Session, originator: object | None) -> None:
        self.session = session
        self.originator = originator
        self.defined: frozenset[Any] = frozenset()
        self.task: asyncio.Task[Any] | None = None
        self.progress: Progress | None = None
        self.in_thread = False
        self._warning: TimerHandle | None = None
        self.outer = _current.get()
        self._tokens: tuple[Token[Any], Token[Any]] | None = None

    @property
    def document(self) -> Document:
        """The session's document."""
        return self.session.document

    def enter(self) -> None:
        """Make the calling context the one that holds the document."""
        self._tokens = (
            enter_document(self.session.document),
            _current.set(weakref.ref(self)),
        )
        try:
            self.task = asyncio.current_task()
        except RuntimeError:
            self.task = None

    def leave(self) -> None:
        """Undo ``enter``, in the same context. The turn goes on."""
        if self._tokens is not None:
            document, turn = self._tokens
            self._tokens = None
            _current.reset(turn)
            leave_document(document)

    def visit(self) -> tuple[Token[Any], Token[Any]]:
        """Make the calling context one of the turn, too, while its holder waits."""
        return enter_document(self.session.document), _current.set(weakref.ref(self))

    @staticmethod
    def end_visit(visit: tuple[Token[Any], Token[Any]]) -> None:
        """Undo ``visit``, in the same context."""
        document, turn = visit
        _current.reset(turn)
        leave_document(document)

    def may_last(self) -> None:
        """Let clients see what changes before the end: code that awaits or has a thread begins."""
        if self.progress is None:
            self.progress = Progress(self)
            self.session.execution.lasting += 1
            self._warning = self.session.warn_later(self)

    def flush(self) -> None:
        """Encode what has changed and offer it to the clients, in order."""
        self.session.flush(self)

    def end(self) -> None:
        """Flush and give the document to the next in line. Call it once."""
        if self.progress is not None:
            self.session.execution.lasting -= 1
        if self._warning is not None:
            self._warning.cancel()
        try:
            self.flush()
        finally:
            self.leave()
            self.session.release(self)

    def __enter__(self) -> Turn:
        self.enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
