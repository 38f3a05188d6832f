"""Where sessions live."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.auth import make_session_id
from hyperfocal.cluster.placement import Load, Placement, quietest

NAMES = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=20, unique=True)
IDS = st.text(st.characters(), max_size=60)  # half surrogate pairs, too: clients choose ids


@settings(deadline=None)
@given(NAMES, IDS, st.randoms())
def test_every_process_comes_to_the_same_result(
    names: list[str], session_id: str, chance: Random
) -> None:
    owner = Placement(names).owner(session_id)
    assert owner in names
    shuffled = list(names)
    chance.shuffle(shuffled)
    assert Placement(shuffled).owner(session_id) == owner


@settings(deadline=None)
@given(NAMES, IDS, st.text(min_size=1, max_size=12))
def test_only_what_has_to_moves_when_a_worker_is_added(
    names: list[str], session_id: str, added: str
) -> None:
    before = Placement(names).owner(session_id)
    after = Placement([*names, added] if added not in names else names).owner(session_id)
    assert after in (before, added)


def test_sessions_are_spread_evenly() -> None:
    names = [f"worker {number}" for number in range(1, 9)]
    placement = Placement(names)
    found = Counter(placement.owner(make_session_id()) for _ in range(8000))
    assert set(found) == set(names)
    assert max(found.values()) < 1200  # 1000 each; the deviation is some 30


def test_there_has_to_be_a_worker() -> None:
    with pytest.raises(ValueError, match="no workers"):
        Placement([])


LOADS = st.lists(
    st.builds(Load, st.integers(0, 9), st.integers(0, 100), st.booleans()),
    max_size=8,
    unique_by=lambda load: load.slot,
)


@settings(deadline=None)
@given(LOADS, st.integers(0, 9))
def test_a_new_session_goes_where_there_is_little_to_do(loads: list[Load], own: int) -> None:
    chosen = quietest(loads, own)
    listening = {load.slot: load.sessions for load in loads if load.is_listening}
    if not listening:
        assert chosen is None
        return
    assert chosen is not None
    least = min(listening.values())
    if chosen == own:
        assert listening[own] - least <= max(1, listening[own] // 8)
    else:
        assert listening[chosen] == least


def test_a_small_difference_is_not_worth_a_move() -> None:
    def load(slot: int, sessions: int) -> Load:
        return Load(slot, sessions, is_listening=True)

    assert quietest([load(0, 1), load(1, 0)], 0) == 0
    assert quietest([load(0, 2), load(1, 0)], 0) == 1
    assert quietest([load(0, 100), load(1, 90)], 0) == 0
    assert quietest([load(0, 100), load(1, 80)], 0) == 1
