"""Sees when the event loop stands still, and says whose code it is."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from types import FrameType
from typing import Any

from hyperfocal.session.execution import Execution
from hyperfocal.session.timers import Timer
from hyperfocal.session.turn import Turn
from hyperfocal.telemetry import LoopBlocked, Telemetry

__all__ = ("Watchdog",)


class Watchdog:
    """A thread that asks the event loop for an answer, again and again, while code runs.

    It sleeps while no turn is taken, and none goes on for long: an idle server is not to be woken
    every second. Tasks that an application leaves behind are seen when somebody takes a turn.

    Args:
        limit_s: how long the loop may leave it without an answer, in seconds.
        execution: tells when code runs.
        telemetry: hears when the loop has been blocked for longer, once each time.
    """

    def __init__(self, limit_s: float, execution: Execution, telemetry: Telemetry) -> None:
        self._limit_s = limit_s
        self._execution = execution
        self._telemetry = telemetry
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._closed = threading.Event()
        self._stirred = threading.Event()
        self._answered = threading.Event()

    def start(self) -> None:
        """Watch the running event loop, until ``close``."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._execution.on_stir = self._stirred.set
        self._execution.at_rest = True
        threading.Thread(target=self._watch, name="hyperfocal-watchdog", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()
        self._execution.on_stir = lambda: None
        self._stirred.set()
        self._answered.set()

    def _watch(self) -> None:
        assert self._loop is not None
        while True:
            if not self._execution.lasting:
                self._stirred.wait()
            if self._closed.is_set():
                return
            self._stirred.clear()
            self._execution.at_rest = True  # until the next turn, which stirs us
            self._answered.clear()
            try:
                self._loop.call_soon_threadsafe(self._answered.set)
            except RuntimeError:
                return  # the loop is closed
            if not self._answered.wait(self._limit_s):
                self._tell()
                self._answered.wait()
            self._closed.wait(self._limit_s)

    def _tell(self) -> None:
        # The documented way to another thread's stack; its name begins with an underscore.
        frame = sys._current_frames().get(self._loop_thread)  # pyright: ignore[reportPrivateUsage]
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        url, session_id, callback = _whose(frame)
        self._telemetry.emit(LoopBlocked(self._limit_s, url, session_id, callback, stack))


def _whose(frame: FrameType | None) -> tuple[str | None, str | None, str | None]:
    """The application, the session and the callback to which a stack belongs, where it shows."""
    url = session_id = callback = None
    while frame is not None:
        names: dict[str, Any] = frame.f_locals
        turn, timer = names.get("turn", names.get("self")), names.get("timer")
        if isinstance(turn, Turn) and session_id is None:
            url, session_id = turn.session.url, turn.session.id
        if isinstance(timer, Timer) and callback is None:
            callback = timer.name
        frame = frame.f_back
    return url, session_id, callback
