"""The changes of one turn, and what of them has to be said.

A turn is atomic: clients see the last value of each property, not the ones on the way. Data that
was streamed or patched is said piece by piece, unless the whole data is said anyway. Values are
read when the turn's changes are encoded, so they are what the document holds then; what was
streamed, patched or sent is copied when it happens, because applications reuse their arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
    DocumentChangedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    TitleChangedEvent,
)
from bokeh.model import Model

__all__ = (
    "Change",
    "Changes",
    "as_it_stands",
    "changes_of",
    "in_words",
    "keep_payload",
    "subject_of",
)


_ABOUT_A_PROPERTY = (
    ModelChangedEvent,
    ColumnDataChangedEvent,
    ColumnsStreamedEvent,
    ColumnsPatchedEvent,
)


#: Events that carry nothing that is said: what properties hold is read when it is said.
_WITHOUT_PAYLOAD = frozenset({ModelChangedEvent, ColumnDataChangedEvent})


class Change(NamedTuple):
    """One thing to say.

    Attributes:
        event: what happened last.
        setters: everybody who had a hand in it; ``None`` stands for the application.
        cols: for column data, the columns to say; ``None`` means all.
    """

    event: DocumentPatchedEvent
    setters: tuple[object, ...]
    cols: tuple[str, ...] | None = None

    def concerns(self, client: object | None) -> bool:
        """Whether ``client`` has to be told: somebody else had a hand in it."""
        if client is None:
            return True
        setters = self.setters
        if len(setters) == 1:
            return setters[0] is not client
        return any(setter is not client for setter in setters)


def subject_of(change: Change) -> object | None:
    """What a change is about, the same for all changes of one property; ``None``: nothing else."""
    event = change.event
    if isinstance(event, _ABOUT_A_PROPERTY):
        return event.model.id, event.attr
    return "title" if isinstance(event, TitleChangedEvent) else None


def in_words(event: DocumentChangedEvent) -> str:
    """What has changed, for logs and errors: ``Div.text``."""
    model: Any = getattr(event, "model", None)
    attr: Any = getattr(event, "attr", None)
    if model is not None and attr is not None:
        return f"{type(model).__name__}.{attr}"
    return "the document"


def as_it_stands(document: Document, change: Change) -> Change | None:
    """A change that says what a property holds now, whoever has set it.

    Returns:
        ``None`` when its model has left the document.
    """
    event = change.event
    if isinstance(event, TitleChangedEvent):
        return Change(TitleChangedEvent(document, document.title), (None,))
    if not isinstance(event, _ABOUT_A_PROPERTY):
        return None
    model, attr = event.model, event.attr
    if document.models.get_by_id(model.id) is not model:
        return None
    said: DocumentPatchedEvent
    if isinstance(event, ModelChangedEvent):
        said = ModelChangedEvent(document, model, attr, getattr(model, attr))
    else:
        said = ColumnDataChangedEvent(document, model, attr)
    return Change(said, (None,))


class Changes(list[DocumentPatchedEvent]):
    """Collects the events of a turn, in order."""

    __slots__ = ()

    def add(self, event: DocumentPatchedEvent) -> None:
        """Note an event; copies what the application may reuse."""
        if type(event) not in _WITHOUT_PAYLOAD:
            keep_payload(event)
        self.append(event)

    def take(self) -> list[DocumentPatchedEvent]:
        """The events, in order; nothing is left behind."""
        events = self.copy()
        self.clear()
        return events

    def drop(self, count: int) -> None:
        """Forget the first so many events: they have been said."""
        del self[:count]


def changes_of(events: list[DocumentPatchedEvent]) -> list[Change]:
    """What has to be said of these events, in order."""
    if len(events) == 1 or _all_different(events):
        return [Change(event, (event.setter,), _cols(event)) for event in events]
    return _coalesce(events)


def _all_different(events: list[DocumentPatchedEvent]) -> bool:
    """Whether each event is about another property, as a whole."""
    seen: set[tuple[Model, str]] = set()
    for event in events:
        if type(event) is ColumnDataChangedEvent:
            if event.cols is not None:
                return False
        elif type(event) is not ModelChangedEvent:
            return False
        seen.add((event.model, event.attr))
    return len(seen) == len(events)


def keep_payload(event: DocumentChangedEvent) -> None:
    """Copy what an event carries and the application may change before it is said."""
    if isinstance(event, ColumnsStreamedEvent):
        columns = getattr(event.model, event.attr)
        for name, column in event.data.items():
            # Bokeh takes an array that is streamed into an empty column for the column itself.
            if columns.get(name) is column:
                dict.__setitem__(columns, name, _copied(column))
        event.data = {name: _copied(column) for name, column in event.data.items()}
    elif isinstance(event, ColumnsPatchedEvent):
        event.patches = {
            name: [(index, _copied(value)) for index, value in patches]
            for name, patches in event.patches.items()
        }


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return list(value)
    if isinstance(value, str | bytes | int | float | tuple) or value is None:
        return value
    copy = getattr(value, "copy", None)
    return copy() if callable(copy) else value


def _cols(event: DocumentPatchedEvent) -> tuple[str, ...] | None:
    if type(event) is ModelChangedEvent:
        return None
    if isinstance(event, ColumnDataChangedEvent) and event.cols is not None:
        return tuple(event.cols)
    return None


def _replaces_all(event: DocumentPatchedEvent) -> bool:
    if isinstance(event, ColumnDataChangedEvent):
        return event.cols is None
    return isinstance(event, ModelChangedEvent)


def _whole_values(events: Iterable[DocumentPatchedEvent]) -> set[tuple[Model, str]]:
    """The (model, attribute) pairs whose whole value has to be said."""
    whole: set[tuple[Model, str]] = set()
    partly: set[tuple[Model, str]] = set()
    pieces: set[tuple[Model, str]] = set()
    for event in events:
        if isinstance(event, ModelChangedEvent | ColumnDataChangedEvent):
            (whole if _replaces_all(event) else partly).add((event.model, event.attr))
        elif isinstance(event, ColumnsStreamedEvent | ColumnsPatchedEvent):
            pieces.add((event.model, event.attr))
    # Columns replaced and rows streamed in one turn: final columns and pieces do not add up.
    return whole | (partly & pieces)


def _coalesce(events: list[DocumentPatchedEvent]) -> list[Change]:
    """Later values take the place of earlier ones; the order of the last changes stays."""
    whole = _whole_values(events)
    kept: list[tuple[DocumentPatchedEvent, object]] = []
    setters: dict[object, list[object]] = {}
    columns: dict[object, dict[str, None]] = {}
    for event in reversed(events):
        key: object
        if isinstance(event, TitleChangedEvent):
            key = "title"
        elif isinstance(event, ModelChangedEvent | ColumnDataChangedEvent) or (
            isinstance(event, ColumnsStreamedEvent | ColumnsPatchedEvent)
            and (event.model, event.attr) in whole
        ):
            key = (event.model, event.attr)
        else:
            key = event
        if key not in setters:
            setters[key] = []
            kept.append((event, key))
        setters[key].append(event.setter)
        for name in _cols(event) or ():
            columns.setdefault(key, {})[name] = None

    changes: list[Change] = []
    for event, key in reversed(kept):
        cols: tuple[str, ...] | None = None
        said = event
        if isinstance(key, tuple):
            if key in whole and isinstance(event, ColumnsStreamedEvent | ColumnsPatchedEvent):
                said = ColumnDataChangedEvent(event.document, event.model, event.attr)
            elif key not in whole:
                cols = tuple(reversed(columns[key]))
        changes.append(Change(said, tuple(setters[key]), cols))
    return changes
