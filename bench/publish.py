"""The results into ``docs/performance.md`` and its charts.

``python -m bench.publish results.json`` does it for results that were measured before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.charts import CHARTS, charts
from bench.environments import ROOT
from bench.report import Row
from bench.tables import markdown

__all__ = ("publish",)

_BEGIN, _END = "<!-- bench: written by `make bench` -->", "<!-- bench: end -->"


def publish(results: Mapping[str, Any], docs: Path = ROOT / "docs") -> list[Path]:
    """Write the charts, and the part of the page between its two marks.

    Args:
        results: what ``make bench`` writes as JSON.
        docs: the folder of the guide.

    Returns:
        The files that were written.

    Raises:
        ValueError: the page lacks the marks.
    """
    rows = [Row.from_json(measure) for measure in results["measures"]]
    page = docs / "performance.md"
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {_BEGIN!r} or {_END!r}")
    drawn = charts(rows)
    written = [page]
    (docs / "images").mkdir(exist_ok=True)
    for name, svg in drawn.items():
        path = docs / "images" / f"bench-{name}.svg"
        path.write_text(svg, encoding="utf-8")
        written.append(path)
    parts = [_conditions(results), markdown(rows)]
    parts += [f"![{CHARTS[name][0]}](images/bench-{name}.svg)" for name in drawn]
    parts += _notes(results["doubts"])
    middle = "\n\n".join(parts)
    page.write_text(f"{before}{begin}\n\n{middle}\n\n{end}{after}", encoding="utf-8")
    return written


def _conditions(results: Mapping[str, Any]) -> str:
    environment = results["environment"]
    packages = ", ".join(f"{name} {number}" for name, number in environment["packages"].items())
    return (
        f"Measured on {results['started'][:10]}: up to {results['runs']} runs of each peer, "
        f"{results['seconds']:g} s each, {environment['cores']} cores (one for the server, one for "
        f"the client), Python {environment['python']}, {packages}. Each cell says how many times "
        "better Hyperfocal is than that peer and, where there is a target, what was aimed at."
    )


def _notes(doubts: Sequence[str]) -> list[str]:
    if not doubts:
        return []
    return ["What to bear in mind:", "\n".join(f"- {doubt}" for doubt in doubts)]


if __name__ == "__main__":
    for path in publish(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))):
        print(f"Written: {path}")
