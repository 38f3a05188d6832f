"""The page that lists the applications of a server."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hyperfocal.pages.templating import render

__all__ = ("IndexEntry", "index_page")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One application: where it is (a path or URL) and what it says of itself."""

    href: str
    title: str
    description: str

    @property
    def initial(self) -> str:
        """What stands on the tile."""
        return next((char for char in self.title if char.isalnum()), "·").upper()

    @property
    def hue(self) -> int:
        """The tile's colour, in degrees; the same at every visit."""
        return hashlib.sha256(self.href.encode()).digest()[0] * 360 // 256


def index_page(entries: Sequence[IndexEntry]) -> str:
    """The HTML of the index."""
    return render("index.html", entries=entries)
