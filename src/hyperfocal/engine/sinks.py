"""What jobs have collected for clients, on its way to their sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from hyperfocal.clock import running_loop

__all__ = ("Collector", "Sink")

_log = logging.getLogger("hyperfocal")

_FAILED = "Writing to a client failed; this is a mistake of Hyperfocal's"


class Sink(Protocol):
    """A connection for which something waits to be written."""

    def write_collected(self) -> bool:
        """Write it, in the calling thread, without waiting; False: the I/O loop has to."""
        ...

    def write_on_loop(self) -> None:
        """Write it. On the I/O loop."""
        ...


class Collector:
    """The connections for which something waits, until a turn thread or the I/O loop writes it.

    Safe from any thread. ``sinks`` is a deque, of which each thread takes from one end.
    ``_is_told`` is set by whoever tells the I/O loop, and reset there before it looks at the sinks;
    to tell it twice does no harm.

    Args:
        look_later: has ``write_all`` called soon, on the I/O loop.

    Attributes:
        sinks: the connections.
    """

    def __init__(self, look_later: Callable[[], None]) -> None:
        self.sinks: deque[Sink] = deque()
        self._look_later = look_later
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: Any = None
        self._is_told = False

    def start(self, loop: asyncio.AbstractEventLoop, seen: Any) -> None:
        """Begin.

        Args:
            loop: the I/O loop.
            seen: what runs in turn threads, as far as asyncio knows.
        """
        self._loop = loop
        self._seen = seen

    def collect(self, sink: Sink) -> None:
        """Something waits to be written."""
        self.sinks.append(sink)
        running = running_loop()
        if running is self._seen:
            self._look_later()  # a job that lasts: the thread will not get to it soon
        elif not self._is_told and self._loop is not None:
            self._is_told = True
            if running is self._loop:
                self._loop.call_soon(self.write_all)
            else:
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self.write_all)

    def write_here(self) -> None:
        """Write what is collected, in this thread; what it cannot write the I/O loop does."""
        sinks = self.sinks
        rest: list[Sink] = []
        while sinks:
            try:
                sink = sinks.popleft()
            except IndexError:
                break
            try:
                is_written = sink.write_collected()
            except Exception:  # the others' replies are not to be lost
                _log.exception(_FAILED)
                continue
            if not is_written:
                rest.append(sink)
        if rest and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(_write_on_loop, rest)

    def write_all(self) -> None:
        """Write what is collected. On the I/O loop."""
        self._is_told = False
        sinks: list[Sink] = []
        with contextlib.suppress(IndexError):
            while True:
                sinks.append(self.sinks.popleft())
        _write_on_loop(sinks)


def _write_on_loop(sinks: list[Sink]) -> None:
    for sink in sinks:
        try:
            sink.write_on_loop()
        except Exception:
            _log.exception(_FAILED)
