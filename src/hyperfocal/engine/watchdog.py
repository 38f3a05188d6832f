"""Sees when an event loop stands still, and says whose code it is."""

from __future__ import annotations

import asyncio
import threading

from hyperfocal.engine.engine import ThreadedEngine
from hyperfocal.engine.stacks import describe, frame_of
from hyperfocal.telemetry import LoopBlocked, Telemetry

__all__ = ("Watchdog",)


class Watchdog:
    """A thread that asks event loops for an answer, again and again, while code runs.

    It asks the I/O loop, which runs no code of applications unless a host lends it for that, and
    the loop of the applications' ``async`` code. It sleeps while no job runs and no coroutine is
    under way: an idle server is not to be woken every second.

    Args:
        limit_s: how long a loop may leave it without an answer, in seconds.
        engine: whose loops they are.
        telemetry: hears when a loop has been blocked for longer, once each time.
    """

    def __init__(self, limit_s: float, engine: ThreadedEngine, telemetry: Telemetry) -> None:
        self._limit_s = limit_s
        self._engine = engine
        self._telemetry = telemetry
        self._closed = threading.Event()

    def start(self) -> None:
        """Watch, until ``close``. On the I/O loop."""
        io_thread = threading.get_ident()
        threading.Thread(
            target=self._watch, args=(io_thread,), name="hyperfocal-watchdog", daemon=True
        ).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()
        self._engine.stirred.set()

    def _watch(self, io_thread: int) -> None:
        engine = self._engine
        blocked: set[str] = set()
        while True:
            while not engine.stirred.wait(self._limit_s if self._awaits() else None):
                if self._awaits():  # it may go on at any time, without any job
                    break
            if self._closed.is_set():
                return
            engine.stirred.clear()
            loops = {"io": (engine.loop, io_thread)}
            own = engine.own_loop
            if own is not None:
                loops["application"] = (own.loop, own.thread_ident)
            answers = {name: self._ask(loop) for name, (loop, _) in loops.items()}
            self._closed.wait(self._limit_s)
            for name, answer in answers.items():
                if answer.is_set():
                    blocked.discard(name)
                    continue
                engine.stirred.set()  # look again, whatever else happens
                if name not in blocked and not self._closed.is_set():
                    blocked.add(name)
                    self._tell(loops[name][1], is_io=name == "io")

    def _awaits(self) -> bool:
        """Whether a coroutine of an application is under way."""
        own = self._engine.own_loop
        if own is None:
            return False
        try:
            return bool(asyncio.all_tasks(own.loop))
        except RuntimeError:  # there were more and more while we looked
            return True

    @staticmethod
    def _ask(loop: asyncio.AbstractEventLoop) -> threading.Event:
        answered = threading.Event()
        try:
            loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # the loop is closed
            answered.set()
        return answered

    def _tell(self, thread: int, *, is_io: bool) -> None:
        callback, stack = describe(frame_of(thread))
        self._telemetry.emit(LoopBlocked(self._limit_s, callback, stack, is_io))
