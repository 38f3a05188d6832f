"""First documents of applications, which import what the applications need."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Generator
from types import FrameType

__all__ = ("FirstBuilds",)

#: Seconds after which one that imports nothing at the moment holds up nobody.
_PATIENCE_S = 1.0
#: Seconds that one waits for others at the most.
_LIMIT_S = 30.0
#: Seconds between two looks at what the others are doing.
_LOOK_S = 0.02

_IMPORTING = "<frozen importlib._bootstrap>"


class FirstBuilds:
    """Has first documents built one after the other, in whatever threads.

    Where two threads import modules that import each other, Python keeps them from waiting for
    ever by showing one of them a module that is half done. So each waits for those before it,
    but not for one that takes its time over something else than imports.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: list[tuple[int, float]] = []  # thread, and when it began, in seconds

    @contextlib.contextmanager
    def one_more(self) -> Generator[None]:
        """Build a first document within, in this thread, once it is its turn."""
        latest = time.monotonic() + _LIMIT_S
        with self._changed:
            while self._must_wait() and time.monotonic() < latest:
                self._changed.wait(_LOOK_S)
            ours = threading.get_ident(), time.monotonic()
            self._inside.append(ours)
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(ours)
                self._changed.notify()

    def _must_wait(self) -> bool:
        now = time.monotonic()
        if any(now - began < _PATIENCE_S for _, began in self._inside):
            return True
        if not self._inside:
            return False
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
        return any(_is_importing(frames.get(thread)) for thread, _ in self._inside)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
