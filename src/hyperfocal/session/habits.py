"""What is known of how long a piece of code takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ("Habit", "Thresholds")

#: A slow run keeps code out of the event loop for so many times as long as it took.
_REST = 100.0
#: A run that takes up to so many times as long as a quick one may be an accident.
_ACCIDENT = 3.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as quick.

    Attributes:
        quick_s: a run that takes longer, in seconds, is slow.
        runs: quick runs in a row after which code runs in place.
    """

    quick_s: float
    runs: int = 3


class Habit:
    """Decides whether a piece of code runs in place, on the event loop's thread.

    Code that is quick for most and slow for some would stop everybody again and again, if some
    quick runs were all it takes to run in place. So a slow run of so many seconds is remembered
    for a hundred times as long: at most a hundredth of the time is lost by believing too soon. And
    that doubles each time that code turns out slow which has run in place for less time than
    that.

    A machine has hiccups, too, and moving costs: code that has run in place for a hundred times as
    long as a run took goes on to do so, if that was not much too long.

    Args:
        code: what it is about.
        name: for telemetry.
        limits: what counts as quick.
        moved: told when it moves: its name, whether it is quick, and the seconds of the run that
            decided it.

    Attributes:
        quick: it runs in place.
        quick_s: a run that takes longer, in seconds, is slow.
    """

    __slots__ = (
        "_code",
        "_moved",
        "_name",
        "_rest",
        "_runs",
        "_since",
        "_slow_until",
        "_streak",
        "quick",
        "quick_s",
    )

    def __init__(
        self, code: object, name: str, limits: Thresholds, moved: Callable[[str, bool, float], None]
    ) -> None:
        self._code = code  # so that its id is nobody else's
        self._name = name
        self._runs = limits.runs
        self._moved = moved
        self._streak = 0
        self._rest = _REST
        self._slow_until = -math.inf
        self._since = 0.0  # when it moved in place, or had its latest accident
        self.quick = False
        self.quick_s = limits.quick_s

    def took(self, seconds: float, now: float) -> None:
        """It has run, for so long, up to ``now`` on the clock. On the event loop's thread."""
        if seconds <= self.quick_s:
            if not self.quick:
                self._was_quick(seconds, now)
            return
        if self.quick:
            is_rare = now - self._since >= _REST * seconds
            self._since = now
            if is_rare and seconds <= _ACCIDENT * self.quick_s:
                return
            self.quick = False
            self._rest = _REST if is_rare else self._rest * 2
            self._moved(self._name, False, seconds)
        self._streak = 0
        self._slow_until = max(self._slow_until, now + self._rest * seconds)

    def _was_quick(self, seconds: float, now: float) -> None:
        self._streak += 1
        if self._streak >= self._runs and now >= self._slow_until:
            self.quick = True
            self._since = now
            self._moved(self._name, True, seconds)
