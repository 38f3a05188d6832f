"""The results as text: what was measured, and how Hyperfocal compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report import Result, Row

__all__ = ("figure", "figures", "markdown", "ratios", "waits")

_MARKS = {True: "met", False: "MISSED", None: "unknown"}


def figure(value: float) -> str:
    """Three digits, or whole numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _median(result: Result) -> str:
    if result.missing:
        return "missing"
    if result.failure is not None:
        return "failed"
    if result.hangs:
        return "hangs"
    return "client-bound" if result.median is None else figure(result.median)


def _known(value: float | None) -> str:
    return "" if value is None else figure(value)


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
    return f"{said} of {target:g} {_MARKS[row.reached(than)]}"


def figures(rows: Iterable[Row]) -> str:
    """Every peer in every measure."""
    lines: list[Sequence[str]] = [
        (
            *("measure", "peer", "median", "min..max", "unit", "runs"),
            *("p50 ms", "p99 ms", "worst ms", "CPU µs", "client", "server"),
        )
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
                    _known(result.p50_ms),
                    _known(result.p99_ms),
                    _known(result.worst_ms),
                    "" if row.measure.waits else _known(result.server_us),
                    _share(result.client_share),
                    _share(result.server_share),
                )
            )
    return _aligned(lines, right={2, 3, *range(5, 12)})


def _ratio_lines(rows: Sequence[Row]) -> list[Sequence[str]]:
    rows = [row for row in rows if not row.measure.waits]
    others = list(dict.fromkeys(name for row in rows for name in row.others))
    lines: list[Sequence[str]] = [("times better than", "measured", *others)]
    for row in rows:
        for subject in row.subjects:
            result = row.results[subject]
            own = _median(result)
            if result.median is not None:
                own += f" {row.measure.unit}"
            if row.bounds and subject == row.measure.subject:
                own += f" of {', '.join(row.bounds)} {_MARKS[row.within_limit]}"
            if row.measure.higher and result.median is not None and result.server_us is not None:
                own += f" ({figure(result.server_us)} µs of CPU each)"
            name = row.measure.name
            if len(row.subjects) > 1:
                name += f" ({subject})"
            lines.append((name, own, *(_ratio(row, subject, other) for other in others)))
    return lines if rows else []


def _wait(row: Row, name: str) -> str:
    """What people wait for: ``0.31 / 4.2 / 30``, and whether that is little enough for us."""
    result = row.results.get(name)
    if result is None:
        return ""
    said = _median(result)
    if not result.hangs and result.median is not None:
        known = [value for value in (result.p50_ms, result.p99_ms) if value is not None]
        said = " / ".join(map(figure, (*known, result.median)))
    verdict = row.keeps_to_bounds(name) if name in row.subjects else None
    return said if verdict is None else f"{said} {_MARKS[verdict]}"


def _wait_lines(rows: Sequence[Row]) -> list[Sequence[str]]:
    rows = [row for row in rows if row.measure.waits]
    names = list(dict.fromkeys(name for row in rows for name in (*row.others, *row.subjects)))
    names.sort(key=lambda name: name.startswith("hyperfocal"))
    lines: list[Sequence[str]] = [("p50 / p99 / worst wait, ms", "at most", *names)]
    for row in rows:
        bounds = ", ".join(row.bounds)
        lines.append((row.measure.name, bounds, *(_wait(row, name) for name in names)))
    return lines if rows else []


def ratios(rows: Sequence[Row]) -> str:
    """How many times better Hyperfocal is than each peer, beside the targets."""
    return _aligned(_ratio_lines(rows), right=set())


def waits(rows: Sequence[Row]) -> str:
    """What people feel of others, at each peer, beside the bounds; empty: nothing of that kind."""
    return _aligned(_wait_lines(rows), right=set())


def markdown(rows: Sequence[Row]) -> str:
    """Both, for the documentation."""
    return "\n\n".join(
        "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))
        for head, *body in filter(None, (_ratio_lines(rows), _wait_lines(rows)))
    )


def _aligned(lines: Sequence[Sequence[str]], right: set[int]) -> str:
    if not lines:
        return ""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
