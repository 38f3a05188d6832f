"""How many documents are built at once, and who is next in line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import NamedTuple

from hyperfocal.errors import BusyError

__all__ = ("Builds",)


class _For(NamedTuple):
    """Of which application a document is built, and for whom."""

    url: str
    visitor: str


class Builds:
    """Lets documents be built a few at a time. On the I/O loop.

    Building computes, so more at once are no faster. But a build may hang, too: an application of
    which none is built may always begin one, so that those that hang stop no other application; one
    visitor has half of the places at the most; and a build that has lasted for long makes room for
    another.

    Args:
        at_once: how many at once.
        queue: how many may wait.
        patience_s: seconds after which a build counts as one that waits for something.
    """

    def __init__(self, at_once: int, queue: int, patience_s: float = 5.0) -> None:
        self._at_once = max(1, at_once)
        self._queue = queue
        self._patience_s = patience_s
        self._per_visitor = max(1, self._at_once // 2)
        self._running: list[_For] = []
        self._waiting: list[tuple[str, _For, asyncio.Future[None]]] = []

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def place(self, session_id: str) -> int:
        """How many documents are built before this session's, and its own; 0: it does not wait."""
        for place, (key, _, future) in enumerate(self._waiting, 1):
            if key == session_id and not future.done():
                return place
        return 0

    @contextlib.asynccontextmanager
    async def slot(self, url: str, session_id: str, visitor: str = "") -> AsyncGenerator[None]:
        """Within, a document of the application at this URL path may be built.

        Args:
            url: the path.
            session_id: of the session whose document it is.
            visitor: for whom; empty: nobody in particular.

        Raises:
            BusyError: too many documents wait to be built.
        """
        build = _For(url, visitor)
        if self._is_free(build):
            self._running.append(build)
        else:
            if len(self._waiting) >= self._queue:
                raise BusyError(f"{len(self._waiting)} documents wait to be built")
            await self._wait(build, session_id)
        loop = asyncio.get_running_loop()
        held = [build]
        timer = loop.call_later(self._patience_s, self._free, held)
        try:
            yield
        finally:
            timer.cancel()
            self._free(held)

    def _is_free(self, build: _For) -> bool:
        if all(build.url != other.url for other in self._running):
            return True
        theirs = sum(build.visitor == other.visitor for other in self._running)
        if build.visitor and theirs >= self._per_visitor:
            return False
        return len(self._running) < self._at_once

    async def _wait(self, build: _For, session_id: str) -> None:
        entry = session_id, build, asyncio.get_running_loop().create_future()
        self._waiting.append(entry)
        try:
            await entry[2]
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif not entry[2].cancelled():  # it was given to us just before we were cancelled
                self._free([build])
            raise

    def _free(self, held: list[_For]) -> None:
        """A slot is free again; a no-op the second time."""
        if not held:
            return
        self._running.remove(held.pop())
        for entry in list(self._waiting):
            _, build, future = entry
            if not self._is_free(build):
                continue
            self._waiting.remove(entry)
            if not future.done():
                self._running.append(build)
                future.set_result(None)
