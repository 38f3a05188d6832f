"""What a message costs follows its size: twice the message, at most 2.2 times the work."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bench.micro.callgrind import unavailable
from tests.document.twins import accelerated
from tests.property.costs import CASES, Case, prepared
from tests.support.serving import ROOT

#: How many times the work twice the message may be.
MOST = 2.2


@pytest.fixture(autouse=True)
def _accelerated() -> Generator[None]:
    with accelerated():
        yield


def steps(call: Callable[[], None]) -> int:
    """How many steps of Python's bytecode a call takes. What C does in between is not counted."""
    count = 0

    def trace(frame: FrameType, what: str, arg: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += what == "opcode"
        return trace

    gc.collect()
    gc.disable()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_twice_the_message_is_twice_the_work(case: Case) -> None:
    prepared(case, 10)()  # what is known of classes is found out
    once, twice = (steps(prepared(case, size)) for size in (60, 120))
    assert twice <= MOST * once, f"{once:,} and {twice:,} steps"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
def test_twice_the_message_is_twice_the_instructions(tmp_path: Path) -> None:
    """The same, with all that C does, as Callgrind counts it."""
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no"),
            f"--callgrind-out-file={tmp_path}/counts",
            *(sys.executable, "-m", "tests.property.costs", "100"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = dict(filter(None, map(counted_in, tmp_path.iterdir())))
    ratios = {name: found[f"{name} 2"] / found[f"{name} 1"] for name in CASES}
    assert max(ratios.values()) <= MOST, ratios


def counted_in(dump: Path) -> tuple[str, int] | None:
    """The name and the count in a file of Callgrind's."""
    text = dump.read_text()
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    return (name[1], int(total[1])) if name and total else None
