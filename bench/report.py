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

from bench import CLIENT_BOUND, Sample, Scenario

__all__ = ("Result", "Row", "doubts", "environment", "table", "write")

#: Spread, as a share of the median, from which on the machine was too noisy.
NOISY_SPREAD = 0.3
#: Load average of others, from which on the machine was too busy to begin with.
NOISY_LOAD = 0.5


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one peer in one scenario."""

    samples: Sequence[Sample]
    rate: bool

    @property
    def client_share(self) -> float | None:
        """The client's share of its core, where there was a client: that of its busiest run."""
        shares = [run.client_share for run in self.samples if run.client_share is not None]
        return max(shares, default=None)

    @property
    def server_share(self) -> float | None:
        shares = [run.server_share for run in self.samples if run.server_share is not None]
        return statistics.median(shares) if shares else None

    @property
    def client_bound(self) -> bool:
        """Whether a rate says how fast our client is, and not how fast the server is."""
        return self.rate and self.client_share is not None and self.client_share > CLIENT_BOUND

    @property
    def median(self) -> float | None:
        """``None`` when the figure would be the client's."""
        if self.client_bound:
            return None
        return statistics.median(run.value for run in self.samples)

    @property
    def extent(self) -> tuple[float, float] | None:
        """The least and the greatest; ``None`` as for ``median``."""
        if self.client_bound:
            return None
        values = [run.value for run in self.samples]
        return min(values), max(values)

    @property
    def spread(self) -> float:
        """From the least to the greatest, as a share of the median."""
        if self.median is None or self.extent is None:
            return 0.0
        return (self.extent[1] - self.extent[0]) / self.median

    def to_json(self) -> dict[str, object]:
        return {
            "median": self.median,
            "extent": self.extent,
            "client_bound": self.client_bound,
            # The bare figures of client-bound runs would only be quoted.
            "runs": [
                {**asdict(run), "value": None if self.client_bound else run.value}
                for run in self.samples
            ],
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario, with the results by peer."""

    scenario: Scenario
    results: Mapping[str, Result]

    @property
    def times_better(self) -> float | None:
        """How many times better Hyperfocal is than Bokeh's server, when both are known."""
        theirs, ours = self.results["bokeh"].median, self.results["hyperfocal"].median
        if theirs is None or ours is None:
            return None
        return ours / theirs if self.scenario.rate else theirs / ours

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.scenario.name,
            "unit": self.scenario.unit,
            "higher_is_better": self.scenario.rate,
            "times_better": self.times_better,
            "peers": {name: result.to_json() for name, result in self.results.items()},
        }


def environment() -> dict[str, object]:
    """What the figures depend on beside the code."""
    packages = ("hyperfocal", "bokeh", "tornado", "uvicorn", "uvloop", "websockets", "numpy")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "packages": {name: version(name) for name in packages},
    }


def _figure(value: float | None) -> str:
    if value is None:
        return "client-bound"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def table(rows: Iterable[Row]) -> str:
    """The rows as text, ready to print."""
    heads = ("scenario", "peer", "median", "min..max", "unit", "client", "server", "times better")
    lines: list[Sequence[str]] = [heads]
    for row in rows:
        for name, result in row.results.items():
            ours, ratio = name == "hyperfocal", row.times_better
            extent = result.extent
            lines.append(
                (
                    "" if ours else row.scenario.name,
                    name,
                    _figure(result.median),
                    "" if extent is None else f"{_figure(extent[0])}..{_figure(extent[1])}",
                    row.scenario.unit,
                    _share(result.client_share),
                    _share(result.server_share),
                    "" if not ours else "unknown" if ratio is None else f"{ratio:.2f}",
                )
            )
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    right = {2, 3, 5, 6, 7}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def doubts(rows: Iterable[Row], load: float, complaint: str | None) -> list[str]:
    """Reasons not to trust the figures, in words."""
    found = [complaint] if complaint else []
    if load > NOISY_LOAD:
        found.append(f"the machine was busy at the start: load average {load:.2f}")
    for row in rows:
        for name, result in row.results.items():
            where = f"{row.scenario.name}, {name}"
            if result.client_bound:
                share = _share(result.client_share)
                found.append(
                    f"{where}: no figure, the client was the bottleneck ({share} of its core)"
                )
            if result.spread > NOISY_SPREAD:
                found.append(f"{where}: the runs spread over {result.spread:.0%} of the median")
    return found


def write(path: Path, content: Mapping[str, object]) -> None:
    """Write the results as JSON, in a folder that need not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
