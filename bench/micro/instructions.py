"""How many instructions one call takes: steadier than time on a machine that others use as well.

Valgrind's Callgrind counts them, without privileges and without counters of the processor, which
virtual machines rarely have. ``python -m bench.micro.instructions NAME...`` is the program that
it runs.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.micro.callgrind import Callgrind
from bench.micro.operations import OPERATIONS, WAYS, Call

__all__ = ("count",)

_CALLS = 3
_WARM_UP = 12  # CPython 3.11 specialises code after eight runs
_TIMEOUT_S = 600


def count(names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Instructions per call, Bokeh's and ours, by operation.

    Raises:
        RuntimeError: Valgrind failed; the message holds its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--instr-atstart=no",
                f"--callgrind-out-file={folder}/counts",
                *(sys.executable, "-m", "bench.micro.instructions", *names),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            timeout=_TIMEOUT_S,
            check=False,
        )
        found = dict(filter(None, map(_counted_in, Path(folder).iterdir())))
    nothing = found.get("nothing")
    if done.returncode or nothing is None:
        raise RuntimeError(f"valgrind failed: {done.stderr[-2000:]}")
    return {
        name: (
            (found[f"{name} bokeh"] - nothing) / _CALLS,
            (found[f"{name} hyperfocal"] - nothing) / _CALLS,
        )
        for name in names
    }


def _counted_in(dump: Path) -> tuple[str, int] | None:
    """The name and the count in a file of Callgrind's."""
    text = dump.read_text()
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    total = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    return (name[1], int(total[1])) if name and total else None


def _count(callgrind: Callgrind, name: str, call: Call) -> None:
    """Make Callgrind write how many instructions so many calls take."""
    for _ in range(_WARM_UP):
        call()
    gc.collect()
    gc.disable()
    callgrind.start()
    for _ in range(_CALLS):
        call()
    callgrind.stop(name)
    gc.enable()


def _main(names: Sequence[str]) -> None:
    callgrind = Callgrind()
    _count(callgrind, "nothing", lambda: None)
    for name in names:
        calls = OPERATIONS[name].prepare()
        for who, way, call in zip(("bokeh", "hyperfocal"), WAYS, calls, strict=True):
            way()
            _count(callgrind, f"{name} {who}", call)


if __name__ == "__main__":
    _main(sys.argv[1:])
