"""Model classes that a page has to be told of: the data models that applications define."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from bokeh.core.has_props import _default_resolver, is_DataModel

__all__ = ("known_data_models",)


class _Libraries:
    """How many of the classes that Bokeh knows, from the first on, are of no interest.

    Bokeh has some 900 classes of its own, which come first and stay. Looking at each of them
    for every page would take longer than encoding a small document.
    """

    def __init__(self) -> None:
        self._count = 0

    def count(self, known: Mapping[str, type[Any]]) -> int:
        """The number of classes at the beginning that are not to be looked at."""
        if self._count < len(known):
            for cls in islice(known.values(), self._count, None):
                if not _is_of_library(cls) or is_DataModel(cls):
                    break
                self._count += 1
        return self._count


def _is_of_library(cls: type[Any]) -> bool:
    """Whether it is defined at the top of a package's module, and so stays what it is."""
    return "." in cls.__module__ and "." not in cls.__qualname__


_libraries = _Libraries()


def known_data_models() -> list[type[Any]]:
    """The data models, in the order in which they were defined."""
    resolver: Any = _default_resolver
    known: dict[str, type[Any]] = resolver._known_models
    others = islice(reversed(known.values()), len(known) - _libraries.count(known))
    return [cls for cls in reversed(list(others)) if is_DataModel(cls)]
