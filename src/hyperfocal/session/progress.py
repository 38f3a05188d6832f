"""What a turn that lasts has changed so far, on its way to the clients while it still runs."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from hyperfocal.clock import TimerHandle
from hyperfocal.document import is_settled
from hyperfocal.session.broadcast import Said

if TYPE_CHECKING:
    from hyperfocal.session.turn import Turn

__all__ = ("Progress",)

#: Seconds between two messages of one turn that lasts.
INTERVAL_S = 0.05
#: What encoding may cost a thread ahead of time: so many seconds, and this share of the turn's.
_CREDIT_S = 0.005
_CREDIT_SHARE = 0.1


class Progress:
    """Lets out the changes of one turn, at most 20 times a second.

    A document is encoded only by the thread that may be changing it. Code on the event loop stands
    still while the loop calls ``_tick``, so what it has changed is encoded there. A worker thread
    does not stand still: it encodes what there is to say at each of its changes, and the loop only
    sends the latest of that. Encoding so often is bounded by a credit of time; what is not said
    on the way is said at the end.

    Args:
        turn: the turn; somebody holds it while this is in use.
    """

    __slots__ = (
        "_began",
        "_clock",
        "_guard",
        "_is_threaded",
        "_last",
        "_loop",
        "_ready",
        "_released",
        "_session",
        "_spent",
        "_timer",
        "_turn",
    )

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._session = turn.session
        self._loop = turn.session.loop
        self._clock = turn.session.clock
        self._guard = threading.Lock()
        self._began = self._last = self._clock.monotonic()
        self._spent = 0.0
        self._is_threaded = False
        self._ready: Said | None = None
        self._released: Said | None = None
        self._timer: TimerHandle | None = None

    def changed(self) -> None:
        """The document has changed. In the thread that has changed it."""
        try:
            on_loop = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            on_loop = False
        if on_loop:
            self._tick_later()
            return
        self._is_threaded = True
        with self._guard:
            self._prepare()
            is_due = self._ready is not None and self._timer is None
        if is_due:
            self._loop.call_soon_threadsafe(self._tick_later)

    def _prepare(self) -> None:
        self._forget_released()
        now = self._clock.monotonic()
        allowed = _CREDIT_S + _CREDIT_SHARE * (now - self._began)
        if self._spent > allowed or not is_settled(self._turn.document):
            return
        try:
            self._ready = self._session.broadcast.so_far(self._turn)
        except Exception:
            self._ready = None  # it is said at the end, by then perhaps with another value
        self._spent += self._clock.monotonic() - now

    def _forget_released(self) -> None:
        """What has been sent need not be said again."""
        said, self._released = self._released, None
        if said is not None:
            self._session.broadcast.forget(said)

    def _tick_later(self) -> None:
        if self._timer is None:
            self._timer = self._clock.call_at(self._loop, self._last + INTERVAL_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._session.turn_now is not self._turn:
            return
        self._last = self._clock.monotonic()
        if not self._is_threaded:
            self._session.flush(self._turn)
        elif not self._guard.acquire(blocking=False):
            self._tick_later()  # the thread is encoding
        else:
            try:
                self._release()
            finally:
                self._guard.release()

    def _release(self) -> None:
        said, self._ready = self._ready, None
        if said is not None and self._released is None:
            self._session.broadcast.offer(said)
            self._released = said

    def settle(self) -> None:
        """Before everything is said that is left: no thread changes the document any more."""
        self._forget_released()
        self._ready = None
