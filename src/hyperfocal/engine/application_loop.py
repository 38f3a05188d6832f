"""The event loop on which ``async`` code of applications runs: in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable

from hyperfocal.telemetry import log_failure, shown

__all__ = ("ApplicationLoop", "new_loop")

_log = logging.getLogger("hyperfocal")

#: Seconds that tasks have to end when the loop is closed.
_CLOSE_S = 1.0


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop that runs nowhere yet: uvloop's where that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class ApplicationLoop:
    """A thread that runs an event loop until ``close``, whatever its tasks do.

    A coroutine that computes delays the others on this loop, and nothing else. A task that ends
    with ``SystemExit`` or stops the loop is an application's affair: the loop goes on.

    Args:
        prepare: called in the thread before the loop runs.
    """

    def __init__(self, prepare: Callable[[], None] = lambda: None) -> None:
        self.loop = new_loop()
        self._prepare = prepare
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="hyperfocal-application-loop", daemon=True
        )
        self._thread.start()

    @property
    def thread_ident(self) -> int:
        """The identity of its thread."""
        return self._thread.ident or 0

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._prepare()
        while not self._closing.is_set():
            try:
                self.loop.run_forever()
            except BaseException as error:
                what = (
                    "Code of an application asked the process to end (%s) in a task of its own; "
                    "the server goes on"
                )
                log_failure(_log, logging.ERROR, what, shown(error), error=error)
            else:
                if not self._closing.is_set():
                    _log.error("Code of an application stopped the event loop; the server goes on")
        with contextlib.suppress(Exception):
            self.loop.close()

    def close(self) -> None:
        """Cancel what runs, and end. A task that computes is left alone with the thread."""
        self._closing.set()
        with contextlib.suppress(RuntimeError):  # it is closed already
            self.loop.call_soon_threadsafe(self._end)
            self._thread.join(_CLOSE_S)

    def _end(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()

        async def stop() -> None:
            if tasks:
                await asyncio.wait(tasks, timeout=_CLOSE_S / 2)
            self.loop.stop()

        self._stopping = self.loop.create_task(stop())
