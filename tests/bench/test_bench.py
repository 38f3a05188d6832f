"""The benchmarks run, and what they write has its shape. How fast anything is, is not said here."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.scenarios import SCENARIOS
from tests.support.serving import ROOT


def bench(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def quick(path: Path, *arguments: str) -> tuple[str, list[dict[str, Any]]]:
    """A quick run of what this environment has; its output, and the measures it wrote."""
    output = bench("--quick", "--in-place", "--seconds", "0.2", "--output", str(path), *arguments)
    return output, json.loads(path.read_text())["measures"]


def test_help_names_every_scenario() -> None:
    output = bench("--help")
    assert all(name in output for name in SCENARIOS)


@pytest.mark.slow
def test_a_quick_run_measures_peers_and_says_who_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    peers = "bokeh", "bokeh-nodelay", "fastapi", "hyperfocal"
    chosen = [argument for name in peers for argument in ("--peer", name)]
    output, (row, _) = quick(path, "--scenario", "roundtrip-1", *chosen)
    assert "times better than" in output
    result = json.loads(path.read_text())
    assert result["runs"] == 1
    assert result["environment"]["packages"]["bokeh"]
    assert (row["unit"], row["higher_is_better"]) == ("ms", False)
    assert set(row["peers"]) == set(peers)
    assert row["peers"]["fastapi"]["missing"]
    assert "fastapi: missing: bokeh_fastapi is not installed" in output
    for name in ("bokeh", "bokeh-nodelay", "hyperfocal"):
        peer = row["peers"][name]
        (run,) = peer["runs"]
        assert peer["median"] == run["value"] > 0
        assert peer["extent"] == [run["value"], run["value"]]
        assert 0 <= run["client_share"] <= 1.1
        assert run["server_share"] > 0
        assert run["latency_p50_ms"] <= run["latency_p99_ms"]
    assert row["times_better"]["hyperfocal"]["bokeh"] > 0
    assert row["times_better"]["hyperfocal"]["fastapi"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        *("sliders-100", "open-sliders", "first-tiny", "stream-50", "broadcast", "memory-sliders"),
        *("busy-sleep", "async-100"),
    ],
)
def test_scenarios_measure_both_servers(scenario: str, tmp_path: Path) -> None:
    _, rows = quick(
        tmp_path / "result.json",
        *("--scenario", scenario, "--peer", "bokeh", "--peer", "hyperfocal"),
    )
    for row in rows:
        assert row["times_better"]["hyperfocal"]["bokeh"] > 0, row


@pytest.mark.slow
def test_rates_come_with_the_processor_time_of_each_answer(tmp_path: Path) -> None:
    output, (rate, cpu) = quick(
        tmp_path / "result.json", "--scenario", "roundtrip-100", "--peer", "hyperfocal"
    )
    (run,) = rate["peers"]["hyperfocal"]["runs"]
    assert run["server_us"] == pytest.approx(run["server_share"] / run["value"] * 1e6)
    assert cpu["peers"]["hyperfocal"]["median"] == run["server_us"]
    assert "µs of CPU each" in output


@pytest.mark.slow
def test_waits_are_said_with_the_worst_of_them(tmp_path: Path) -> None:
    peers = "bokeh", "bokeh-3.10", "hyperfocal"
    chosen = [argument for name in peers for argument in ("--peer", name)]
    output, (row,) = quick(tmp_path / "result.json", "--scenario", "felt-sleep", *chosen)
    assert "p50 / p99 / worst wait, ms" in output
    assert row["waits"]
    assert row["peers"]["bokeh-3.10"]["missing"]  # this environment has our Bokeh
    (run,) = row["peers"]["bokeh"]["runs"]
    assert run["latency_p50_ms"] <= run["latency_p99_ms"] <= run["worst_ms"] == run["value"]
    assert run["worst_ms"] > 1_000
    assert not run["hung"]
    assert row["peers"]["hyperfocal"]["median"] > 0


@pytest.mark.slow
def test_a_server_that_hangs_is_a_result(tmp_path: Path) -> None:
    output, (felt, newcomer) = quick(
        tmp_path / "result.json", "--scenario", "felt-40-stuck", "--peer", "bokeh"
    )
    assert felt["peers"]["bokeh"]["hangs"]
    assert newcomer["peers"]["bokeh"]["hangs"]
    assert "bokeh: hangs: somebody was without an answer in the end" in output


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["felt-authorize", "felt-hook"])
def test_pages_can_ask_for_trouble(scenario: str, tmp_path: Path) -> None:
    _, (row,) = quick(
        tmp_path / "result.json", "--scenario", scenario, "--peer", "hyperfocal-server"
    )
    (run,) = row["peers"]["hyperfocal-server"]["runs"]
    assert run["value"] > 0


@pytest.mark.parametrize(
    ("path", "function", "what"),
    [
        ("trouble_auth.py", "get_user", "authorize"),
        ("trouble/app_hooks.py", "on_session_created", "hook"),
    ],
)
def test_trouble_lasts_for_two_seconds_where_the_page_asks_for_it(
    path: str, function: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds: list[float] = []

    def clock() -> float:
        seconds.append(len(seconds) * 0.5)
        return seconds[-1]

    monkeypatch.setattr("time.perf_counter", clock)
    names = runpy.run_path(str(ROOT / "bench/apps" / path))
    for asked in ("nothing", what):
        assert not seconds
        request = SimpleNamespace(arguments={"trouble": [asked.encode()]})
        names[function](SimpleNamespace(request=request))
    assert seconds == [0.0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.slow
def test_idle_servers_are_watched_together(tmp_path: Path) -> None:
    chosen = [
        argument for name in ("bokeh", "shiny", "hyperfocal") for argument in ("--peer", name)
    ]
    _, (cpu, memory) = quick(tmp_path / "result.json", "--scenario", "idle", *chosen)
    for row in (cpu, memory):
        assert row["peers"]["shiny"]["missing"]
        assert row["peers"]["bokeh"]["median"] > 0
        assert row["peers"]["hyperfocal"]["median"] > 0


@pytest.mark.slow
def test_what_needs_no_bokeh_server(tmp_path: Path) -> None:
    names = "encode-tiny", "echo", "help", "listening"
    chosen = [argument for name in names for argument in ("--scenario", name)]
    _, rows = quick(
        tmp_path / "result.json",
        *chosen,
        *("--peer", "hyperfocal", "--peer", "raw-echo", "--peer", "hyperfocal-echo"),
    )
    assert [row["name"] for row in rows] == [
        measure.name for name in names for measure in SCENARIOS[name].measures
    ]
    for row in rows:
        for peer in row["peers"].values():
            # The bare library may be faster than the client; its figure is then withheld.
            assert peer["client_bound"] or peer["median"] > 0
