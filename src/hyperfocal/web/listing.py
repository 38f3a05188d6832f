"""Applications as a server has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperfocal.contexts import ApplicationContext

__all__ = ("Listing", "Served")


@dataclass(frozen=True, slots=True)
class Served:
    """An application and how the index shows it. ``url`` is "/" or "/name"."""

    url: str
    context: ApplicationContext
    title: str
    description: str
    thumbnail: Path | None = None

    @property
    def path(self) -> str:
        """The URL path without a slash at its end: "" or "/name"."""
        return self.url.rstrip("/")


@dataclass(frozen=True, slots=True)
class Listing:
    """An application to serve: where, and how the index shows it. ``url`` is "/" or "/name"."""

    url: str
    application: Any
    title: str
    description: str
    thumbnail: Path | None = None
    path: Path | None = None
