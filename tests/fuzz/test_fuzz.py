"""The fuzz targets without a fuzzer: what it has found before, and the same random bytes each time."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import CORPUS, REGRESSIONS, TARGETS, inputs, load

#: Some seconds of each on a slow machine.
_RUNS = {"decoder": 8000, "patches": 400, "tokens": 1500, "websocket": 1500}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("folder", [CORPUS, REGRESSIONS], ids=lambda folder: folder.name)
def test_what_was_found_before_is_dealt_with(folder: object, name: str) -> None:
    run = load(name)
    kept = inputs(CORPUS if folder == CORPUS else REGRESSIONS, name)
    assert kept or folder == REGRESSIONS, "the corpus is gone"
    for path in kept:
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
