"""Model classes that a page has to be told of: the data models that applications define.

Threads share Bokeh's list of classes, to which scripts add and from which ``forget_models`` takes,
without a lock: a reader whose view of it has changed meanwhile looks again. They share the count of
uninteresting classes, too, which one thread at a time works out under a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, takewhile
from threading import Lock
from typing import Any, TypeVar

from bokeh.core.has_props import _default_resolver, is_DataModel

__all__ = ("forget_models", "known_data_models")


class _Libraries:
    """How many of the classes that Bokeh knows, from the first on, are of no interest.

    Bokeh has some 900 classes of its own, which come first and stay. Looking at each of them
    for every page would take longer than encoding a small document.
    """

    def __init__(self) -> None:
        self._counting = Lock()
        self._count = 0

    def count(self, known: dict[str, type[Any]]) -> int:
        """The number of classes at the beginning that are not to be looked at."""
        if self._count < len(known):
            with self._counting:
                # The first ones stay what they are, so they cannot be another class's place.
                more = _unless_changed(lambda: list(islice(known.values(), self._count, None)))
                self._count += sum(1 for _ in takewhile(_is_of_no_interest, more))
        return self._count


def _is_of_no_interest(cls: type[Any]) -> bool:
    """Whether it is at the top of a package's module, and so stays, and no data model."""
    return "." in cls.__module__ and "." not in cls.__qualname__ and not is_DataModel(cls)


_T = TypeVar("_T")


def _unless_changed(look: Callable[[], _T]) -> _T:
    """What is seen, once nobody has added or removed classes while it was looked at."""
    while True:
        try:
            return look()
        except RuntimeError:  # Python's word for a dictionary that has changed
            continue


_libraries = _Libraries()


def known_data_models() -> list[type[Any]]:
    """The data models, in the order in which they were defined."""
    resolver: Any = _default_resolver
    known: dict[str, type[Any]] = resolver._known_models
    uninteresting = _libraries.count(known)
    others = _unless_changed(lambda: _after(known, uninteresting))
    return [cls for cls in others if is_DataModel(cls)]


def _after(known: dict[str, type[Any]], count: int) -> list[type[Any]]:
    """All but the first so many classes.

    Raises:
        RuntimeError: somebody has changed the dictionary meanwhile.
    """
    size = len(known)
    last = list(islice(reversed(known.values()), size - count))
    if len(known) != size:
        raise RuntimeError("classes were added or removed")
    return last[::-1]


def forget_models(modules: set[str]) -> None:
    """Take the model classes of these modules off Bokeh's list.

    A script that defines models (a DataModel, say) adds to the list in every session. The classes
    keep their module's globals alive, and every later page imports the module of each of them.
    """
    resolver: Any = _default_resolver
    known: dict[str, type[Any]] = resolver._known_models
    for name in _unless_changed(lambda: _defined_in(known, modules)):
        known.pop(name, None)


def _defined_in(known: dict[str, type[Any]], modules: set[str]) -> list[str]:
    found: list[str] = []
    for name, cls in reversed(known.items()):  # in order of definition; Bokeh's were loaded first
        if cls.__module__.startswith("bokeh.models."):
            break
        if cls.__module__ in modules:
            found.append(name)
    return found
