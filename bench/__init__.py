"""Hyperfocal beside what users run today, measured in the same run: ``make bench``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from bench.peers import Bench

__all__ = ("CLIENT_BOUND", "Measure", "Run", "RunTogether", "Sample", "Scenario")

#: A client that takes more of its core than this was what the run measured.
CLIENT_BOUND = 0.88


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of one run.

    Attributes:
        value: in the unit of its ``Measure``.
        client_share, server_share: what they used of their core; 1 is all of it.
        latency_p50_ms, latency_p99_ms: time from a request to its answer, in milliseconds.
        worst_ms: the longest such time; what nobody has answered yet counts as well.
        server_us: the server's processor time per answer, in microseconds.
        hung: somebody was still without an answer many seconds after all others.
        details: further figures; their names carry their units.
    """

    value: float
    client_share: float | None = None
    server_share: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    worst_ms: float | None = None
    server_us: float | None = None
    hung: bool = False
    details: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table: what is measured, and what is aimed at.

    Attributes:
        unit: of ``Sample.value``.
        higher: whether more is better.
        targets: how many times better Hyperfocal is to be than these peers.
        limit: what Hyperfocal's own figure is to be at most, in ``unit``.
        p99_limit: what its 99th percentile is to be at most, in milliseconds.
        least: what its own figure is to be at least, in ``unit``.
        waits: the figure is the worst wait of people who did nothing to deserve it.
        subject: which of Hyperfocal's peers the targets speak of.
    """

    name: str
    unit: str
    higher: bool = False
    targets: Mapping[str, float] = field(default_factory=dict[str, float])
    limit: float | None = None
    p99_limit: float | None = None
    least: float | None = None
    waits: bool = False
    subject: str = "hyperfocal"


#: Measures a peer, by its name, once: a sample for each measure of the scenario.
Run: TypeAlias = "Callable[[str, Bench], Sequence[Sample]]"

#: Measures several peers at the same time, once; an exception for a peer that failed.
RunTogether: TypeAlias = (
    "Callable[[Sequence[str], Bench], Mapping[str, Sequence[Sample] | Exception]]"
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is measured in one go, and of whom.

    Attributes:
        about: a line for ``--help``.
        peers: whom it can measure, in the order in which they take turns.
        together: measures all peers in one run; only where none of them does anything.
        most_runs: more runs than this say nothing new, or take too long.
    """

    name: str
    about: str
    measures: tuple[Measure, ...]
    peers: tuple[str, ...]
    run: Run | None = None
    together: RunTogether | None = None
    most_runs: int = 99
