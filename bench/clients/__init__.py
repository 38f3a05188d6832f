"""Clients that are cheap enough to measure with: one for each protocol, on the same socket code.

They speak HTTP and websocket frames straight on an ``asyncio.Protocol``: no task per message, the
frames of a request in one write, masks of zeros (allowed, and nothing to compute). All peers of
one protocol meet exactly the same client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

__all__ = ("TIMEOUT_S", "Dialect", "Tally", "Target", "Visit")

#: How long a client waits for anything before it gives up.
TIMEOUT_S = 60.0


@dataclass(slots=True)
class Tally:
    """What the clients saw since somebody cleared it."""

    latencies_s: list[float] = field(default_factory=list[float])
    failure: str | None = None

    def fail(self, reason: str) -> None:
        """Something went wrong; the first reason counts."""
        if self.failure is None:
            self.failure = reason


@dataclass(frozen=True, slots=True)
class Target:
    """Where an application is served: ``http://localhost:<port><path>?<query>``.

    Attributes:
        query: with its question mark; of the page alone.
        source: the client's own address, where it matters: one of those of this machine.
    """

    port: int
    path: str
    query: str = ""
    source: str | None = None

    @property
    def local_addr(self) -> tuple[str, int] | None:
        """Where the client's sockets begin; ``None``: wherever they like."""
        return None if self.source is None else (self.source, 0)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"


class Visit(Protocol):
    """A page that is open, with its websocket and its first rendering."""

    def begin(self, tally: Tally) -> None:
        """Move the slider, again as soon as the answer is here, until closed."""
        ...

    async def close(self) -> None:
        """Leave the page, and wait for the end of the connection."""
        ...


#: Opens a page: the HTTP request, the websocket, the first rendering.
Dialect: TypeAlias = Callable[[Target], Awaitable[Visit]]
