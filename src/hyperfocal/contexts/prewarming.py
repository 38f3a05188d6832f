"""Sessions built ahead, so that a visitor gets one that is ready.

What is pooled is right by construction: a document whose building looked at the request or at the
session's id is not pooled (the session context notices), nor is one that says so itself with
``needs_visitor``. After the first such document the application is not built ahead any more.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from enum import Enum, auto
from typing import TypeVar

from hyperfocal.clock import Clock
from hyperfocal.errors import BuildError
from hyperfocal.session import Session
from hyperfocal.telemetry.memory import resident_bytes

__all__ = ("Ahead", "Demand", "Prewarming", "building_ahead", "needs_visitor", "prewarm_safe")

#: Seconds that a visitor who has just taken a session has for their page and websocket before the
#: next one is built.
GRACE_S = 0.2
#: Seconds after which a session that nobody has taken is built anew.
MAX_AGE_S = 600.0

#: Seconds after a failure in which the application is not built ahead again; twice as many after
#: each further failure in a row.
RETRY_S = 10.0
MAX_RETRY_S = 3600.0

_Hook = TypeVar("_Hook", bound=Callable[..., object])


class Ahead:
    """A document that is being built for a visitor yet to come.

    Attributes:
        looked_at: what of the visitor the building asked for, if anything.
    """

    __slots__ = ("looked_at",)

    def __init__(self) -> None:
        self.looked_at: str | None = None

    def look(self, what: str) -> None:
        """The building asks for something that only a visitor has."""
        if self.looked_at is None:
            self.looked_at = what


building_ahead: ContextVar[Ahead | None] = ContextVar("hyperfocal_ahead", default=None)


def needs_visitor() -> None:
    """Say that the document depends on who visits, or when: it is not to be built ahead.

    For applications to call while they build a document, when what they show depends on the
    clock, on chance, or on anything else that ``--prewarm`` cannot see. A look at the request or
    at the session's id is noticed by itself. Without ``--prewarm`` it does nothing.
    """
    ahead = building_ahead.get()
    if ahead is not None:
        ahead.look("needs_visitor()")


def prewarm_safe(hook: _Hook) -> _Hook:
    """Mark an ``on_session_created`` hook that may run when a session is built ahead.

    Without the mark it runs when the visitor comes: after the document was built.
    """
    hook.__hyperfocal_prewarm_safe__ = True  # type: ignore[attr-defined]
    return hook


class Demand:
    """How many sessions to have ready, learned from arrivals (``--prewarm auto``).

    Args:
        max_bytes: what all sessions that wait may take.
    """

    #: Seconds over which arrivals count: exp(-age / _WINDOW_S).
    _WINDOW_S = 60.0
    #: A pool for so many times the arrivals that are expected while it is filled again.
    _MARGIN = 3.0
    _MAX = 32

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._weight = 0.0
        self._at = 0.0
        self._build_s = 0.0
        self._session_bytes = 64.0 * 1024

    def arrived(self, now: float) -> None:
        """A visitor has come (monotonic seconds)."""
        self._weight = self._decayed(now) + 1.0
        self._at = now

    def _decayed(self, now: float) -> float:
        return self._weight * math.exp(-(now - self._at) / self._WINDOW_S)

    def built(self, seconds: float, grown_bytes: int) -> None:
        """A session took so long to build, and made the process grow by so much."""
        self._build_s = seconds if not self._build_s else 0.7 * self._build_s + 0.3 * seconds
        if grown_bytes > 0:
            self._session_bytes = 0.8 * self._session_bytes + 0.2 * grown_bytes

    def target(self, now: float) -> int:
        """How many should be ready: at least one, within the memory."""
        rate = self._decayed(now) / self._WINDOW_S
        wanted = math.ceil(rate * 2 * self._build_s * self._MARGIN)
        affordable = int(self._max_bytes // self._session_bytes)
        return min(max(1, wanted), affordable, self._MAX)


class _State(Enum):
    #: Not started.
    RESTING = auto()
    FILLING = auto()
    #: The application has failed; it goes on when a visitor's session works, after some time.
    FAILED = auto()
    #: For good: closed, or the application cannot be built ahead.
    RETIRED = auto()


class Prewarming:
    """A pool of sessions, and the task that keeps it filled.

    One session is built at a time, and as much time is left to visitors as each takes.

    Args:
        size: how many to have ready; ``None``: as many as ``Demand`` says.
        demand: learns from arrivals.
        build: makes a session; ``None`` when the application cannot be built ahead. Raises
            ``BuildError`` when it failed: it may work again.
        discard: takes down a session that nobody has taken.
        clock: tells the time.
    """

    def __init__(
        self,
        size: int | None,
        demand: Demand,
        build: Callable[[], Awaitable[Session | None]],
        discard: Callable[[Session], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._size = size
        self._demand = demand
        self._build = build
        self._discard = discard
        self._clock = clock
        self._ready: deque[tuple[Session, float]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._state = _State.RESTING
        self._failures = 0  # in a row
        self._retry_at = 0.0

    def __len__(self) -> int:
        return len(self._ready)

    def start(self) -> None:
        """Fill the pool, and keep it filled. Call on the event loop."""
        if self._state is _State.RESTING:
            self._state = _State.FILLING
            self._task = asyncio.get_running_loop().create_task(self._keep_filled())

    def resume(self) -> None:
        """The application works: go on if it had failed.

        An application may fail whenever it is built ahead and work for every visitor; hence the
        time that has to pass, which grows.
        """
        if self._state is _State.FAILED and self._now() >= self._retry_at:
            self._state = _State.RESTING
            self.start()

    def retire(self) -> None:
        """The application cannot be built ahead: let the task end, and discard what is ready."""
        self._state = _State.RETIRED
        self._wake.set()

    def take(self) -> Session | None:
        """The session that has waited longest, for a visitor who has come."""
        self._demand.arrived(self._clock.monotonic())
        self._wake.set()
        if not self._ready:
            return None
        session, _ = self._ready.popleft()
        return session

    async def empty(self) -> None:
        """Discard all that is ready: the application has changed. The pool fills again."""
        ready, self._ready = self._ready, deque()
        self._wake.set()
        for session, _ in ready:
            await self._discard(session)

    async def close(self) -> None:
        """Build nothing more and discard what is ready."""
        self._state = _State.RETIRED
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.empty()

    def _target(self) -> int:
        return self._size if self._size is not None else self._demand.target(self._now())

    def _now(self) -> float:
        return self._clock.monotonic()

    async def _keep_filled(self) -> None:
        while self._state is _State.FILLING:
            self._wake.clear()
            await self._discard_old()
            if len(self._ready) < self._target():
                began, before = self._now(), resident_bytes()
                try:
                    session = await self._build()
                except BuildError:
                    self._state = _State.FAILED
                    self._retry_at = self._now() + min(RETRY_S * 2**self._failures, MAX_RETRY_S)
                    self._failures += 1
                    break
                if session is None:
                    self._state = _State.RETIRED
                    break
                self._failures = 0
                took = self._now() - began
                self._demand.built(took, resident_bytes() - before)
                self._ready.append((session, self._now()))
                await self._sleep(took)
            else:
                oldest = self._ready[0][1] if self._ready else self._now()
                await self._until(oldest + MAX_AGE_S, self._wake)
                await self._sleep(GRACE_S)
        await self.empty()

    async def _discard_old(self) -> None:
        while self._ready and self._ready[0][1] + MAX_AGE_S <= self._now():
            session, _ = self._ready.popleft()
            await self._discard(session)

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._until(self._now() + seconds, asyncio.Event())
        else:
            await asyncio.sleep(0)

    async def _until(self, when: float, event: asyncio.Event) -> None:
        """Wait until then, or for the event if that comes first."""
        timer = self._clock.call_at(asyncio.get_running_loop(), when, event.set)
        try:
            await event.wait()
        finally:
            timer.cancel()
