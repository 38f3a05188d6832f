"""Fuzzing with coverage to guide it: ``make fuzz FUZZ_ARGS="--target patches --seconds 600"``.

libFuzzer works in ``build/fuzz/<target>/``. Afterwards the inputs that lead to different places in
our code are kept in ``tests/fuzz/corpus/<target>/``, the shortest first, and what broke something
in ``tests/fuzz/regressions/<target>/``.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeAlias

from tests.fuzz.targets import CORPUS, REGRESSIONS, TARGETS, inputs, load

_ROOT = Path(__file__).parents[2]
_WORK = _ROOT / "build" / "fuzz"
_SOURCE = str(_ROOT / "src" / "hyperfocal")
#: A code object, a line of it, and the next.
_Step: TypeAlias = tuple[CodeType, int, int]
#: Inputs of a target that are kept for all, in bytes.
_MOST_BYTES = 200_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, default="patches")
    parser.add_argument("--seconds", type=int, default=60, help="how long to try")
    parser.add_argument("--max-len", type=int, default=1024, help="the longest input, in bytes")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _fuzz(options.target, options.seconds, options.max_len)
        return 0
    work = _WORK / options.target
    found, broken = work / "corpus", work / "broken"
    for folder in (found, broken):
        folder.mkdir(parents=True, exist_ok=True)
    for path in (*inputs(CORPUS, options.target), *inputs(REGRESSIONS, options.target)):
        shutil.copy(path, found)
    # From nothing libFuzzer takes long to come to inputs that are long enough to say anything.
    chance = random.Random(options.target)
    for number in range(200):
        (found / f"random-{number}").write_bytes(chance.randbytes(chance.choice((32, 128, 512))))
    # In a process of its own: libFuzzer ends the one that it is in.
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--child", *sys.argv[1:]], check=False
    )
    for path in broken.iterdir():
        kept = REGRESSIONS / options.target
        kept.mkdir(parents=True, exist_ok=True)
        shutil.move(path, kept / path.name)
        print(f"broke it: {kept / path.name}")
    _keep(options.target, found)
    return done.returncode


def _fuzz(name: str, seconds: int, max_len: int) -> None:
    atheris: Any = import_module("atheris")  # not to be had everywhere, and typed in part
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(
        include=["hyperfocal", "tests.fuzz", "bokeh.core", "bokeh.document"]
    ):
        run = load(name)
    work = _WORK / name
    arguments = [
        sys.argv[0],
        str(work / "corpus"),
        f"-artifact_prefix={work / 'broken'}/",
        f"-max_total_time={seconds}",
        f"-max_len={max_len}",
        "-len_control=0",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, run)
    atheris.Fuzz()


def _keep(name: str, found: Path) -> None:
    """Put the inputs that reach something new into the corpus, as far as there is room."""
    logging.disable(logging.CRITICAL)
    run = load(name)
    reached: set[_Step] = set()
    size = 0
    folder = CORPUS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(found.iterdir(), key=lambda one: (one.stat().st_size, one.name)):
        data = path.read_bytes()
        steps = _steps(run, data)
        if steps <= reached or size + len(data) > _MOST_BYTES:
            continue
        reached |= steps
        size += len(data)
        shutil.copy(path, folder)
    files = len(list(folder.iterdir()))
    print(f"kept {files} inputs, {size} bytes; they take {len(reached)} ways from line to line")


def _steps(run: Callable[[bytes], None], data: bytes) -> set[_Step]:
    """From which line to which line an input leads, in our code."""
    steps: set[_Step] = set()

    def call(frame: FrameType, event: str, _: Any) -> Any:
        before = 0

        def line(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal before
            if event == "line":
                steps.add((frame.f_code, before, frame.f_lineno))
                before = frame.f_lineno
            return line

        return line if frame.f_code.co_filename.startswith(_SOURCE) else None

    sys.settrace(call)
    try:
        run(data)
    except Exception as error:
        print(f"still breaks: {data.hex()}: {error!r}")
    finally:
        sys.settrace(None)
    return steps


if __name__ == "__main__":
    sys.exit(main())
