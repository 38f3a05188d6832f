"""What is said of the runs: no timings here, only what follows from figures."""

import json
from pathlib import Path

import pytest

from bench import Measure, Sample
from bench.charts import CHARTS, charts
from bench.publish import publish
from bench.report import Result, Row, doubts
from bench.scenarios import SCENARIOS
from bench.tables import figures, markdown, ratios, waits

RATE = Measure("trips", "trips/s", higher=True, targets={"bokeh": 3, "fastapi": 2})
TIME = Measure("wait", "ms", targets={"bokeh": 4}, limit=10)


def row(measure: Measure, **peers: list[Sample]) -> Row:
    return Row(
        measure,
        {name: Result(samples, measure.higher) for name, samples in peers.items()},
    )


def test_a_rate_is_withheld_where_the_client_was_the_bottleneck() -> None:
    bound = row(RATE, bokeh=[Sample(7_654.0, 0.5)], hyperfocal=[Sample(9_876.0, 0.91)])
    assert bound.times_better("hyperfocal", "bokeh") is None
    assert bound.reached("bokeh") is None
    assert "client-bound" in figures([bound])
    assert "? of 3 unknown" in ratios([bound])
    assert "9,876" not in figures([bound]) + ratios([bound])
    assert "9876" not in json.dumps(bound.to_json())
    (doubt,) = doubts([bound], 0.0, None)
    assert "trips, hyperfocal" in doubt
    assert "the client was the bottleneck" in doubt


def test_better_is_more_of_a_rate_and_less_of_a_time() -> None:
    rate = row(RATE, bokeh=[Sample(10, 0.1)], hyperfocal=[Sample(30, 0.1)])
    assert rate.times_better("hyperfocal", "bokeh") == 3
    assert rate.reached("bokeh") is True
    time = row(TIME, bokeh=[Sample(30, 0.1)], hyperfocal=[Sample(10, 0.99)])
    assert time.times_better("hyperfocal", "bokeh") == 3
    assert time.reached("bokeh") is False
    assert time.within_limit is True
    assert "3 of 4 MISSED" in ratios([time])
    assert "10 ms of 10 met" in ratios([time])


def test_a_missing_peer_is_said() -> None:
    results = row(RATE, hyperfocal=[Sample(30)]).results
    missing = Row(RATE, {"fastapi": Result([], True, "cannot be installed", True), **results})
    assert "missing" in figures([missing])
    assert "? of 2 unknown" in ratios([missing])
    assert doubts([missing], 0, None) == ["trips, fastapi: missing: cannot be installed"]


def test_the_median_is_over_runs_and_noise_is_said() -> None:
    wide = row(TIME, bokeh=[Sample(9), Sample(10), Sample(13)], hyperfocal=[Sample(1)])
    assert wide.times_better("hyperfocal", "bokeh") == 10
    assert doubts([wide], 0.6, "no cores") == [
        "no cores",
        "the machine was busy at the start: load average 0.60",
        "wait, bokeh: the runs spread over 40% of the median",
    ]


def test_a_second_subject_is_compared_without_the_target() -> None:
    warm = Measure("first", "ms", targets={"bokeh": 20}, subject="hyperfocal-prewarm")
    results = {
        "bokeh": Result([Sample(40)], False),
        "hyperfocal": Result([Sample(20)], False),
        "hyperfocal-prewarm": Result([Sample(1)], False),
    }
    cold, prewarmed = ratios([Row(warm, results)]).splitlines()[1:]
    assert cold.split()[-1] == "2"
    assert "40 of 20 met" in prewarmed


WAIT = Measure("others", "ms", limit=100, p99_limit=10, waits=True)


def waited(worst: float, p99: float = 5.0, *, hung: bool = False) -> Sample:
    return Sample(worst, latency_p50_ms=1.0, latency_p99_ms=p99, worst_ms=worst, hung=hung)


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (waited(30.0), "1 / 5 / 30 met"),
        (waited(130.0), "1 / 5 / 130 MISSED"),
        (waited(30.0, 12.0), "1 / 12 / 30 MISSED"),
        (waited(30.0, hung=True), "hangs MISSED"),
    ],
)
def test_waits_have_a_table_of_their_own(sample: Sample, said: str) -> None:
    felt = row(WAIT, bokeh=[waited(2_005.0, 2_000.0)], hyperfocal=[sample])
    head, line = waits([felt]).splitlines()
    assert head.split() == [
        *("p50", "/", "p99", "/", "worst", "wait,", "ms"),
        *("at", "most", "bokeh", "hyperfocal"),
    ]
    assert "100, p99 10" in line
    assert line.rstrip().endswith(said)
    assert "1 / 2,000 / 2,005 " in line
    assert ratios([felt]) == ""
    assert "2,005" in markdown([felt])


def test_a_hang_in_any_run_is_said() -> None:
    felt = row(WAIT, hyperfocal=[waited(1.0), waited(9_000.0, hung=True), waited(2.0)])
    assert felt.within_limit is False
    assert doubts([felt], 0, None) == [
        "others, hyperfocal: hangs: somebody was without an answer in the end"
    ]
    assert "hangs" in figures([felt])


def test_what_is_to_be_much_at_least() -> None:
    share = Measure("share", "x", higher=True, least=0.5)
    assert row(share, hyperfocal=[Sample(0.6)]).within_limit is True
    few = row(share, hyperfocal=[Sample(0.4, server_us=80.0)])
    assert few.within_limit is False
    assert "0.4 x of at least 0.5 MISSED (80 µs of CPU each)" in ratios([few])


def test_rows_survive_json() -> None:
    there = row(RATE, bokeh=[Sample(10, 0.1, 0.9, 1, 2)], hyperfocal=[Sample(30, 0.99)])
    back = Row.from_json(json.loads(json.dumps(there.to_json())))
    assert figures([back]) == figures([there])
    assert ratios([back]) == ratios([there])
    felt = row(WAIT, hyperfocal=[waited(30.0)])
    assert waits([Row.from_json(json.loads(json.dumps(felt.to_json())))]) == waits([felt])


def test_every_measure_is_in_one_chart() -> None:
    shown = [name for _, measures in CHARTS.values() for name in measures]
    assert sorted(shown) == sorted(
        measure.name for scenario in SCENARIOS.values() for measure in scenario.measures
    )


def test_every_target_speaks_of_a_peer_that_is_measured() -> None:
    for scenario in SCENARIOS.values():
        for measure in scenario.measures:
            assert {*measure.targets, measure.subject} <= set(scenario.peers), measure.name
        assert (scenario.run is None) is not (scenario.together is None)


def test_publishing_replaces_what_is_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    begin, end = "<!-- bench: written by `make bench` -->", "<!-- bench: end -->"
    page.write_text(f"Before\n{begin}\nold\n{end}\nAfter\n")
    name = CHARTS["roundtrip"][1][0]
    shown = row(Measure(name, "ms"), bokeh=[Sample(44)], hyperfocal=[Sample(0.3)])
    results = {
        "measures": [shown.to_json()],
        "started": "2026-11-24T03:00:00",
        "runs": 5,
        "seconds": 2.0,
        "environment": {"cores": 2, "python": "3.11.7", "packages": {"bokeh": "3.9.2"}},
        "doubts": ["noise"],
    }
    chart = tmp_path / "images" / "bench-roundtrip.svg"
    for _ in range(2):
        assert publish(results, tmp_path) == [page, chart]
        text = page.read_text()
        assert text.startswith(f"Before\n{begin}\n")
        assert text.endswith(f"{end}\nAfter\n")
        assert "old" not in text
        assert f"| {name} | 0.3 ms | 147 |" in text
        assert "(images/bench-roundtrip.svg)" in text
        assert "- noise" in text
    assert charts([shown])["roundtrip"] == chart.read_text()
    page.write_text("no marks")
    with pytest.raises(ValueError, match="lacks"):
        publish(results, tmp_path)
