"""The place where events are emitted and handed to subscribers."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hyperfocal.telemetry.events import Event
from hyperfocal.telemetry.failures import log_failure

__all__ = ("Telemetry",)

_log = logging.getLogger("hyperfocal")


class Telemetry:
    """Hands each event to every subscriber, in the order of subscription.

    A subscriber is a plain function of one event. It must not block; one that raises is logged
    and hurts nobody else.
    """

    __slots__ = ("_subscribers",)

    def __init__(self, *subscribers: Callable[[Event], None]) -> None:
        self._subscribers: tuple[Callable[[Event], None], ...] = subscribers

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Add a subscriber."""
        self._subscribers = (*self._subscribers, subscriber)

    def emit(self, event: Event) -> None:
        """Tell everybody what happened. Safe from any thread."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as error:
                what = "a telemetry subscriber failed on %s"
                log_failure(_log, logging.ERROR, what, type(event).__name__, error=error)
