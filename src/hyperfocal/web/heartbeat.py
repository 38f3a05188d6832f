"""One timer for the pings of all connections.

A timer for each would wake the process for each: an idle server of a thousand connections would
never sleep, and every ping would find its data out of the processor's caches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

__all__ = ("Heartbeat",)

#: Connections that are pinged before others get the event loop.
_IN_A_ROW = 64


class _Member(Protocol):
    def beat(self) -> None:
        """An interval has passed. Must not block and must not raise."""
        ...


class Heartbeat:
    """Tells its members at each interval, as long as there are any.

    Args:
        interval_s: seconds from beat to beat; ``None``: never.
    """

    __slots__ = ("_interval_s", "_members", "_timer")

    def __init__(self, interval_s: float | None) -> None:
        self._interval_s = interval_s
        self._members: dict[_Member, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: _Member) -> None:
        """Tell this one from now on. Its first beat may come at once."""
        if self._interval_s is None:
            return
        self._members[member] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._beat)

    def discard(self, member: _Member) -> None:
        """Tell it no more; a no-op for one that is not told."""
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        assert self._interval_s is not None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._interval_s, self._beat)
        self._go_on(iter(list(self._members)), loop.call_soon)

    def _go_on(self, rest: Iterator[_Member], later: Callable[..., object]) -> None:
        members = list(islice(rest, _IN_A_ROW))
        for member in members:
            if member in self._members:
                member.beat()
        if members:
            later(self._go_on, rest, later)
