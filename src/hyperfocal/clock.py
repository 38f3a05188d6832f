"""Time, injected wherever it is read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ("Clock", "SystemClock", "TimerHandle", "call_at_from_anywhere")


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


class _Later:
    """A call that is scheduled on a loop from another thread, and can be called off there."""

    __slots__ = ("_callback", "_cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = _nothing  # what it holds may go

    def __call__(self) -> None:
        if not self._cancelled:
            self._callback()


def _nothing() -> None:
    """What is called in the place of what was called off."""


def call_at_from_anywhere(
    clock: Clock, loop: asyncio.AbstractEventLoop, when: float, callback: Callable[[], None]
) -> TimerHandle:
    """``clock.call_at``, in any thread. On a loop that is closed nothing is called."""
    try:
        if asyncio.get_running_loop() is loop:
            return clock.call_at(loop, when, callback)
    except RuntimeError:
        pass
    later = _Later(callback)
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(clock.call_at, loop, when, later)
    return later
