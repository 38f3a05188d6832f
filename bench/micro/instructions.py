"""How many instructions one call takes: steadier than time on a machine that others use as well.

Valgrind's Callgrind counts them, without privileges and without counters of the processor, which
virtual machines rarely have. ``python -m bench.micro.instructions NAME...`` is the program that
it runs: it turns counting on around the calls of each operation only.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.micro.operations import OPERATIONS, Call

__all__ = ("count", "unavailable")

_CALLS = 5
_WARM_UP = 12  # CPython 3.11 specialises code after eight runs


def unavailable() -> str | None:
    """Why instructions cannot be counted here, if so."""
    for program in ("valgrind", "callgrind_control"):
        if shutil.which(program) is None:
            return f"there is no {program} (on Debian: apt-get install valgrind)"
    return None


def count(names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Instructions per call, Bokeh's and ours, by operation.

    Raises:
        RuntimeError: Valgrind failed; the message holds its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind"
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--instr-atstart=no",
                f"--callgrind-out-file={out}",
                *(sys.executable, "-m", "bench.micro.instructions", *names),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc"},
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"valgrind failed: {done.stderr[-2000:]}")
        counts = [_total(part.read_text()) for part in sorted(out.parent.glob("callgrind.*"))]
    # One dump for nothing at all, then two for each operation; a last one at the end.
    nothing, found = counts[0], counts[1 : 1 + 2 * len(names)]
    return {
        name: (
            (found[2 * at] - nothing) / _CALLS,
            (found[2 * at + 1] - nothing) / _CALLS,
        )
        for at, name in enumerate(names)
    }


def _total(dump: str) -> int:
    match = re.search(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE)
    return int(match[1]) if match else 0


def _control(*arguments: str) -> None:
    subprocess.run(
        ["callgrind_control", *arguments, str(os.getpid())], check=True, capture_output=True
    )


def _counted(call: Call, calls: int) -> None:
    """Run the call so many times, and dump how many instructions that took."""
    for _ in range(_WARM_UP):
        call()
    gc.collect()
    gc.disable()
    _control("-z")
    for _ in range(calls):
        call()
    _control("-d")
    gc.enable()


def _main(names: Sequence[str]) -> None:
    prepared = [call for name in names for call in OPERATIONS[name].prepare()]
    _control("-i", "on")
    _counted(lambda: None, 0)
    for call in prepared:
        _counted(call, _CALLS)
    _control("-i", "off")


if __name__ == "__main__":
    _main(sys.argv[1:])
