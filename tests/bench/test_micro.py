"""The operations do the same on both sides, and can be timed and counted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.micro.callgrind import Callgrind, unavailable
from bench.micro.operations import OPERATIONS
from bench.micro.timing import microseconds
from tests.support.serving import ROOT


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "heavy" not in name])
def test_each_operation_can_be_repeated(name: str) -> None:
    theirs, ours = microseconds(*OPERATIONS[name].prepare(), 0.01)
    assert min(theirs + ours) > 0


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
def test_without_valgrind_its_requests_do_nothing() -> None:
    callgrind = Callgrind()
    callgrind.start()
    callgrind.stop("nothing")


@pytest.mark.slow
def test_the_command_writes_times_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "micro.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench.micro", "--operation", "reply"),
            *("--seconds", "0.01", "--output", str(path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(path.read_text())
    reply = results["operations"]["reply"]
    assert reply["bokeh_us"] > 0
    assert reply["hyperfocal_us"] > 0
    if unavailable() is None:
        assert reply["bokeh_instructions"] > reply["hyperfocal_instructions"] > 1_000
    else:
        assert f"No instruction counts: {unavailable()}" in done.stdout
