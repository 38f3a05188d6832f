"""The stations of a session's life."""

from __future__ import annotations

from enum import Enum, auto

__all__ = ("Lifetime", "step")


class Lifetime(Enum):
    """Where a session stands."""

    #: The application is building the document; no client sees it yet.
    BUILDING = auto()
    #: Clients may come.
    LIVE = auto()
    #: No client comes any more; destruction hooks run and may still use the document.
    CLOSING = auto()
    #: Over. It never comes back to life; a later session of the same id is another object.
    DESTROYED = auto()


_STEPS: dict[Lifetime, frozenset[Lifetime]] = {
    Lifetime.BUILDING: frozenset({Lifetime.LIVE, Lifetime.CLOSING}),
    Lifetime.LIVE: frozenset({Lifetime.CLOSING}),
    Lifetime.CLOSING: frozenset({Lifetime.DESTROYED}),
    Lifetime.DESTROYED: frozenset(),
}


def step(now: Lifetime, to: Lifetime) -> Lifetime:
    """The next station.

    Raises:
        RuntimeError: there is no such way; a mistake of ours.
    """
    if to not in _STEPS[now]:
        raise RuntimeError(f"a session cannot go from {now.name} to {to.name}")
    return to
