"""Callbacks that run later: on the next tick, after a delay, again and again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, TypeAlias

from hyperfocal.clock import Clock, TimerHandle, running_loop
from hyperfocal.errors import UnknownCallbackError

__all__ = ("Ended", "Timer", "TimerKind", "Timers", "callback_name")


#: After so many late runs in a row it is not the machine that was busy for a moment.
_LATE_RUNS = 3

#: Told that a run has ended, with what it raised. From any thread.
Ended: TypeAlias = Callable[[BaseException | None], None]


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
    #: What the callback sees of context variables: what whoever has added it saw.
    context: Context = field(default_factory=copy_context, repr=False)
    removed: bool = False
    #: Runs in a row that took longer than the period.
    late_runs: int = 0
    said_late: bool = False

    @property
    def name(self) -> str:
        """The callback's name, for logs."""
        return callback_name(self.callback)


class Timers:
    """The timers of one owner (a session or an application).

    Adding and removing are safe from any thread. A one-shot timer is gone from the moment in which
    its callback begins. A periodic one never overlaps itself and does not drift: its beats are at
    whole multiples of its period after it was added, and beats that a slow run covers are skipped.

    ``_guard`` guards the timers and the runs that have not ended.

    Args:
        loop: the I/O loop, whose timers are used.
        clock: decides when.
        run: has a timer's callback run, wherever that may be: calls ``begin`` first, and runs
            nothing where that is False; and calls what it is given when the run has ended.
        failed: called with the timer and what its callback raised; a periodic timer goes on.
        late: called once per periodic timer, with the timer and the seconds it took, when three
            runs in a row have taken longer than the period.
        started: begin at once; otherwise timers that are added wait for ``start()``.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        run: Callable[[Timer, Ended], None],
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
        self._runs = 0
        self._quiet: asyncio.Event | None = None
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
        if kind is TimerKind.NEXT_TICK and running_loop() is not self._loop:
            self._fire(timer)
        else:
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
        if timer.handle is not None:
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

    async def wait_closed(self, grace_s: float, cancel: Callable[[], None]) -> None:
        """Wait so many seconds for runs that have not ended, then cancel them and wait as long.

        On the loop's thread.

        Args:
            grace_s: seconds.
            cancel: cancels what can be cancelled.
        """
        if await self._is_quiet(grace_s):
            return
        cancel()
        await self._is_quiet(grace_s)

    async def _is_quiet(self, seconds: float) -> bool:
        with self._guard:
            if not self._runs:
                return True
            quiet = self._quiet = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(quiet.wait(), seconds)
        return not self._runs

    def _on_loop(self, act: Callable[..., None], *args: Any) -> None:
        if running_loop() is self._loop:
            act(*args)
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(act, *args)

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
            self._runs += 1
        ended = partial(self._ended, timer, self._clock.monotonic())
        try:
            self._run(timer, ended)
        except BaseException as error:  # CancelledError and KeyboardInterrupt, too, are its own
            ended(error)

    def begin(self, timer: Timer) -> bool:
        """Whether the timer's callback is to run now; one that runs once is gone from now on."""
        with self._guard:
            if timer.removed:
                return False
            if timer.kind is not TimerKind.PERIODIC:
                del self._timers[timer.key]
                timer.removed = True
            return True

    def _ended(self, timer: Timer, began: float, error: BaseException | None) -> None:
        if error is not None:
            self._failed(timer, error)
        with self._guard:
            self._runs -= 1
            quiet = self._quiet if not self._runs else None
        if quiet is not None:
            self._on_loop(quiet.set)
        if timer.kind is TimerKind.PERIODIC and not timer.removed:
            self._on_loop(self._next_beat, timer, began)

    def _next_beat(self, timer: Timer, began: float) -> None:
        if timer.removed:
            return
        now = self._clock.monotonic()
        timer.late_runs = timer.late_runs + 1 if now - began > timer.delay_s else 0
        if timer.late_runs >= _LATE_RUNS and not timer.said_late:
            timer.said_late = True
            self._late(timer, now - began)
        beats = max(1, int((now - timer.due) // timer.delay_s) + 1)
        timer.due += beats * timer.delay_s
        self._schedule(timer)
