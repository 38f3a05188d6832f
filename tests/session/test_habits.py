"""When code runs on the event loop, by how long it has taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.session.habits import Habit, Thresholds

QUICK_S = 0.010


def quick_habit(moved: list[Any] | None = None) -> Habit:
    told = moved if moved is not None else []
    habit = Habit("code", "name", Thresholds(QUICK_S, runs=1), lambda *said: told.append(said))
    habit.took(QUICK_S, 0.0)  # just quick enough
    assert habit.quick
    return habit


def test_a_habit_asks_for_as_many_runs_as_it_is_told() -> None:
    moved: list[Any] = []
    habit = quick_habit(moved)
    habit.took(0.0101, 1.0)
    assert not habit.quick
    assert moved == [("name", True, QUICK_S), ("name", False, 0.0101)]


def test_an_accident_is_forgiven_if_it_is_rare() -> None:
    habit = quick_habit()
    for now in (3.0, 6.0, 9.0):  # each is at most a hundredth of the time
        habit.took(0.03, now)
        assert habit.quick
    habit.took(0.03, 11.9)
    assert not habit.quick


def test_what_takes_much_too_long_is_no_accident() -> None:
    habit = quick_habit()
    habit.took(0.031, 1e6)
    assert not habit.quick


@pytest.mark.parametrize(("stint_s", "rest_s"), [(199.0, 400.0), (200.0, 200.0)])
def test_code_that_has_been_quick_for_long_is_believed_sooner(
    stint_s: float, rest_s: float
) -> None:
    habit = quick_habit()
    now = stint_s
    habit.took(2.0, now)
    for later, quick in ((rest_s - 0.1, False), (rest_s, True)):
        habit.took(QUICK_S, now + later)
        assert habit.quick is quick
    # However often it has been slow before.
    now += rest_s + 1e6
    habit.took(2.0, now)
    habit.took(QUICK_S, now + 200.0)
    assert habit.quick


@given(
    st.lists(
        st.tuples(st.floats(0.0, 300.0), st.floats(0.0, 5.0)),
        min_size=1,
        max_size=200,
    )
)
def test_at_most_a_hundredth_of_the_time_is_lost(runs: list[tuple[float, float]]) -> None:
    """Beside the run that is the latest: nobody can know of that."""
    habit = Habit("code", "name", Thresholds(QUICK_S), lambda *_: None)
    now = lost = 0.0
    latest = 0.0
    for pause, seconds in runs:
        now += pause + seconds
        if habit.quick and seconds > QUICK_S:
            lost += seconds
            latest = max(latest, seconds)
        habit.took(seconds, now)
    assert lost <= now / 100 + 2 * latest
