"""How long to wait before a process is started again."""

from __future__ import annotations

from hyperfocal.cluster.backoff import Backoff


def test_an_accident_costs_no_time_and_a_row_of_them_more_and_more() -> None:
    backoff = Backoff()
    assert [backoff.died(0.1) for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.deaths == 9


def test_one_that_has_lived_for_a_while_begins_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.died(0.1)
    assert backoff.died(3600.0) == 0
    assert backoff.deaths == 1
    assert backoff.died(0.1) == 0.5
