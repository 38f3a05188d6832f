"""The subscribers that ship with the server: the log and the counters."""

from __future__ import annotations

import logging
import threading
from collections import Counter

from hyperfocal.telemetry.events import Event
from hyperfocal.telemetry.failures import log_failure

__all__ = ("Counters", "LogSubscriber")


class LogSubscriber:
    """Writes each event to the ``hyperfocal`` logger at the event's own level."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger if logger is not None else logging.getLogger("hyperfocal")

    def __call__(self, event: Event) -> None:
        """Log one event, with the traceback of its cause if it has one."""
        if self._log.isEnabledFor(event.level):
            cause = event.cause
            if cause is None:
                self._log.log(event.level, "%s", event.words())
            else:
                log_failure(self._log, event.level, "%s", event.words(), error=cause)


class Counters:
    """Counts events by the name of their class, for the health endpoint and for tests.

    Safe from any thread: ``_guard`` guards the counts.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counts: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Count one event."""
        with self._guard:
            self._counts[type(event).__name__] += 1

    def __getitem__(self, kind: type[Event]) -> int:
        """How many events of this class have been seen."""
        return self._counts[kind.__name__]

    def as_dict(self) -> dict[str, int]:
        """All counts, by event name, sorted."""
        with self._guard:
            return dict(sorted(self._counts.items()))
