"""Callbacks that run later: on the next tick, after a delay, again and again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hyperfocal.clock import Clock, TimerHandle
from hyperfocal.errors import UnknownCallbackError

__all__ = ("Timer", "TimerKind", "Timers", "callback_name")


#: After so many late runs in a row it is not the machine that was busy for a moment.
_LATE_RUNS = 3


class TimerKind(StrEnum):
    """When a timer fires."""

    NEXT_TICK = "next tick"
    TIMEOUT = "timeout"
    PERIODIC = "periodic"


def callback_name(callback: Callable[..., Any]) -> str:
    """What to call a callback in a log."""
    inner: Any = callback
    while hasattr(inner, "func"):
        inner = inner.func
    name = getattr(inner, "__qualname__", None) or repr(inner)
    module = getattr(inner, "__module__", None)
    return f"{module}.{name}" if module else name


@dataclass(slots=True, eq=False)
class Timer:
    """One callback and when it is due. ``key`` identifies it; ``delay_s`` is in seconds."""

    key: Hashable
    kind: TimerKind
    callback: Callable[[], Any]
    delay_s: float = 0.0
    #: When it is due next, on the monotonic clock.
    due: float = 0.0
    handle: TimerHandle | asyncio.Handle | None = field(default=None, repr=False)
    removed: bool = False
    #: Runs in a row that took longer than the period.
    late_runs: int = 0
    said_late: bool = False

    @property
    def name(self) -> str:
        """The callback's name, for logs."""
        return callback_name(self.callback)


class Timers:
    """The timers of one owner (a session or an application), all on one event loop.

    Adding and removing are safe from any thread. A one-shot timer is gone from the moment it
    fires. A periodic one never overlaps itself and does not drift: its beats are at whole
    multiples of its period after it was added, and beats that a slow run covers are skipped.

    Args:
        loop: where the callbacks run.
        clock: decides when.
        run: runs a timer's callback; may give an awaitable to wait for. Both may raise.
        failed: called with the timer and what its callback raised; a periodic timer goes on.
        late: called once per periodic timer, with the timer and the seconds it took, when three
            runs in a row have taken longer than the period.
        started: begin at once; otherwise timers that are added wait for ``start()``.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        run: Callable[[Timer], Awaitable[None] | None],
        failed: Callable[[Timer, BaseException], None],
        late: Callable[[Timer, float], None],
        *,
        started: bool = True,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._run = run
        self._failed = failed
        self._late = late
        self._guard = threading.Lock()
        self._timers: dict[Hashable, Timer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = started
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing runs any more."""
        return self._closed

    def __len__(self) -> int:
        return len(self._timers)

    def add(
        self, key: Hashable, kind: TimerKind, callback: Callable[[], Any], delay_s: float = 0.0
    ) -> None:
        """Start a timer. After ``close()`` this does nothing.

        Raises:
            ValueError: the key is in use, or a period is not positive.
        """
        if delay_s < 0 or (kind is TimerKind.PERIODIC and delay_s == 0):
            raise ValueError(f"a {kind} callback cannot run every or after {delay_s * 1000} ms")
        timer = Timer(key, kind, callback, delay_s)
        with self._guard:
            if self._closed:
                return
            if key in self._timers:
                raise ValueError(f"there is a callback with the id {key!r} already")
            self._timers[key] = timer
            timer.due = self._clock.monotonic() + delay_s
            if not self._started:
                return
        self._on_loop(self._schedule, timer)

    def start(self) -> None:
        """Begin; what was added before counts from now. On the loop's thread."""
        with self._guard:
            self._started = True
            waiting = list(self._timers.values())
        for timer in waiting:
            timer.due = self._clock.monotonic() + timer.delay_s
            self._schedule(timer)

    def remove(self, key: Hashable, kind: TimerKind | None = None) -> None:
        """Stop a timer.

        Args:
            key: the timer's key.
            kind: the kind it must have; ``None``: any.

        Raises:
            UnknownCallbackError: there is no such timer (any more).
        """
        with self._guard:
            timer = self._timers.get(key)
            if timer is None or (kind is not None and timer.kind is not kind):
                raise UnknownCallbackError(str(kind) if kind is not None else "session", key)
            del self._timers[key]
            timer.removed = True
        self._on_loop(self._cancel, timer)

    def discard(self, key: Hashable) -> None:
        """Stop a timer if it is there."""
        try:
            self.remove(key)
        except UnknownCallbackError:
            return

    def close(self) -> None:
        """Stop all timers for good. Runs that have begun are left to end. On the loop's thread."""
        with self._guard:
            self._closed = True
            timers = list(self._timers.values())
            self._timers.clear()
        for timer in timers:
            timer.removed = True
            self._cancel(timer)

    async def wait_closed(self, grace_s: float = 0.0) -> None:
        """Wait so many seconds for runs that have begun, then cancel those that still run."""
        current = asyncio.current_task()
        tasks = {task for task in self._tasks if task is not current}
        if not tasks:
            return
        _, running = await asyncio.wait(tasks, timeout=grace_s)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _on_loop(self, act: Callable[[Timer], None], timer: Timer) -> None:
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            act(timer)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act, timer)

    @staticmethod
    def _cancel(timer: Timer) -> None:
        if timer.handle is not None:
            timer.handle.cancel()
            timer.handle = None

    def _schedule(self, timer: Timer) -> None:
        if timer.removed:
            return
        if timer.kind is TimerKind.NEXT_TICK:
            timer.handle = self._loop.call_soon(self._fire, timer)
        else:
            timer.handle = self._clock.call_at(self._loop, timer.due, lambda: self._fire(timer))

    def _fire(self, timer: Timer) -> None:
        timer.handle = None
        with self._guard:
            if timer.removed:
                return
            if timer.kind is not TimerKind.PERIODIC:
                del self._timers[timer.key]
                timer.removed = True
        began = self._clock.monotonic()
        pending: Awaitable[None] | None = None
        try:
            pending = self._run(timer)
        except BaseException as error:  # CancelledError and KeyboardInterrupt, too, are its own
            self._failed(timer, error)
        if pending is None:
            self._done(timer, began)
            return
        task = self._loop.create_task(self._finish(timer, pending, began))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, timer: Timer, pending: Awaitable[None], began: float) -> None:
        try:
            await pending
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # its owner ends
            self._failed(timer, error)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self._failed(timer, error)
        finally:
            self._done(timer, began)

    def _done(self, timer: Timer, began: float) -> None:
        if timer.removed or timer.kind is not TimerKind.PERIODIC:
            return
        now = self._clock.monotonic()
        timer.late_runs = timer.late_runs + 1 if now - began > timer.delay_s else 0
        if timer.late_runs >= _LATE_RUNS and not timer.said_late:
            timer.said_late = True
            self._late(timer, now - began)
        beats = max(1, int((now - timer.due) // timer.delay_s) + 1)
        timer.due += beats * timer.delay_s
        self._schedule(timer)
