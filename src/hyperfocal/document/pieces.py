"""Long lists, looked at piece by piece: other threads get to run only between calls into C."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hyperfocal.document.classes import SCALARS

__all__ = ("PIECE", "kinds_of", "only_scalars", "pieces_of")

#: Items that are looked at in one go: a millisecond.
PIECE = 50_000


def pieces_of(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """A list in pieces, between which other threads get to run."""
    if len(items) <= PIECE:
        yield items
        return
    for at in range(0, len(items), PIECE):
        yield items[at : at + PIECE]


def only_scalars(items: Sequence[Any]) -> bool:
    """Whether a list has nothing but scalars."""
    if len(items) <= PIECE:
        return SCALARS.issuperset(map(type, items))
    return all(SCALARS.issuperset(map(type, piece)) for piece in pieces_of(items))


def kinds_of(items: Sequence[Any]) -> set[type[Any]]:
    """The types of a list's items."""
    kinds: set[type[Any]] = set()
    for piece in pieces_of(items):
        kinds.update(map(type, piece))
    return kinds
