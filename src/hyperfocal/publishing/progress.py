"""What a turn that lasts has changed so far, on its way to the clients while it still runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import FrameType

from hyperfocal.clock import Clock, TimerHandle, running_loop
from hyperfocal.document import Document, Model, is_settled
from hyperfocal.engine import frame_of
from hyperfocal.publishing.publisher import Publisher, Said

__all__ = ("INTERVAL_S", "Progress")

#: Seconds between two messages of one turn that lasts.
INTERVAL_S = 0.05
#: What encoding may cost a thread ahead of time: so many seconds, and this share of the turn's.
_CREDIT_S = 0.005
_CREDIT_SHARE = 0.1


class Progress:
    """Lets out the changes of one turn, at most 20 times a second.

    A document is encoded only while nobody changes it. Code on a loop stands still while that loop
    calls ``_tick``. A thread does not stand still: it encodes what there is to say at each of its
    changes, within a credit of time, and the I/O loop only sends the latest of that; what is not
    said on the way is said at the end. What a thread has changed before anybody knew that its turn
    would last is encoded by another (``peek``), if the thread stands still meanwhile, as it does in
    ``time.sleep`` or while it waits for a database.

    ``_guard`` guards the attributes from ``_ready`` on. Who encodes holds it, so that the thread
    waits at its next change and at its end.

    Args:
        publisher: of the session.
        document: of the session.
        originator: see ``Publisher.flush``.
        defined: gives what ``Publisher.flush`` takes.
        clock: tells the time.
        loop: the I/O loop.
        thread: the identity of the thread that has the turn, or ``None``: a coroutine has it.
        coroutine_loop: where that coroutine runs.
        holds: whether somebody still has the turn.
    """

    def __init__(
        self,
        publisher: Publisher,
        document: Document,
        originator: object | None,
        defined: Callable[[], frozenset[Model]],
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        thread: int | None,
        coroutine_loop: asyncio.AbstractEventLoop,
        holds: Callable[[], bool],
    ) -> None:
        self._publisher = publisher
        self._document = document
        self._originator = originator
        self._clock = clock
        self._loop = loop
        self._thread = thread
        self._coroutine_loop = coroutine_loop
        self._holds = holds
        self._defined = defined
        self._began = self._last = clock.monotonic()
        self._guard = threading.Lock()
        self._ended = False
        self._spent = 0.0
        self._is_threaded = thread is not None
        self._is_due = False
        self._ready: Said | None = None
        self._released: Said | None = None

    def changed(self) -> None:
        """The document has changed. Called by who has changed it."""
        if running_loop() is self._coroutine_loop and not self._is_threaded:
            self._tick_later(self._coroutine_loop)
            return
        with self._guard:
            self._is_threaded = True
            self._prepare()
            if self._ready is None:
                return
        self._tick_later(self._loop)

    def _prepare(self) -> None:
        self._forget_released()
        now = self._clock.monotonic()
        allowed = _CREDIT_S + _CREDIT_SHARE * (now - self._began)
        if self._spent > allowed or not is_settled(self._document):
            return
        self._ready = self._encoded()
        self._spent += self._clock.monotonic() - now

    def _encoded(self) -> Said | None:
        try:
            return self._publisher.so_far(self._originator, self._defined())
        except Exception:
            return None  # it is said at the end, by then perhaps with another value

    def _forget_released(self) -> None:
        """What has been sent need not be said again."""
        said, self._released = self._released, None
        if said is not None:
            self._publisher.forget(said)

    def peek(self) -> None:
        """Encode what there is to say, if the turn's thread stands still. In another thread."""
        with self._guard:
            thread, changes = self._thread, self._publisher.changes
            if thread is None or self._ended or self._ready is not None or not changes:
                return
            before, count = _stack(thread), len(changes)
            if before is None or not is_settled(self._document):
                return
            said = self._encoded()
            if said is None or len(changes) != count or _stack(thread) != before:
                return  # the thread goes on, and says it at its next change or at the end
            self._ready = said
        self._tick_later(self._loop)

    def _tick_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_due:
            return
        self._is_due = True
        if running_loop() is loop:
            self._schedule(loop)
        else:
            loop.call_soon_threadsafe(self._schedule, loop)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> TimerHandle:
        return self._clock.call_at(loop, self._last + INTERVAL_S, self._tick)

    def _tick(self) -> None:
        self._is_due = False
        if not self._holds():
            return
        if not self._is_threaded and running_loop() is not self._coroutine_loop:
            self._tick_later(self._coroutine_loop)  # handed over meanwhile
            return
        if not self._guard.acquire(blocking=False):
            self._tick_later(self._loop)  # somebody is encoding
            return
        try:
            if self._ended:
                return
            self._last = self._clock.monotonic()
            if not self._is_threaded:
                self._publisher.flush(self._originator, self._defined())
                return
            said, self._ready = self._ready, None
            if said is not None and self._released is None:
                self._publisher.offer(said)
                self._released = said
        finally:
            self._guard.release()

    def hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread has no more to do with the turn: a coroutine on this loop goes on with it."""
        with self._guard:
            self._forget_released()
            self._ready = None
            self._thread = None
            self._is_threaded = False
            self._coroutine_loop = loop
        if self._publisher.changes:
            self._tick_later(loop)

    def settle(self) -> None:
        """Before everything is said that is left: by who has the turn."""
        with self._guard:
            self._forget_released()
            self._ready = None

    def end(self) -> None:
        """The turn is over: nothing is said on its behalf any more."""
        with self._guard:
            self._ended = True
            self._forget_released()
            self._ready = None


def _stack(thread: int) -> list[tuple[FrameType, int]] | None:
    """Where a thread is: the same as long as it does not go on."""
    frame = frame_of(thread)
    found: list[tuple[FrameType, int]] = []
    while frame is not None:
        found.append((frame, frame.f_lasti))
        frame = frame.f_back
    return found or None
