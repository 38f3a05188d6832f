"""The results as text: what was measured, and how Hyperfocal compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report import Result, Row

__all__ = ("figure", "figures", "markdown", "ratios")


def figure(value: float) -> str:
    """Three digits, or whole numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _median(result: Result) -> str:
    if result.missing:
        return "missing"
    if result.failure is not None:
        return "failed"
    return "client-bound" if result.median is None else figure(result.median)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _ratio(row: Row, subject: str, than: str) -> str:
    """How many times better the subject is, beside the target: ``9.3 of 9``."""
    if than not in row.results:
        return ""
    ratio = row.times_better(subject, than)
    said = "?" if ratio is None else f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}"
    target = row.measure.targets.get(than)
    if target is None or subject != row.measure.subject:
        return said
    mark = {True: "met", False: "MISSED", None: "unknown"}[row.reached(than)]
    return f"{said} of {target:g} {mark}"


def figures(rows: Iterable[Row]) -> str:
    """Every peer in every measure."""
    lines: list[Sequence[str]] = [
        ("measure", "peer", "median", "min..max", "unit", "runs", "client", "server")
    ]
    for row in rows:
        for at, (name, result) in enumerate(row.results.items()):
            extent = result.extent
            lines.append(
                (
                    "" if at else row.measure.name,
                    name,
                    _median(result),
                    "" if extent is None else f"{figure(extent[0])}..{figure(extent[1])}",
                    row.measure.unit,
                    str(len(result.samples)),
                    _share(result.client_share),
                    _share(result.server_share),
                )
            )
    return _aligned(lines, right={2, 3, 5, 6, 7})


def _ratio_lines(rows: Sequence[Row]) -> list[Sequence[str]]:
    others = list(dict.fromkeys(name for row in rows for name in row.others))
    lines: list[Sequence[str]] = [("times better than", "measured", *others)]
    for row in rows:
        for subject in row.subjects:
            own = _median(row.results[subject])
            if row.results[subject].median is not None:
                own += f" {row.measure.unit}"
            if row.measure.limit is not None and subject == row.measure.subject:
                mark = {True: "met", False: "MISSED", None: "unknown"}[row.within_limit]
                own += f" of {row.measure.limit:g} {mark}"
            name = row.measure.name
            if len(row.subjects) > 1:
                name += f" ({subject})"
            lines.append((name, own, *(_ratio(row, subject, other) for other in others)))
    return lines


def ratios(rows: Sequence[Row]) -> str:
    """How many times better Hyperfocal is than each peer, beside the targets."""
    return _aligned(_ratio_lines(rows), right=set())


def markdown(rows: Sequence[Row]) -> str:
    """The same, for the documentation."""
    head, *body = _ratio_lines(rows)
    cells = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _aligned(lines: Sequence[Sequence[str]], right: set[int]) -> str:
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
