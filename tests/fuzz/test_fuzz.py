"""The fuzz targets without a fuzzer: what it has found before, and the same bytes each time."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import CORPUS, REGRESSIONS, TARGETS, inputs, load

#: Some seconds of each on a slow machine.
_RUNS = {"decoder": 40_000, "patches": 800, "tokens": 4000, "websocket": 4000}


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_before_is_dealt_with(name: str) -> None:
    run, corpus = load(name), inputs(CORPUS, name)
    assert corpus, "the corpus is gone"
    for path in (*corpus, *inputs(REGRESSIONS, name)):
        run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_random_bytes_do_no_harm(name: str) -> None:
    run, chance = load(name), random.Random(f"hyperfocal {name}")
    for number in range(_RUNS[name]):
        data = chance.randbytes(chance.choice((4, 16, 64, 256)))
        try:
            run(data)
        except BaseException as error:
            error.add_note(f"run {number}, input {data.hex()}")
            raise
