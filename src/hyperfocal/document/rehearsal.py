"""Whether the events of a client's patch fit the document, one after the other.

Threads share nothing here but constants. (Switching Bokeh's validation off would be seen by all.)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.document import Document
from bokeh.events import Event
from bokeh.model import Model

from hyperfocal.document.bounds import MOST_ROOTS, Budget, brief, is_short
from hyperfocal.document.columns import Shadow, is_data
from hyperfocal.errors import PatchError
from hyperfocal.telemetry import text_of

__all__ = ("CHECKS", "NO_SCRIPTS", "SCRIPTS", "Rehearsal", "check_value")

_log = logging.getLogger("hyperfocal.document")

#: Properties of any model that hold code for the browsers of all who see the document. Browsers
#: never set them; Python clients (``bokeh.client``) do.
SCRIPTS = ("js_property_callbacks", "js_event_callbacks")
NO_SCRIPTS = "this client may not set JavaScript callbacks (see --allow-push-doc)"


class Rehearsal:
    """Checks events one after the other, as if those before had been applied.

    Each check gives the event to apply, or ``None`` for one to ignore. Rows are streamed and
    patched on copies of the columns by Bokeh's own code, so that what passes here will pass there.

    Args:
        document: the document that they are for.
        may_script: the client may set JavaScript callbacks.
        budget: what is left of what the message may make.
    """

    def __init__(
        self, document: Document, *, may_script: bool = True, budget: Budget | None = None
    ) -> None:
        self._document = document
        self._may_script = may_script
        self._budget = budget if budget is not None else Budget()
        self._shadows: dict[Model, Shadow] = {}
        self._roots = len(document._roots)

    def check(self, event: Any) -> dict[str, Any] | None:
        """The event to apply, or ``None`` for one that is to be ignored.

        Raises:
            PatchError: it is not an event of the protocol.
            Exception: Bokeh would not take it.
        """
        if not isinstance(event, dict):
            raise PatchError("an event of the patch is not an object")
        kind = event.get("kind")
        check = CHECKS.get(kind) if isinstance(kind, str) else None
        if check is None:
            raise PatchError(f"unknown kind of event {brief(kind)}")
        return check(self, event)

    def scalar(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The same for an event that is known to set a property of a model to a scalar."""
        descriptor = self._property(event)
        if descriptor is None:
            return None
        _validate(event["model"], descriptor, event["new"])
        return event

    def _property(self, event: dict[str, Any]) -> PropertyDescriptor[Any] | None:
        """The property that an event sets; ``None`` where the server knows no such property."""
        model, attr = _model(event), event["attr"]
        if not isinstance(attr, str):
            raise PatchError("the attribute of an event is not a name")
        if attr not in model.properties():
            _log.debug("ignored unknown attribute %r of %r", attr, model)
            return None
        if attr in SCRIPTS and not self._may_script:
            raise PatchError(f"{attr}: {NO_SCRIPTS}")
        return model.lookup(attr)

    def _model_changed(self, event: dict[str, Any]) -> dict[str, Any] | None:
        kept = _only(event, "model", "attr", "new")
        if is_data(kept["model"], kept["attr"]):
            data = {**kept, "kind": "ColumnDataChanged", "data": kept["new"]}
            return self._column_data_changed(data)
        descriptor = self._property(kept)
        if descriptor is None:
            return None
        _validate(_model(kept), descriptor, kept["new"])
        return kept

    def _column_data_changed(self, event: dict[str, Any]) -> dict[str, Any] | None:
        kept = _only(event, "model", "attr", "data")
        descriptor = self._property(kept)
        if descriptor is None:
            return None
        model, data = _model(kept), _columns(kept, "data")
        _validate(model, descriptor, data)
        if is_data(model, kept["attr"]):
            _check_columns(kept, data)
        if event.get("cols") is not None:
            kept["cols"] = event["cols"]
            self._shadow(kept).update(data)
        elif is_data(model, kept["attr"]):
            self._shadows[model] = Shadow(data, self._budget)
        return kept

    def _columns_streamed(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "model", "attr", "data")
        kept["rollover"] = rollover = event.get("rollover")
        shadow, data = self._shadow(kept), _columns(kept, "data")
        if not isinstance(rollover, int | None) or isinstance(rollover, bool):
            raise PatchError("the rollover of a ColumnsStreamed event is not a whole number")
        if rollover is not None and rollover < 0:
            raise PatchError("the rollover of a ColumnsStreamed event is negative")
        _check_columns(kept, data)
        shadow.stream(data, rollover)
        return kept

    def _columns_patched(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "model", "attr", "patches")
        shadow, patches = self._shadow(kept), _columns(kept, "patches")
        for name, entries in patches.items():
            column: Any = _model(kept).data.get(name)  # type: ignore[attr-defined]
            if isinstance(column, np.ndarray) and not column.flags.writeable:
                raise PatchError(f"column {brief(name)} is read-only")
            for index, value in entries:
                _check_index(name, shadow.column(name), index, value)
        shadow.patch(patches)
        return kept

    def _shadow(self, event: dict[str, Any]) -> Shadow:
        model: Any = _model(event)
        if not is_data(model, event["attr"]):
            raise PatchError(f"a {event['kind']} event is not about the data of a ColumnDataSource")
        shadow = self._shadows.get(model)
        if shadow is None:
            shadow = self._shadows[model] = Shadow(model.data, self._budget)
        return shadow

    def _title_changed(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "title")
        if not isinstance(kept["title"], str):
            raise PatchError("the title of a document is not text")
        return kept

    def _root_added(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "model")
        if _model(kept).document not in (None, self._document):
            raise PatchError("a RootAdded event names a model of another document")
        self._roots += 1
        if self._roots > MOST_ROOTS:
            raise PatchError(f"a document may have no more than {MOST_ROOTS:,} roots")
        return kept

    def _root_removed(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "model")
        _model(kept)
        return kept

    def _message_sent(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "msg_type", "msg_data")
        if not isinstance(kept["msg_type"], str):
            raise PatchError("the type of a message is not a name")
        if kept["msg_type"] == "bokeh_event" and not isinstance(kept["msg_data"], Event):
            raise PatchError("a bokeh_event message carries no event")
        return kept


#: What checks an event, by its kind.
CHECKS: dict[str, Callable[[Rehearsal, dict[str, Any]], dict[str, Any] | None]] = {
    "ModelChanged": Rehearsal._model_changed,
    "ColumnDataChanged": Rehearsal._column_data_changed,
    "ColumnsStreamed": Rehearsal._columns_streamed,
    "ColumnsPatched": Rehearsal._columns_patched,
    "TitleChanged": Rehearsal._title_changed,
    "RootAdded": Rehearsal._root_added,
    "RootRemoved": Rehearsal._root_removed,
    "MessageSent": Rehearsal._message_sent,
}


def _only(event: dict[str, Any], *names: str) -> dict[str, Any]:
    missing = [name for name in names if name not in event]
    if missing:
        raise PatchError(f"a {event['kind']} event has no {missing[0]!r}")
    return {"kind": event["kind"], **{name: event[name] for name in names}}


def _model(event: dict[str, Any]) -> Model:
    model = event["model"]
    if not isinstance(model, Model):
        raise PatchError(f"the model of a {event['kind']} event is not a model")
    return model


def _validate(model: Model, descriptor: PropertyDescriptor[Any], value: Any) -> None:
    """Raise unless setting the property to this value would be accepted."""
    if descriptor.property.assertions:
        _check_assertions(model, descriptor, value)
    check_value(descriptor, value)


def check_value(descriptor: PropertyDescriptor[Any], value: Any) -> None:
    """Raise unless a property accepts a value.

    Raises:
        PatchError: it does not. The words are Bokeh's for short values: they repeat the value.
    """
    prop = descriptor.property
    try:
        prop.validate(value, is_short(value))
    except ValueError as error:
        if any(alternative.is_valid(value) for alternative, _ in prop.alternatives):
            return
        words = text_of(error) or f"expected {prop}, got {brief(value)}"
        raise PatchError(f"{descriptor.name}: {words}") from error


def _check_assertions(model: Model, descriptor: PropertyDescriptor[Any], value: Any) -> None:
    """Bokeh asks these after it has validated a value, when it is being set."""
    for holds, otherwise in descriptor.property.assertions:
        if isinstance(otherwise, str) and not holds(model, value):
            raise PatchError(f"{descriptor.name}: {otherwise}")


def _columns(event: dict[str, Any], name: str) -> dict[Any, Any]:
    columns = event[name]
    if not isinstance(columns, dict):
        raise PatchError(f"the {name} of a {event['kind']} event are not columns")
    return columns


def _check_columns(event: dict[str, Any], columns: dict[Any, Any]) -> None:
    for name, column in columns.items():
        if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
            raise PatchError(f"column {brief(name)} of a {event['kind']} event is no column")


def _check_index(name: Any, column: Any, index: Any, value: Any) -> None:
    """What Bokeh's ``patch`` lets pass, and lists and BokehJS take differently."""
    if isinstance(index, slice):
        parts = (index.start, index.stop, index.step)
        if not all(part is None or type(part) is int for part in parts):
            raise PatchError(f"a slice for column {brief(name)} is not of whole numbers")
        start, stop, step = index.indices(len(column))
        if any(part is not None and part < 0 for part in parts) or step < 1 or start > stop:
            raise PatchError(f"a slice for column {brief(name)} does not go forwards")
        if len(range(start, stop, step)) != len(value):
            raise PatchError(f"a slice for column {brief(name)} and its values differ in length")
    elif isinstance(index, int):
        if index >= len(column):
            raise PatchError(f"a ColumnsPatched event is outside of column {brief(name)}")
    elif not isinstance(index, list | tuple) or not all(
        isinstance(part, int | slice) for part in index
    ):
        raise PatchError(f"{brief(index)} is no place in column {brief(name)}")
