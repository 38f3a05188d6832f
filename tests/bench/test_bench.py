"""The benchmarks run, and what they write has its shape. How fast anything is, is not said here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import Sample
from bench.report import Result, Row, doubts, table
from bench.scenarios import SCENARIOS
from tests.support.serving import ROOT


def bench(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_quick_run_measures_both_peers(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    output = bench(
        "--quick", "--scenario", "roundtrip-1", "--runs", "1", "--output", str(path)
    )  # fmt: skip
    assert "times better" in output
    result = json.loads(path.read_text())
    assert result["runs"] == 1
    assert result["environment"]["packages"]["bokeh"]
    (row,) = result["scenarios"]
    assert (row["name"], row["unit"], row["higher_is_better"]) == ("roundtrip-1", "ms", False)
    assert row["times_better"] > 0
    assert list(row["peers"]) == ["bokeh", "hyperfocal"]
    for peer in row["peers"].values():
        (run,) = peer["runs"]
        assert peer["median"] == run["value"] > 0
        assert peer["extent"] == [run["value"], run["value"]]
        # CPU time is counted in ticks of 10 ms: a short run of a waiting server may show none.
        assert 0 <= run["client_share"] <= 1.1
        assert run["server_share"] >= 0
        assert run["latency_p50_ms"] <= run["latency_p99_ms"]


def test_help_names_every_scenario() -> None:
    output = bench("--help")
    assert all(name in output for name in SCENARIOS)


def row(name: str, bokeh: list[Sample], hyperfocal: list[Sample]) -> Row:
    (scenario,) = SCENARIOS[name]
    return Row(
        scenario,
        {
            "bokeh": Result(bokeh, scenario.rate),
            "hyperfocal": Result(hyperfocal, scenario.rate),
        },
    )


def test_a_rate_is_withheld_where_the_client_was_the_bottleneck() -> None:
    bound = row("roundtrip-100", [Sample(7_654.0, 0.5)], [Sample(9_876.0, 0.91)])
    assert bound.times_better is None
    assert "client-bound" in table([bound])
    assert "9,876" not in table([bound])
    assert "9876" not in json.dumps(bound.to_json())
    (doubt,) = doubts([bound], 0.0, None)
    assert "roundtrip-100, hyperfocal" in doubt
    assert "the client was the bottleneck" in doubt


def test_better_is_more_of_a_rate_and_less_of_a_time() -> None:
    assert row("roundtrip-100", [Sample(10, 0.1)], [Sample(30, 0.1)]).times_better == 3
    assert row("roundtrip-1", [Sample(30, 0.1)], [Sample(10, 0.99)]).times_better == 3


def test_noise_is_said() -> None:
    wide = row("roundtrip-1", [Sample(9), Sample(10), Sample(13)], [Sample(1), Sample(1)])
    assert doubts([wide], 0.6, "no cores") == [
        "no cores",
        "the machine was busy at the start: load average 0.60",
        "roundtrip-1, bokeh: the runs spread over 40% of the median",
    ]
