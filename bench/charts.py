"""The results as bars: SVG text, without a library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from bench.report import Result, Row
from bench.tables import figure

__all__ = ("CHARTS", "charts")

_TROUBLES = (
    "a callback that was quick sleeps 2 s",
    "a callback that was quick computes 2 s",
    "an async callback computes 2 s",
    "a new visitor's script computes 2 s",
    "a session hook computes 2 s",
    "the __str__ of a callback's error computes 2 s",
    "the auth module computes 2 s",
    "another client sends the worst patches",
    "40 callbacks sleep 2 s at once",
    "40 callbacks of one visitor never return",
    "8 documents of one visitor never get built",
)


def _felt(where: str) -> tuple[str, ...]:
    waits = (f"20 people while {trouble}{where}" for trouble in _TROUBLES)
    return (*waits, *(f"a new page after {trouble}{where}" for trouble in _TROUBLES[-2:]))


#: What each chart shows: its title, and the names of its measures.
CHARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "roundtrip": (
        "A change, from the move of a slider to its answer",
        ("round trip, one session",),
    ),
    "cpu": (
        "The server's processor time of a change",
        (
            "CPU of a round trip, one session",
            "CPU of a round trip, tiny, 100 sessions",
            "CPU of a round trip, sliders, 50 sessions",
            "CPU of a round trip, sliders, 100 sessions",
            "CPU of a round trip, async button, 100 sessions",
            "CPU of a round trip, callbacks that sleep 5 ms",
            "CPU of a round trip, callbacks that compute 5 ms",
        ),
    ),
    "throughput": (
        "Round trips per second of one core",
        (
            "round trips, tiny, 100 sessions",
            "round trips, sliders, 50 sessions",
            "round trips, sliders, 100 sessions",
        ),
    ),
    "async": (
        "Callbacks that are coroutines, and plain ones",
        (
            "round trips, plain button, 100 sessions",
            "round trips, async button, 100 sessions",
            "rate of async callbacks, plain ones being 1",
        ),
    ),
    "busy": (
        "200 sessions whose callbacks take 5 ms each",
        (
            "round trips, callbacks that sleep 5 ms, 200 sessions",
            "mean wait of the worst session, callbacks that sleep 5 ms",
            "round trips, callbacks that compute 5 ms, 200 sessions",
            "mean wait of the worst session, callbacks that compute 5 ms",
        ),
    ),
    "opening": (
        "Visits per second of one core",
        ("opens, tiny", "opens, sliders", "opens, heavy"),
    ),
    "first-document": (
        "From a visitor's request to the document",
        ("first document, tiny", "first document, sliders", "first document, heavy"),
    ),
    "encoding": (
        "Encoding a whole document",
        ("encoding, tiny", "encoding, sliders", "encoding, heavy"),
    ),
    "idle": (
        "What a session costs that only stays connected",
        ("idle session, CPU", "idle session, memory, tiny", "idle session, memory, sliders"),
    ),
    "streaming": (
        "Arrays to one browser: megabytes per second of server CPU",
        ("streaming, 1 MB/s", "streaming, 50 MB/s"),
    ),
    "broadcast": ("One callback changes 1,000 sessions", ("broadcast to 1,000",)),
    "isolation": (
        "What fifty people feel of another's callback: their worst wait",
        (
            "50 people",
            "50 people while another's callback sleeps 2 s, again and again",
            "50 people while another's callback computes 2 s, again and again",
        ),
    ),
    "felt": ("What twenty people feel of others: their worst wait", _felt("")),
    "felt-2": ("The same where the server has two cores", _felt(", on two cores")),
    "deaf-tab": (
        "A tab that reads nothing for a minute while its session streams",
        (
            "20 people beside a tab that does not read",
            "memory that a tab takes which does not read for 60 s",
            "what a second tab of that session gets",
        ),
    ),
    "echo": ("The transport alone, and the library under it", ("echo, 100 connections",)),
    "processes": (
        "Round trips per second with one process and with two",
        ("round trips, computing, 20 sessions",),
    ),
    "startup": ("Start-up", ("--help", "start until listening")),
}

_WIDTH, _LABELS, _VALUES = 760, 160, 150
_BAR, _STEP = 16, 24
_OURS, _THEIRS, _INK, _FAINT = "#d9480f", "#8a94a6", "#1f2933", "#616e7c"


def charts(rows: Iterable[Row]) -> dict[str, str]:
    """The charts for which there are results, by name."""
    by_name = {row.measure.name: row for row in rows}
    drawn: dict[str, str] = {}
    for name, (title, measures) in CHARTS.items():
        shown = [by_name[measure] for measure in measures if measure in by_name]
        if shown:
            drawn[name] = _chart(title, shown)
    return drawn


def _chart(title: str, rows: Sequence[Row]) -> str:
    parts: list[str] = []
    top = 34
    for row in rows:
        better = "more is better" if row.measure.higher else "less is better"
        parts.append(_text(16, top + 20, f"{row.measure.name} ({row.measure.unit}, {better})"))
        top += 30
        largest = max((_largest(result) for result in row.results.values()), default=0.0)
        for name, result in row.results.items():
            parts += _bar(top, name, result, largest)
            top += _STEP
        top += 8
    height = top + 8
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
            f' viewBox="0 0 {_WIDTH} {height}" role="img" font-size="13"'
            ' font-family="system-ui, sans-serif">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
            _text(16, 26, title, size=16, weight=600),
            *parts,
            "</svg>\n",
        ]
    )


def _largest(result: Result) -> float:
    return result.extent[1] if result.extent is not None and not result.hangs else 0.0


def _bar(top: int, name: str, result: Result, largest: float) -> list[str]:
    """One peer: its name, a bar up to the median, a line over the extent, the figure."""
    middle, scale = top + _BAR / 2, (_WIDTH - _LABELS - _VALUES) / (largest or 1.0)
    ours = name.startswith("hyperfocal")
    parts = [_text(_LABELS - 10, middle + 4.5, name, anchor="end", weight=600 if ours else 400)]
    if result.median is None or result.extent is None:
        why = "missing" if result.missing else "failed" if result.failure else "client-bound"
        return [*parts, _text(_LABELS, middle + 4.5, why, fill=_FAINT)]
    if result.hangs:
        return [*parts, _text(_LABELS, middle + 4.5, "hangs", fill=_FAINT)]
    low, high = (_LABELS + value * scale for value in result.extent)
    colour = _OURS if ours else _THEIRS
    return [
        *parts,
        f'<rect x="{_LABELS}" y="{top}" width="{max(result.median * scale, 1):.1f}"'
        f' height="{_BAR}" rx="2" fill="{colour}"/>',
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="{_INK}" stroke-width="1.5"/>',
        _text(max(high, _LABELS + 1) + 6, middle + 4.5, figure(result.median)),
    ]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: int = 400,
    anchor: str = "start",
    fill: str = _INK,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}"'
        f' text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
    )
