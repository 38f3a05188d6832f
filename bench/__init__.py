"""Hyperfocal beside what users run today, measured in the same run: ``make bench``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from bench.peers import Cores

__all__ = ("CLIENT_BOUND", "Run", "Sample", "Scenario")

#: A client that takes more of its core than this was what the run measured.
CLIENT_BOUND = 0.9


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. Shares are of one core, latencies the time from a request to its answer."""

    value: float
    client_share: float | None = None
    server_share: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None


#: Measures a peer, by its name, for so many seconds.
Run: TypeAlias = "Callable[[str, Cores, float], Sample]"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table.

    Attributes:
        unit: what ``Sample.value`` counts; rates end in ``/s`` and are better when higher.
        run: measures a peer.
    """

    name: str
    unit: str
    run: Run

    @property
    def rate(self) -> bool:
        return self.unit.endswith("/s")
