"""What the runs say: medians, spreads, ratios, and what makes them doubtful."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import CLIENT_BOUND, Measure, Sample

__all__ = ("Result", "Row", "doubts", "environment", "write")

#: Spread, as a share of the median, from which on the machine was too noisy.
NOISY_SPREAD = 0.3
#: Load average of others, from which on the machine was too busy to begin with.
NOISY_LOAD = 0.5


def _median(values: Iterable[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one peer in one measure.

    Attributes:
        failure: why there are no samples.
        missing: the peer cannot be had here: ``failure`` is nobody's fault.
    """

    samples: Sequence[Sample]
    higher: bool
    failure: str | None = None
    missing: bool = False

    @property
    def client_share(self) -> float | None:
        """The client's share of its core, where there was a client: that of its busiest run."""
        shares = [run.client_share for run in self.samples if run.client_share is not None]
        return max(shares, default=None)

    @property
    def server_share(self) -> float | None:
        return _median(run.server_share for run in self.samples)

    @property
    def client_bound(self) -> bool:
        """Whether a rate says how fast our client is, and not how fast the server is."""
        return self.higher and self.client_share is not None and self.client_share > CLIENT_BOUND

    @property
    def median(self) -> float | None:
        """``None`` when there is no figure, or it would be the client's."""
        if self.client_bound or self.failure is not None:
            return None
        return statistics.median(run.value for run in self.samples)

    @property
    def extent(self) -> tuple[float, float] | None:
        """The least and the greatest; ``None`` as for ``median``."""
        if self.median is None:
            return None
        values = [run.value for run in self.samples]
        return min(values), max(values)

    @property
    def hangs(self) -> bool:
        """Whether somebody got no answer at all, in any run."""
        return any(run.hung for run in self.samples)

    @property
    def p50_ms(self) -> float | None:
        return _median(run.latency_p50_ms for run in self.samples)

    @property
    def p99_ms(self) -> float | None:
        return _median(run.latency_p99_ms for run in self.samples)

    @property
    def worst_ms(self) -> float | None:
        return _median(run.worst_ms for run in self.samples)

    @property
    def server_us(self) -> float | None:
        """The server's processor time per answer."""
        return _median(run.server_us for run in self.samples)

    @property
    def spread(self) -> float:
        """From the least to the greatest, as a share of the median."""
        if not self.median or self.extent is None:
            return 0.0
        return (self.extent[1] - self.extent[0]) / self.median

    @classmethod
    def from_json(cls, result: Mapping[str, Any], higher: bool) -> Result:
        """What ``to_json`` gave; runs that were client-bound have lost their figures."""
        runs: list[Sample] = []
        for run in result["runs"]:
            fields: dict[str, Any] = {**run, "value": run["value"] or 0.0}
            runs.append(Sample(**fields))
        return cls(runs, higher, result["failure"], result["missing"])

    def to_json(self) -> dict[str, object]:
        return {
            "median": self.median,
            "extent": self.extent,
            "client_bound": self.client_bound,
            "hangs": self.hangs,
            "failure": self.failure,
            "missing": self.missing,
            # The bare figures of client-bound runs would only be quoted.
            "runs": [
                {**asdict(run), "value": None if self.client_bound else run.value}
                for run in self.samples
            ],
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One measure, with the results by peer."""

    measure: Measure
    results: Mapping[str, Result]

    @property
    def subjects(self) -> list[str]:
        """The peers that are Hyperfocal."""
        return [name for name in self.results if name.startswith("hyperfocal")]

    @property
    def others(self) -> list[str]:
        return [name for name in self.results if not name.startswith("hyperfocal")]

    def times_better(self, subject: str, than: str) -> float | None:
        """How many times better one peer is than another, when both are known."""
        if subject not in self.results or than not in self.results:
            return None
        ours, theirs = self.results[subject].median, self.results[than].median
        if ours is None or theirs is None or min(ours, theirs) <= 0:
            return None
        return ours / theirs if self.measure.higher else theirs / ours

    def reached(self, than: str) -> bool | None:
        """Whether the target against a peer is met; ``None``: there is none, or no figure."""
        target = self.measure.targets.get(than)
        ratio = self.times_better(self.measure.subject, than)
        return None if target is None or ratio is None else ratio >= target

    @property
    def within_limit(self) -> bool | None:
        """Whether the subject's own figures are within all bounds; ``None`` as for ``reached``."""
        return self.keeps_to_bounds(self.measure.subject)

    @property
    def bounds(self) -> list[str]:
        """The bounds that Hyperfocal's own figures are to keep to, in words."""
        measure = self.measure
        said = {"": measure.limit, "at least ": measure.least, "p99 ": measure.p99_limit}
        return [f"{word}{bound:g}" for word, bound in said.items() if bound is not None]

    def keeps_to_bounds(self, name: str) -> bool | None:
        """The same of any peer."""
        result, measure = self.results.get(name), self.measure
        if not self.bounds or result is None or result.median is None:
            return None
        return (
            not result.hangs
            and (measure.limit is None or result.median <= measure.limit)
            and (measure.least is None or result.median >= measure.least)
            and (measure.p99_limit is None or (result.p99_ms or 0.0) <= measure.p99_limit)
        )

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Row:
        """What ``to_json`` gave."""
        higher = row["higher_is_better"]
        measure = Measure(
            row["name"],
            row["unit"],
            higher,
            row["targets"],
            row["limit"],
            row.get("p99_limit"),
            row.get("least"),
            row.get("waits", False),
            row["subject"],
        )
        peers = {name: Result.from_json(peer, higher) for name, peer in row["peers"].items()}
        return cls(measure, peers)

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.measure.name,
            "unit": self.measure.unit,
            "higher_is_better": self.measure.higher,
            "subject": self.measure.subject,
            "targets": dict(self.measure.targets),
            "limit": self.measure.limit,
            "p99_limit": self.measure.p99_limit,
            "least": self.measure.least,
            "waits": self.measure.waits,
            "times_better": {
                ours: {name: self.times_better(ours, name) for name in self.others}
                for ours in self.subjects
            },
            "peers": {name: result.to_json() for name, result in self.results.items()},
        }


def environment() -> dict[str, object]:
    """What the figures depend on beside the code; the peers' packages are in their lock files."""
    packages = ("hyperfocal", "bokeh", "uvicorn", "uvloop", "websockets", "numpy", "orjson")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "packages": {name: version(name) for name in packages},
    }


def doubts(rows: Iterable[Row], load: float, complaint: str | None) -> list[str]:
    """Reasons not to trust the figures, and what is missing, in words."""
    found = [complaint] if complaint else []
    if load > NOISY_LOAD:
        found.append(f"the machine was busy at the start: load average {load:.2f}")
    for row in rows:
        for name, result in row.results.items():
            where = f"{row.measure.name}, {name}"
            if result.failure is not None:
                word = "missing" if result.missing else "failed"
                found.append(f"{where}: {word}: {result.failure}")
            if result.hangs:
                found.append(f"{where}: hangs: somebody was without an answer in the end")
            if result.client_bound:
                found.append(
                    f"{where}: no figure, the client was the bottleneck "
                    f"({result.client_share:.0%} of its core)"
                )
            if result.spread > NOISY_SPREAD and not result.hangs:
                found.append(f"{where}: the runs spread over {result.spread:.0%} of the median")
    return found


def write(path: Path, content: Mapping[str, object]) -> None:
    """Write the results as JSON, in a folder that need not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
