"""Time, injected wherever it is read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ("Clock", "Later", "SystemClock", "TimerHandle", "running_loop")

#: The event loop that runs in the calling thread; ``None`` where none does. One of the names that
#: asyncio exports.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop  # pyright: ignore[reportPrivateUsage]


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


class Later:
    """A call at a time that may be asked for, and called off, in any thread."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    @classmethod
    def at(
        cls,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        when: float,
        callback: Callable[[], None],
    ) -> Later:
        """``clock.call_at``, in any thread. On a loop that is closed nothing is called."""
        later = cls(callback)
        if running_loop() is loop:
            clock.call_at(loop, when, later)
        else:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(clock.call_at, loop, when, later)
        return later

    def cancel(self) -> None:
        """Call nothing; what the callback holds may go."""
        self._callback = _nothing

    def __call__(self) -> None:
        """The time has come."""
        self._callback()


def _nothing() -> None:
    """What is called in the place of what was called off."""
