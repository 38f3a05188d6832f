"""The columns of data sources: what clients do to them, rehearsed and done.

It takes time that follows what is changed. Bokeh copies and checks all columns of a source for each
event; rows are streamed and cells are patched by its own code here as well, but to the columns that
an event names, and nobody is told but by us. Nor does Bokeh warn of columns that differ in length,
which would let clients fill the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy, deepcopy
from typing import Any

import numpy as np
from bokeh.core.property.wrappers import PropertyValueColumnData
from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
)
from bokeh.models import ColumnDataSource

from hyperfocal.document.bounds import Budget

__all__ = ("COLUMN_EVENTS", "Shadow", "is_data")


def is_data(model: object, attr: object) -> bool:
    """Whether a property is the data of a source."""
    return attr == "data" and isinstance(model, ColumnDataSource)


_Source: Any = ColumnDataSource  # its types leave out what it has for the server


class _Columns:
    """Columns, and Bokeh's own code to stream to and patch them, of which nobody hears."""

    __slots__ = ("data",)

    document = None
    patch: Any = _Source.patch
    stream: Any = _Source._stream

    def __init__(self, columns: Mapping[Any, Any]) -> None:
        self.data = PropertyValueColumnData(columns)


class Shadow:
    """What a source's data would be. Copies a column when it is first touched, and no other.

    A client that edits one cell of a table must not cost a copy of the table.

    Args:
        data: what the source holds, or is to hold.
        budget: of the message.
    """

    def __init__(self, data: Mapping[Any, Any], budget: Budget) -> None:
        self._data = data
        self._budget = budget
        self._given: dict[Any, Any] = {}  # columns that have come since
        self._deep: set[Any] = set()
        self._columns: dict[Any, Any] = {}  # copies
        self._was_streamed_to = False

    def column(self, name: Any) -> Any:
        """A column, to look at; an empty one where there is none."""
        for columns in (self._columns, self._given, self._data):
            if name in columns:
                return columns[name]
        return ()

    def update(self, columns: Mapping[Any, Any]) -> None:
        """Have these columns in the place of those of the same names."""
        self._given.update(columns)
        self._deep.difference_update(columns)
        for name in columns:
            self._columns.pop(name, None)

    def stream(self, data: dict[Any, Any], rollover: int | None) -> None:
        """Stream as Bokeh would.

        Raises:
            PatchError: it is done too many times to long columns.
            Exception: Bokeh would not take it.
        """
        if self._was_streamed_to:
            sizes = (_copied_size(column, rollover) for column in map(self.column, data))
            self._budget.add_copied(sum(sizes))
        self._was_streamed_to = True
        for name in (*self._data, *self._given):
            self._touch(name, deep=False)
        columns = _Columns(self._columns)
        columns.stream(data, rollover)
        for name, column in columns.data.items():
            # Bokeh takes an array that is streamed to an empty column for the column itself.
            self._columns[name] = copy(column) if column is data.get(name) else column

    def patch(self, patches: dict[Any, Any]) -> None:
        """Patch as Bokeh would.

        Raises:
            Exception: Bokeh would not take it.
        """
        for name, entries in patches.items():
            # An index of several parts reaches into a column's items.
            self._touch(name, deep=any(isinstance(index, list | tuple) for index, _ in entries))
        _Columns({n: self._columns[n] for n in patches if n in self._columns}).patch(patches)

    def _touch(self, name: Any, *, deep: bool) -> None:
        if name not in self._data and name not in self._given and name not in self._columns:
            return
        if deep and name not in self._deep:
            self._deep.add(name)
            self._columns[name] = deepcopy(self.column(name))
        elif name not in self._columns:
            self._columns[name] = copy(self.column(name))


def _copied_size(column: Any, rollover: int | None) -> int:
    """How many bytes are copied when rows are streamed to a column."""
    if isinstance(column, np.ndarray):
        return column.nbytes
    return 8 * len(column) if rollover is not None else 0


# --- the same, done -----------------------------------------------------------------------------


def _change_data(document: Document, event: dict[str, Any], setter: Any) -> bool:
    model, columns = event["model"], event["data"]
    if not is_data(model, event["attr"]):
        return False
    held = _held(model)
    if event.get("cols") is not None and held is not None:
        old = _old(model, held)
        dict.update(held, columns)
        told = ColumnDataChangedEvent(document, model, "data", cols=[*columns])
        model.trigger("data", old, held, told, setter)
        return True
    if event.get("cols") is not None:
        columns = {**model.data, **columns}
    descriptor = model.lookup("data")
    new = descriptor.property.wrap(descriptor.property.transform(columns))
    descriptor._set(model, descriptor._get(model), new, setter=setter)
    return True


def _stream(document: Document, event: dict[str, Any], setter: Any) -> bool:
    model, data, rollover = event["model"], event["data"], event["rollover"]
    held = _held(model)
    if not held:  # Bokeh makes the columns of an empty source first, and tells of that
        return False
    old = _old(model, held)
    columns = _Columns(held)
    columns.stream(data, rollover)
    dict.update(held, columns.data)
    told = ColumnsStreamedEvent(document, model, "data", data, rollover)
    model.trigger("data", old, held, told, setter)
    return True


def _patch(document: Document, event: dict[str, Any], setter: Any) -> bool:
    model, patches = event["model"], event["patches"]
    held = _held(model)
    if held is None:
        return False
    old = _old(model, held)
    _Columns({name: held[name] for name in patches if name in held}).patch(patches)
    told = ColumnsPatchedEvent(document, model, "data", patches)
    model.trigger("data", old, held, told, setter)
    return True


#: What carries out an event about columns, by its kind; False: it is an event for Bokeh.
COLUMN_EVENTS: dict[str, Callable[[Document, dict[str, Any], Any], bool]] = {
    "ColumnDataChanged": _change_data,
    "ColumnsStreamed": _stream,
    "ColumnsPatched": _patch,
}


def _held(model: Any) -> PropertyValueColumnData | None:
    """The columns of a source, if they are its own and changed in the usual way."""
    held = model._property_values.get("data")
    usual = type(model)._stream is _Source._stream
    usual = usual and type(model).patch is _Source.patch
    is_own = type(held) is PropertyValueColumnData and len(held._owners) == 1
    return held if usual and is_own else None


def _old(model: Any, held: PropertyValueColumnData) -> dict[Any, Any]:
    """The columns before they are changed in place, for callbacks, if there are any."""
    return dict(held) if model._callbacks.get("data") else held
