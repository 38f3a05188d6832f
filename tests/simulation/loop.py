"""An event loop whose time jumps: nothing waits, and every run of a seed is the same."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from hyperfocal.clock import TimerHandle

__all__ = ("NobodyGoesOn", "SimulatedClock", "SimulatedLoop", "SimulatedWorkers")


class NobodyGoesOn(AssertionError):
    """Everybody waits for somebody else, and no timer will end it."""


class _Jumping(selectors.SelectSelector):
    """Instead of waiting, moves the loop's time to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NobodyGoesOn("everybody waits, and for ever")
        self.now += max(timeout, 0.0)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs tasks as asyncio does; ``time()`` is the time of the simulation."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def pass_time(self, seconds: float) -> None:
        """Code runs for so long, and nobody else does anything."""
        self._jumping.now += seconds


class SimulatedClock:
    """The clock of the server that is simulated."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def wall(self) -> float:
        return self._loop.time()

    def call_at(
        self, loop: asyncio.AbstractEventLoop, when: float, callback: Callable[[], None]
    ) -> TimerHandle:
        return loop.call_at(when, callback)


class SimulatedWorkers:
    """Stand for worker threads: what they are given happens in one go, some time later."""

    limit = 4
    waiting = 0

    def __init__(self, loop: SimulatedLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng

    def submit(self, call: Callable[[], Any], name: str, key: object = None) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        delay = self._rng.choice([0.0, 0.001, 0.05, 2.0])
        self._loop.call_later(delay, self._run, call, future, context=copy_context())
        return future

    def _run(self, call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        result: Any = None
        failure: Exception | None = None
        try:
            result = call()
        except Exception as error:
            failure = error
        if future.done():
            return
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)

    def place(self, key: object) -> int:
        return 0

    def close(self) -> None: ...
