"""Engines with threads, and sessions on them, in the event loop of a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from hyperfocal.engine import ThreadedEngine, ThreadLimits
from tests.support.serving import until

__all__ = ("Gate", "Steps", "threaded")


@asynccontextmanager
async def threaded(
    limits: ThreadLimits | None = None, *, on_host: bool = True
) -> AsyncGenerator[ThreadedEngine]:
    """An engine whose I/O loop is the test's; ``async`` code runs there, too, unless it is not."""
    engine = ThreadedEngine(limits if limits is not None else ThreadLimits())
    engine.on_host = on_host
    engine.start()
    try:
        yield engine
    finally:
        engine.close()


class Gate:
    """Plain code that says when it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.threads: list[int] = []

    def __call__(self, *_: Any) -> None:
        self.threads.append(threading.get_ident())
        self.begun.set()
        assert self.may_end.wait(20)

    async def until_begun(self) -> None:
        await until(self.begun.is_set)


class Steps:
    """Plain code in a thread that goes on step by step, as the test says."""

    def __init__(self, *steps: Callable[[], Any]) -> None:
        self._steps = steps
        self._go = threading.Semaphore(0)
        self._at = 0
        self.done = 0
        self.begun = threading.Event()

    def __call__(self, *_: Any) -> None:
        self.begun.set()
        for number, step in enumerate(self._steps):
            assert self._go.acquire(timeout=20)
            step()
            self.done = number + 1
        assert self._go.acquire(timeout=20)

    async def step(self) -> None:
        """Let it take its next step, and wait until it has; or let it end."""
        self._go.release()
        self._at += 1
        if self._at <= len(self._steps):
            await until(lambda: self.done == self._at)
            for _ in range(20):
                await asyncio.sleep(0)

    def finish(self) -> None:
        """Let it take all its steps, and end."""
        for _ in range(len(self._steps) + 1):
            self._go.release()
