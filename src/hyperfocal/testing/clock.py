"""A clock that stands still until it is told to move."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

__all__ = ("ManualClock",)


def _nothing() -> None:
    """What a cancelled timer calls."""


class _Timer:
    __slots__ = ("callback", "cancelled", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self.loop = loop
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        self.callback = _nothing  # as the event loop does: what it held may go


class ManualClock:
    """A ``hyperfocal.clock.Clock`` for tests.

    Args:
        start: where it stands at first, in seconds; both of its readings.
    """

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []

    def monotonic(self) -> float:
        """Seconds; the same as ``wall``."""
        return self._now

    def wall(self) -> float:
        """Seconds; the same as ``monotonic``."""
        return self._now

    def call_at(
        self, loop: asyncio.AbstractEventLoop, when: float, callback: Callable[[], None]
    ) -> _Timer:
        """Have ``loop`` call ``callback`` once the clock has been moved to ``when``."""
        timer = _Timer(loop, callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def set(self, seconds: float) -> None:
        """Move the hands without firing timers: time that passes while code runs."""
        self._now = seconds

    async def advance(self, seconds: float) -> None:
        """Move on, and fire each timer that comes due, at its own moment and in order.

        What the timers started gets the event loop in between.
        """
        end = self._now + seconds
        await settle()
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            if timer.cancelled:
                continue
            self._now = max(self._now, when)
            timer.callback()
            await settle()
        self._now = max(self._now, end)
        await settle()


async def settle(rounds: int = 20) -> None:
    """Give the event loop so many rounds, enough for short chains of callbacks to end."""
    for _ in range(rounds):
        await asyncio.sleep(0)
