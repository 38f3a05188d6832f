"""Thousands of worlds, each decided by a seed; and mistakes that have to be noticed in them.

A failure names its seed: ``python -m tests.simulation SEED`` lives through it again.
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.world import failures, simulate

#: Worlds that are lived through, and how many in one go.
WORLDS, AT_ONCE = 1_000, 50
#: Worlds in which a mistake has to show.
TRIES = 80


def processes() -> ProcessPoolExecutor:
    """New ones: what a world that went wrong leaves behind is not this process's affair."""
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_wrong_in_any_world() -> None:
    begins = range(0, WORLDS, AT_ONCE)
    with processes() as pool:
        found = pool.map(failures, begins, (begin + AT_ONCE for begin in begins))
        wrong = {seed: what for some in found for seed, what in some.items()}
    assert wrong == {}


def noticed(name: str) -> bool:
    """Whether a mistake shows in one of the worlds."""
    sys.unraisablehook = lambda _: None
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name](patch)
        return any(simulate(seed) for seed in range(TRIES))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_mistakes_are_noticed() -> None:
    assert len(MUTANTS) > 20
    with processes() as pool:
        found = dict(zip(MUTANTS, pool.map(noticed, MUTANTS), strict=True))
    assert [name for name, seen in found.items() if not seen] == []


def test_a_seed_decides_everything() -> None:
    assert simulate(7, trace=True) == simulate(7, trace=True)
    assert simulate(7, trace=True) != simulate(8, trace=True)
