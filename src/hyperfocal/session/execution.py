"""Where the application's plain code runs: in a worker thread until it has proved quick.

A piece of code is known by its code object, which all sessions of an application share: what one
session has taught holds for the next. Async code runs on the event loop and is none of this.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hyperfocal.clock import Clock
from hyperfocal.config import Settings
from hyperfocal.errors import BusyError
from hyperfocal.panel import stands_for
from hyperfocal.session.effort import Effort, own_seconds, thread_effort
from hyperfocal.session.habits import Habit, Thresholds
from hyperfocal.session.timers import callback_name
from hyperfocal.session.workers import Workers
from hyperfocal.telemetry import CodeMoved, Telemetry

__all__ = ("Execution", "code_of", "is_coroutine")

_T = TypeVar("_T")

#: Pieces of code that are remembered; an application may make new ones all the time.
_MAX_HABITS = 10_000


class Execution:
    """Decides where plain code runs, and runs it there. One for all applications of a server.

    Args:
        callback_threads: callbacks that may run in threads at once; 0: everything runs in place.
        build_threads: documents that may be built in threads at once; 0: they are built in place.
        callbacks: what counts as quick among callbacks.
        builds: what counts as quick among the building of documents.
        clock: tells how long things take.
        telemetry: hears where code runs from now on.
        build_queue: documents that may wait for a thread.
        effort: tells what the calling thread has done, so that code is not blamed for what kept
            it from the processor; by default nothing is known of that.

    Attributes:
        at_rest: no code has run for a while; call ``stir`` before some does.
        on_stir: called when code is about to run after that.
        lasting: turns that await something, or have a thread.
    """

    def __init__(
        self,
        callback_threads: int,
        build_threads: int,
        callbacks: Thresholds,
        builds: Thresholds,
        clock: Clock,
        telemetry: Telemetry,
        build_queue: int = 0,
        effort: Callable[[], Effort | None] = lambda: None,
    ) -> None:
        self.at_rest = False
        self.lasting = 0
        self.on_stir: Callable[[], None] = lambda: None
        self._build_queue = build_queue
        self._effort = effort
        self._callback_workers = Workers(callback_threads, "hyperfocal-callback")
        self._build_workers = Workers(build_threads, "hyperfocal-build")
        self._callbacks = callbacks
        self._builds = builds
        self._telemetry = telemetry
        self._habits: OrderedDict[int | str, Habit] = OrderedDict()
        #: Seconds on the clock by which code is timed.
        self.now = clock.monotonic

    @classmethod
    def of(cls, settings: Settings, clock: Clock, telemetry: Telemetry) -> Execution:
        """One that does as the settings say."""
        return cls(
            settings.callback_threads,
            settings.build_threads,
            Thresholds(settings.quick_callback_ms / 1000),
            Thresholds(settings.quick_build_ms / 1000),
            clock,
            telemetry,
            settings.build_queue,
            thread_effort,
        )

    @classmethod
    def without_threads(cls, clock: Clock, telemetry: Telemetry) -> Execution:
        """One that runs everything in place."""
        return cls(0, 0, Thresholds(0.0), Thresholds(0.0), clock, telemetry)

    def stir(self) -> None:
        """Code of an application is about to run."""
        self.at_rest = False
        self.on_stir()

    def habit(self, callback: Callable[..., Any], url: str) -> Habit | None:
        """What is known of a callback of the application at this URL path.

        Returns:
            ``None`` if it is to run in place whatever it does: it is ``async``, or there are no
            threads.
        """
        if not self._callback_workers.limit:
            return None
        code = code_of(callback)
        habit = self._habits.get(id(code))
        if habit is not None:
            return habit
        inner = _inner(callback)
        behind = stands_for(inner)
        if behind is not None:
            return self._habit_behind(behind, url)
        if inspect.iscoroutinefunction(inner):
            return None
        habit = Habit(code, callback_name(inner), self._callbacks, self._teller(url))
        return self._add(id(code), habit)

    def _habit_behind(self, behind: Callable[..., Any] | str, url: str) -> Habit | None:
        """What is known of what Panel calls in the name of the application."""
        if not isinstance(behind, str):
            return self.habit(behind, url)
        name = f"callbacks of {behind} at {url}"
        habit = self._habits.get(name)
        if habit is not None:
            return habit
        return self._add(name, Habit(name, name, self._callbacks, self._teller(url)))

    def slowest(self, callbacks: Sequence[Callable[..., Any]], url: str) -> Habit | None:
        """The habit to go by when all of these are called."""
        found: Habit | None = None
        for callback in callbacks:
            habit = self.habit(callback, url)
            if habit is not None and (found is None or found.quick):
                found = habit
        return found

    def building(self, url: str) -> Habit | None:
        """What is known of building documents of the application at this URL path."""
        if not self._build_workers.limit:
            return None
        habit = self._habits.get(url)
        if habit is not None:
            return habit
        name = "building a document"
        return self._add(url, Habit(url, name, self._builds, self._teller(url)))

    def _add(self, key: int | str, habit: Habit) -> Habit:
        if len(self._habits) >= _MAX_HABITS:
            self._habits.popitem(last=False)
        self._habits[key] = habit
        return habit

    def _teller(self, url: str) -> Callable[[str, bool, float], None]:
        def tell(name: str, quick: bool, seconds: float) -> None:
            self._telemetry.emit(CodeMoved(url, name, quick, seconds))

        return tell

    def in_place(self, habit: Habit | None, call: Callable[[], _T]) -> _T:
        """Call it here and now, and remember how long it took."""
        if habit is None:
            return call()
        effort, began = self._effort(), self.now()
        try:
            return call()
        finally:
            now = self.now()
            took = now - began
            if took > habit.quick_s:
                took = own_seconds(took, effort, self._effort())
            habit.took(took, now)

    async def run(
        self,
        callback: Callable[..., Any],
        call: Callable[[], _T],
        url: str,
        *,
        abandon: bool = False,
    ) -> _T:
        """Call it where the habit of ``callback`` says.

        Args:
            callback: the application's function.
            call: calls it.
            url: the application's URL path.
            abandon: leave a thread alone with the call when the caller is cancelled; otherwise
                the caller waits for it, see ``in_thread``.
        """
        habit = self.habit(callback, url)
        if habit is None or habit.quick:
            return self.in_place(habit, call)
        return await self._in_thread(self._callback_workers, habit, call, url, abandon=abandon)

    def place_in_line(self, session_id: str) -> int:
        """How many documents are built before this session's, and its own; 0: it does not wait."""
        return self._build_workers.place(session_id)

    async def build(self, url: str, session_id: str, call: Callable[[], _T]) -> _T:
        """Build a document of the application at this URL path, wherever that may be.

        A caller that is cancelled leaves the thread alone with it.

        Raises:
            BusyError: too many documents wait to be built.
        """
        habit = self.building(url)
        if habit is None or habit.quick:
            return self.in_place(habit, call)
        if self._build_workers.waiting >= self._build_queue:
            raise BusyError(f"{self._build_workers.waiting} documents wait to be built")
        return await self._in_thread(
            self._build_workers, habit, call, url, key=session_id, abandon=True
        )

    async def in_thread(self, habit: Habit, call: Callable[[], _T], url: str) -> _T:
        """Have a worker thread, named after the application, call it in a copy of this context.

        A caller that is cancelled has to wait all the same until the call has ended, because what
        it holds, a turn for example, is in use until then.
        """
        return await self._in_thread(self._callback_workers, habit, call, url)

    async def _in_thread(
        self,
        workers: Workers,
        habit: Habit,
        call: Callable[[], _T],
        name: str,
        *,
        key: object = None,
        abandon: bool = False,
    ) -> _T:
        began: float | None = None
        took: float | None = None

        def timed() -> _T:
            nonlocal began, took
            effort, began = self._effort(), self.now()
            try:
                return call()
            finally:
                took = own_seconds(self.now() - began, effort, self._effort())

        future = workers.submit(timed, name, key)
        try:
            return await (future if abandon else _ended(future))
        finally:
            if began is not None:  # what has been abandoned has taken so long at least
                now = self.now()
                habit.took(took if took is not None else now - began, now)

    def close(self) -> None:
        """End the threads that have nothing to do, and wait for none of the others."""
        self._callback_workers.close()
        self._build_workers.close()


async def _ended(future: asyncio.Future[_T]) -> _T:
    """The result of a future that is waited for even by a task that is cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # seen
        raise cancelled
    return future.result()


def _inner(callback: Any) -> Any:
    """The application's function behind what Bokeh and others wrap around it."""
    while True:
        if isinstance(callback, functools.partial):
            callback = callback.func
            continue
        wrapped = getattr(callback, "__wrapped__", None)
        if wrapped is None:
            return callback
        callback = wrapped


def is_coroutine(callback: Any) -> bool:
    """Whether it is an ``async`` function, whatever is wrapped around it."""
    return inspect.iscoroutinefunction(_inner(callback))


def code_of(callback: Any) -> object:
    """What a callback has in common with its likes in other sessions: its code, or its class."""
    inner = _inner(callback)
    code = getattr(getattr(inner, "__func__", inner), "__code__", None)
    if code is None:
        code = getattr(type(inner).__call__, "__code__", None)
    if code is not None:
        return code
    # Written in C: a bound method of a list, say, is made anew each time.
    name = getattr(inner, "__qualname__", None)
    return sys.intern(name) if isinstance(name, str) else type(inner)
