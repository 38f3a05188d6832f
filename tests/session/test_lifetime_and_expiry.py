from __future__ import annotations

import itertools

import pytest

from hyperfocal.session import ExpiryRules, Lifetime
from hyperfocal.session.lifetime import step

ALLOWED = {
    (Lifetime.BUILDING, Lifetime.LIVE),
    (Lifetime.BUILDING, Lifetime.CLOSING),
    (Lifetime.LIVE, Lifetime.CLOSING),
    (Lifetime.CLOSING, Lifetime.DESTROYED),
}


@pytest.mark.parametrize(("now", "to"), list(itertools.product(Lifetime, Lifetime)))
def test_only_the_steps_of_the_table_can_be_taken(now: Lifetime, to: Lifetime) -> None:
    if (now, to) in ALLOWED:
        assert step(now, to) is to
    else:
        with pytest.raises(RuntimeError):
            step(now, to)


@pytest.mark.parametrize(
    ("clients", "blocked", "requested", "lost_at", "due"),
    [
        (0, 0, False, None, 115.0),
        (0, 0, False, 100.0, 700.0),
        (0, 0, False, 40.0, 640.0),
        (0, 0, False, -600.0, 115.0),
        (0, 0, True, 100.0, 100.0),
        (1, 0, False, None, None),
        (1, 0, True, None, None),
        (0, 1, True, None, None),
        (2, 3, False, 100.0, None),
    ],
)
def test_when_a_session_is_due(
    clients: int, blocked: int, requested: bool, lost_at: float | None, due: float | None
) -> None:
    rules = ExpiryRules(unused_s=15, lost_s=600)
    assert due == rules.expires_at(
        clients=clients, blocked=blocked, requested=requested, lost_at=lost_at, idle_since=100.0
    )
