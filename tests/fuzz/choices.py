"""Decisions made from bytes, so that a fuzzer that changes bytes changes decisions.

Does what ``atheris.FuzzedDataProvider`` does, also where there is no atheris. When the bytes are
used up, every decision is the first one: whatever is being made comes to an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ("Choices",)

T = TypeVar("T")


class Choices:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are still to be used."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """Some of the bytes, fewer where there are no more."""
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        return found

    def rest(self) -> bytes:
        return self.take(self.left)

    def number(self, below: int) -> int:
        """A number from 0 to one less than this."""
        if below <= 1:
            return 0
        width = (below - 1).bit_length() + 7 >> 3
        return int.from_bytes(self.take(width), "big") % below

    def one(self, options: Sequence[T]) -> T:
        return options[self.number(len(options))]

    def flag(self) -> bool:
        return bool(self.number(2))

    def seldom(self, every: int = 8) -> bool:
        """True once in so many times, and never when the bytes are used up."""
        return self.number(every) == every - 1

    def count(self, most: int) -> int:
        """How many of something to make; none when the bytes are used up."""
        return min(self.number(most + 1), self.left)

    def text(self, most: int = 12) -> str:
        """Short text of all sorts: plain, long characters, controls, halves of surrogate pairs."""
        raw = self.take(self.number(most + 1))
        how = self.number(4)
        if how == 3:
            return raw.decode("utf-16-le", "surrogatepass") if len(raw) % 2 == 0 else "\ud800"
        return raw.decode("latin-1") if how == 2 else raw.decode("ascii", "replace")
