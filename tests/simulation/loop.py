"""An event loop whose time jumps: nothing waits, and every run of a seed is the same."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any

from hyperfocal.clock import TimerHandle
from hyperfocal.engine import Engine, Mailbox, Sink

__all__ = ("NobodyGoesOn", "SimulatedClock", "SimulatedLoop", "VirtualThreads")


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


class VirtualThreads(Engine):
    """An engine whose threads are virtual: a job happens in one go, some time after it may run.

    Which of the mailboxes that are ready is next, and when, the world's seed decides.
    """

    has_threads = True

    def __init__(self, loop: SimulatedLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self._ready: list[Mailbox] = []
        self._sinks: list[Sink] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def application_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def ready(self, mailbox: Mailbox) -> None:
        self._ready.append(mailbox)
        delay = self._rng.choice([0.0, 0.0, 0.0, 0.001, 0.05, 0.3])
        self._loop.call_later(delay, self._run, context=Context())

    def _run(self) -> None:
        self._ready.pop(self._rng.randrange(len(self._ready))).take()()

    def collect(self, sink: Sink) -> None:
        self._sinks.append(sink)
        self._loop.call_later(self._rng.choice([0.0, 0.01]), self._write)

    def _write(self) -> None:
        self._sinks.pop(0).write_on_loop()
