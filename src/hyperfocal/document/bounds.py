"""What one message of a client may make: models, bytes, levels within each other.

A message of a few kilobytes may ask for gigabytes, or for what nobody can be told of any more.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from bokeh.document import Document
from bokeh.model import Model
from bokeh.util.dataclasses import entries, is_dataclass

from hyperfocal.document.classes import SCALARS
from hyperfocal.document.pieces import only_scalars
from hyperfocal.errors import PatchError

__all__ = (
    "Budget",
    "brief",
    "check_levels",
    "check_nesting",
    "is_short",
)

#: Models that a patch may bring along, with those that they have by default. A document that is
#: pushed may have more.
MOST_MODELS = 5_000
#: Roots that a document may have after a client has added some.
MOST_ROOTS = 10_000
#: What inline bytes may unpack to, with the buffers to which a message refers more than once.
MOST_BYTES = 64 * 1024 * 1024
#: Bytes of columns that may be copied because rows are streamed to them again and again.
MOST_COPIED = 256 * 1024 * 1024
#: Lists, dictionaries and models in each other. What is deeper may be too deep for the encoder,
#: and would keep everybody from the document.
MOST_LEVELS = 200

#: Items of a value that can be written out.
_SHORT = 100
_CONTAINERS = frozenset({list, dict})


class Budget:
    """What is left of what one message may make. All of it is refused once something is used up.

    Args:
        models: how many models it may bring along; ``None``: any number.
    """

    __slots__ = ("_bytes", "_copied", "_models", "_most_models", "_seen")

    def __init__(self, models: int | None = MOST_MODELS) -> None:
        self._most_models = models
        self._models = 0
        self._bytes = MOST_BYTES
        self._copied = MOST_COPIED
        self._seen: set[object] = set()

    @property
    def bytes_left(self) -> int:
        """How many bytes may still be unpacked."""
        return self._bytes

    def add_models(self, count: int) -> None:
        """So many models have been made.

        Raises:
            PatchError: that is too many.
        """
        self._models += count
        if self._most_models is not None and self._models > self._most_models:
            raise PatchError(
                f"it brings more than {self._most_models:,} models; send them in several messages"
            )

    def add_bytes(self, size: int) -> None:
        """So many bytes have been made that the message does not have.

        Raises:
            PatchError: that is too much.
        """
        self._bytes -= size
        if self._bytes < 0:
            raise PatchError(
                f"its data comes to more than {MOST_BYTES:,} bytes when it is unpacked; send it "
                "in several messages"
            )

    def add_buffer(self, buffer_id: object, size: int) -> None:
        """A buffer was referred to; the first time it is only what the message has.

        Raises:
            PatchError: it is referred to too often.
        """
        if buffer_id in self._seen:
            self.add_bytes(size)
        self._seen.add(buffer_id)

    def add_copied(self, size: int) -> None:
        """So many bytes of columns are copied for one event, not being the first of a source.

        Raises:
            PatchError: that is too much.
        """
        self._copied -= size
        if self._copied < 0:
            raise PatchError(
                "it streams to long columns too many times; stream all rows in one event"
            )


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 200


def brief(value: object) -> str:
    """``repr(value)`` within bounds: that of a list of millions takes seconds."""
    return _repr.repr(value)


def is_short(value: Any) -> bool:
    """Whether a value can be written out: a hundred items at the most."""
    waiting, count = [value], 0
    while waiting:
        item = waiting.pop()
        count += len(item) // 50 if isinstance(item, str | bytes) else 1
        if isinstance(item, list | tuple | set | frozenset | dict):
            held: Any = cast(Any, item)
            count += len(held)
            if count <= _SHORT:
                waiting += [*held.values(), *held.keys()] if isinstance(item, dict) else held
        elif isinstance(item, np.ndarray):
            count += item.size
        if count > _SHORT:
            return False
    return True


def check_levels(raw: Any) -> None:
    """Raise unless the nesting of JSON is something that can be encoded again.

    Raises:
        ValueError: it is not.
    """
    level: list[Any] = [raw]
    for _ in range(MOST_LEVELS):
        level = [item for outer in level for item in _containers_in(outer)]
        if not level:
            return
    raise ValueError(f"it is nested in more than {MOST_LEVELS} levels")


def _containers_in(value: Any) -> Iterable[Any]:
    if type(value) is dict:
        return [item for item in value.values() if type(item) in _CONTAINERS]
    if only_scalars(value):
        return ()
    return [item for item in value if type(item) in _CONTAINERS]


def check_nesting(document: Document, events: Iterable[Mapping[str, Any]]) -> None:
    """Raise unless new models can be encoded where they are first met, one within the other.

    What is known to a document is only referred to. Models whose references lead in a circle count
    as far as the circle has been followed when it closes.

    Args:
        document: the document that events are for, before they have been applied.
        events: decoded and rehearsed.

    Raises:
        PatchError: new models refer to new models that refer to new models, and so on, too deep.
    """
    known = document.models
    given: dict[Model, list[Any]] = {}
    begins: list[Any] = []
    for event in events:
        model = event.get("model")
        values = [event[name] for name in ("new", "data", "patches") if name in event]
        if isinstance(model, Model) and known.get_by_id(model.id) is not model:
            begins.append(model)
            given.setdefault(model, []).extend(values)
        else:
            begins += values
    heights: dict[Model, int] = {}

    def height_of(value: Any) -> int:
        """With the heights of all new models in it known."""
        models, deepest = _models_in(value)
        return max([deepest, *(at + heights.get(model, 0) for model, at in models)])

    def below(model: Model) -> list[Any]:
        values = [*model._property_values.values(), *model._unstable_default_values.values()]
        return values + given.get(model, [])

    for begin in begins:
        path: list[tuple[Model, Iterator[Model]]] = []
        waiting = iter([model for model, _ in _models_in(begin)[0]])
        while True:
            model = next(waiting, None)
            if model is not None:
                if model in heights or known.get_by_id(model.id) is model:
                    continue
                heights[model] = 0  # what leads back to it adds nothing
                path.append((model, waiting))
                found = [one for value in below(model) for one, _ in _models_in(value)[0]]
                waiting = iter(found)
            elif path:
                model, waiting = path.pop()
                heights[model] = 2 + max(map(height_of, below(model)), default=0)
                if heights[model] > MOST_LEVELS:
                    raise PatchError(
                        f"new models refer to each other in more than {MOST_LEVELS} levels"
                    )
            else:
                break


def _models_in(value: Any) -> tuple[list[tuple[Model, int]], int]:
    """The models that a value holds, each with the number of containers around it; its levels."""
    found: list[tuple[Model, int]] = []
    waiting: list[tuple[Any, int]] = [(value, 0)]
    deepest = 0
    while waiting:
        outer, level = waiting.pop()
        deepest = max(deepest, level)
        if isinstance(outer, Model):
            found.append((outer, level))
        elif type(outer) not in SCALARS:
            waiting += [(item, level + 1) for item in _items_of(outer)]
    return found, deepest


def _items_of(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple):
        return () if only_scalars(value) else value
    if isinstance(value, set | frozenset):
        return value
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else ()
    return [item for _, item in entries(value)] if is_dataclass(value) else ()
