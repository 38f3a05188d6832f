"""The lock of a document: fair, and free of charge when nobody else wants it."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ("TurnLock",)


class TurnLock:
    """First come, first served; used on one event loop's thread.

    Unlike ``asyncio.Lock`` it can be taken without an ``await`` when it is free, which lets a
    whole turn be one synchronous call. It never lets a latecomer overtake somebody who waits.
    """

    __slots__ = ("_held", "_waiters")

    def __init__(self) -> None:
        self._held = False
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def held(self) -> bool:
        """Whether somebody has it."""
        return self._held

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return sum(not waiter.done() for waiter in self._waiters)

    def try_acquire(self) -> bool:
        """Take it if it is free and nobody waits."""
        if self._held or self._waiters:
            return False
        self._held = True
        return True

    async def acquire(self) -> None:
        """Take it, in the order of calls. A cancelled waiter delays nobody."""
        if self.try_acquire():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.release()  # it was handed to us in the moment we were cancelled
            elif waiter in self._waiters:  # a release may have passed over us already
                self._waiters.remove(waiter)
            raise

    def release(self) -> None:
        """Hand it to the first who waits, or leave it free."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._held = False
