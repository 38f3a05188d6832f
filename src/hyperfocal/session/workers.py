"""Threads for the application's plain code."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sys
import threading
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar

from hyperfocal.document import imports_take_turns
from hyperfocal.session.threadloop import ThreadLoop

__all__ = ("Workers",)

_T = TypeVar("_T")

#: Seconds that a thread waits for more to do before it ends.
_IDLE_S = 10.0
_CLONE_FS = 0x200

#: What an event loop calls when it begins to run in a thread, and when it ends.
_set_running_loop: Any = events._set_running_loop  # pyright: ignore[reportPrivateUsage]


class _Job:
    """One call, and the future of the event loop that waits for it."""

    __slots__ = ("call", "context", "future", "key", "loop", "name")

    def __init__(self, call: Callable[[], Any], name: str, key: object) -> None:
        self.call = call
        self.name = name
        self.key = key
        self.context: Context = copy_context()
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()

    def run(self) -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = self.context.run(self.call)
        except BaseException as error:  # SystemExit, too, is the application's own affair
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle, result, failure)

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        if self.future.done():
            return
        if failure is None:
            self.future.set_result(result)
        elif isinstance(failure, StopIteration):  # which no future can hold
            error = RuntimeError("StopIteration")
            error.__cause__ = failure
            self.future.set_exception(error)
        else:
            self.future.set_exception(failure)


class Workers:
    """A bounded number of threads; calls beyond it wait, first come, first served.

    The threads are daemons: one that is stuck in the application's code does not keep the process
    from ending. Each has a working directory of its own where the system has such (Linux), so
    that a script's ``os.chdir`` is nobody else's, and they import one after the other. While a call
    runs, ``asyncio.get_running_loop()`` gives a stand-in of the event loop that asked for it
    (``ThreadLoop``).

    Args:
        limit: how many threads there may be at once.
        name: what their names begin with.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._guard = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._running: set[_Job] = set()
        self._threads = 0
        self._idle = 0
        self._closed = False

    @property
    def limit(self) -> int:
        """How many calls may run at once."""
        return self._limit

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread that has something else to do."""
        return max(0, len(self._jobs) + len(self._running) - self._limit)

    def place(self, key: object) -> int:
        """The place in line of the call with this key: 1 is next, 0 is none, or that it runs."""
        for place, job in enumerate(list(self._jobs), 1):
            if job.key == key:
                return place
        return 0

    def submit(
        self, call: Callable[[], _T], name: str = "", key: object = None
    ) -> asyncio.Future[_T]:
        """Have a thread call it, in a copy of the caller's context. On an event loop.

        Args:
            call: takes no arguments.
            name: names the thread meanwhile, for whoever looks at a stack.
            key: finds the call's ``place`` in line.

        Returns:
            A future of the running loop. Cancelling it keeps the call from beginning, and does not
            stop one that has begun.
        """
        job = _Job(call, name, key)
        with self._guard:
            self._jobs.append(job)
            if len(self._jobs) <= self._idle:
                self._guard.notify()
            elif self._threads < self._limit:
                self._threads += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return job.future

    def close(self) -> None:
        """Let threads end that have nothing to do; whoever waits for a call waits no longer."""
        with self._guard:
            self._closed = True
            unfinished = [*self._jobs, *self._running]
            self._jobs.clear()
            self._guard.notify_all()
        for job in unfinished:
            with contextlib.suppress(RuntimeError):
                job.loop.call_soon_threadsafe(job.future.cancel)

    def _work(self) -> None:
        _own_working_directory()
        imports_take_turns()
        while (job := self._next()) is not None:
            threading.current_thread().name = f"{self._name} {job.name}"
            _set_running_loop(ThreadLoop.of(job.loop))
            try:
                job.run()
            finally:
                _set_running_loop(None)
                with self._guard:
                    self._running.discard(job)
            del job  # a thread that waits keeps nobody's document alive
            threading.current_thread().name = self._name

    def _next(self) -> _Job | None:
        """What to do next; ``None`` when the thread may end."""
        with self._guard:
            while True:
                while self._jobs:
                    job = self._jobs.popleft()
                    if not job.future.cancelled():  # somebody still wants it
                        self._running.add(job)
                        return job
                self._idle += 1
                woken = not self._closed and self._guard.wait(_IDLE_S)
                self._idle -= 1
                if self._closed or (not woken and not self._jobs):
                    self._threads -= 1
                    return None


def _own_working_directory() -> None:
    """Part with the process's working directory: what this thread changes is its own.

    See unshare(2). Some containers forbid it; then a script that calls ``os.chdir`` changes the
    directory for all while it runs.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).unshare(_CLONE_FS)
