"""Decides from outside whether a process is stuck: whether its event loop answers.

C code that keeps the interpreter lets no thread of its process run Python, so none can say so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

__all__ = ("Patience", "Verdict", "processor_time", "stands_still")

#: Seconds between two looks at a process, at least and at most.
_EVERY_S = (0.1, 5.0)
_LOOKS = 6
#: So many times the usual between two looks: whoever looks has not run meanwhile.
_GAP = 3
#: Linux's number of the clock that a process's threads advance together while they run.
_CPUCLOCK_SCHED = 2
_UNITS = 10_000


class Verdict(Enum):
    """What is to be done about a process."""

    NOTHING = auto()
    #: Send it something that its loop has to take.
    ASK = auto()
    STUCK = auto()


class Patience:
    """With one process: how long it has left a question without an answer.

    What counts is time in which both could run. A machine that was suspended, and a supervisor or
    a process that was stopped, give the process its whole time again.

    Args:
        limit_s: after so many seconds it is stuck.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        #: Seconds from one look to the next.
        self.every_s = min(max(_EVERY_S[0], limit_s / _LOOKS), _EVERY_S[1])
        self._asked_at: int | None = None
        self._looked_at = 0.0
        #: Seconds for which it has not answered.
        self.waited_s = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether it was asked, and had not answered at the last look."""
        return self._asked_at is not None

    def look(
        self,
        now: float,
        answers: int,
        is_active: Callable[[], bool],
        stands_still: Callable[[], bool],
    ) -> Verdict:
        """Look at the process.

        Args:
            now: the time, of a clock that never goes back.
            answers: how often it has answered.
            is_active: it has something to do, or had since its last answer.
            stands_still: the system does not let it run.
        """
        since, self._looked_at = now - self._looked_at, now
        if self._asked_at != answers:
            self._asked_at = None
        if self._asked_at is None:
            if not is_active():
                return Verdict.NOTHING
            self._asked_at = answers
            self.waited_s = 0.0
            return Verdict.ASK
        if stands_still() or since > _GAP * self.every_s:
            self.waited_s = 0.0
            return Verdict.ASK
        self.waited_s += since
        return Verdict.STUCK if self.waited_s >= self._limit_s else Verdict.NOTHING


def processor_time(pid: int | None = None) -> int | None:
    """How long a process has computed, in units of 0.1 ms.

    Args:
        pid: its id; ``None``: this one.

    Returns:
        ``None`` where the system does not say.
    """
    if pid is None:
        return int(time.process_time() * _UNITS)
    if sys.platform != "linux":
        return None
    try:
        return int(time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED) * _UNITS)
    except OSError:
        return None


def stands_still(pid: int) -> bool:
    """Whether a process was stopped by a signal, or by a debugger, where the system says so."""
    try:
        stat = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] in ([b"T"], [b"t"])
