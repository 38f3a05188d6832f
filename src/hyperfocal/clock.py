"""Time, injected wherever it is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ("Clock", "SystemClock", "TimerHandle")


class TimerHandle(Protocol):
    """A scheduled call that can still be called off."""

    def cancel(self) -> None:
        """Call it off; a no-op when it has run."""


class Clock(Protocol):
    """Where the time comes from, and who calls back when it has come."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes backwards."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def call_at(
        self, loop: asyncio.AbstractEventLoop, when: float, callback: Callable[[], None]
    ) -> TimerHandle:
        """Have ``loop`` call ``callback`` once ``monotonic()`` has reached ``when`` (seconds).

        Must be called on the loop's own thread.
        """
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds of ``time.monotonic``."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds of ``time.time``."""
        return time.time()

    def call_at(
        self, loop: asyncio.AbstractEventLoop, when: float, callback: Callable[[], None]
    ) -> TimerHandle:
        """Schedule on the loop; its clock may count from another moment than ours."""
        return loop.call_later(max(0.0, when - time.monotonic()), callback)
