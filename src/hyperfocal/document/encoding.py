"""Documents and changes as the JSON that BokehJS reads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import orjson
from bokeh import __version__ as bokeh_version
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.core.property.wrappers import PropertyValueColumnData
from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
    ModelChangedEvent,
    RootAddedEvent,
    RootRemovedEvent,
)
from bokeh.model import Model

from hyperfocal.document.changes import Change
from hyperfocal.document.classes import plain_property
from hyperfocal.document.data_models import known_data_models
from hyperfocal.document.encoder import Encoder, as_binary, is_its_own_json
from hyperfocal.wire import Buffer, dump_json, json_string

__all__ = ("EncodedPatch", "encode_changes", "encode_document", "encode_plain")


class EncodedPatch(NamedTuple):
    """JSON text of a message's content and the buffers that it refers to."""

    content: str
    buffers: tuple[Buffer, ...] = ()


def encode_document(document: Document, *, inline: bool = False) -> EncodedPatch:
    """The whole document, as ``{"doc": ...}``.

    Unlike ``Document.to_json`` it leaves the document's notion of what clients know alone.

    Args:
        document: what to encode.
        inline: put arrays into the JSON. A client that comes back loses buffers (BokehJS 3.9).

    Raises:
        SerializationError: a value has no JSON form.
    """
    encoder = Encoder(inline=inline)
    data_models = known_data_models()
    # The order matters: what comes first is defined, what comes later refers to it.
    defs = encoder.encode(data_models)
    config = encoder.encode(document.config)
    roots = encoder.encode(document.roots)
    callbacks = encoder.encode(document.callbacks.js_event_callbacks)
    doc: dict[str, Any] = {
        "version": bokeh_version,
        "title": document.title,
        "config": config,
        "roots": roots,
    }
    if data_models:
        doc["defs"] = defs
    if document.callbacks.js_event_callbacks:
        doc["callbacks"] = callbacks
    return EncodedPatch(dump_json({"doc": doc}), encoder.payloads)


def encode_changes(
    document: Document,
    changes: Iterable[Change],
    *,
    fresh: Collection[Model],
    client: object | None = None,
    failed: Callable[[Change, Exception], None] | None = None,
) -> EncodedPatch | None:
    """The content of one PATCH-DOC for one audience, or ``None`` when there is nothing to say.

    Args:
        document: the document, in the state in which the changes left it.
        changes: what happened.
        fresh: models that this audience has not seen; they are defined where first met, with
            the values they have now, so changes of theirs need no saying.
        client: the audience is this client, which knows its own changes; ``None``: all others.
        failed: called with each change that has no JSON form, and why; the others are said.

    Raises:
        SerializationError: a value has no JSON form, and ``failed`` is not given.
    """
    told = list(changes)
    plain = _plain(document, told, fresh, client)
    if plain is not None:
        return EncodedPatch(dump_json({"events": plain})) if plain else None
    encoder = Encoder(document, fresh)
    said = _Said(encoder, failed)
    _say(document, told, fresh, client, said)
    if not said.events:
        return None
    try:
        content = dump_json({"events": [event for _, event in said.events]})
    except Exception:
        kept = said.without_undumpable(told)
        if len(kept) == len(told):
            raise
        return encode_changes(document, kept, fresh=fresh, client=client, failed=failed)
    return EncodedPatch(content, encoder.payloads)


class _Said:
    """The events of a message. One that cannot be encoded leaves nothing behind."""

    def __init__(
        self, encoder: Encoder, failed: Callable[[Change, Exception], None] | None
    ) -> None:
        self.encoder = encoder
        self._failed = failed
        self.events: list[tuple[Change, Any]] = []

    def add(self, change: Change, encode: Callable[[Encoder, Change], Any]) -> None:
        """Say a change, encoded in this way."""
        mark = self.encoder.mark()
        try:
            self.events.append((change, encode(self.encoder, change)))
        except Exception as error:
            if self._failed is None:
                raise
            self.encoder.forget_since(mark)
            self._failed(change, error)

    def without_undumpable(self, told: list[Change]) -> list[Change]:
        """The changes without those whose encoded form is no JSON."""
        if self._failed is None:
            return told
        failures: set[int] = set()
        for change, event in self.events:
            try:
                dump_json(event)
            except Exception as error:
                failures.add(id(change))
                self._failed(change, error)
        return [change for change in told if id(change) not in failures]


def _say(
    document: Document,
    told: list[Change],
    fresh: Collection[Model],
    client: object | None,
    said: _Said,
) -> None:
    unsaid: list[Change] = []
    interleaved = _interleaved(told, client)
    root_of_others = False
    for change in told:
        if not change.concerns(client):
            if root_of_others and isinstance(change.event, RootAddedEvent):
                # The client's own root comes after one that it does not have yet: put it there.
                said.add(change, _root_removed)
                said.add(change, _encode_change)
            continue
        root_of_others = root_of_others or isinstance(change.event, RootAddedEvent)
        if isinstance(change.event, _ABOUT_MODEL):
            model = change.event.model
            if document.models.get_by_id(model.id) is not model:
                continue  # it has left the document
            if model in fresh:
                unsaid.append(change)
                continue
            if isinstance(change.event, _PIECES) and model in interleaved:
                continue
        said.add(change, _encode_change)
    for change in interleaved.values():
        said.add(change, _whole_value)
    for change in unsaid:
        # Most fresh models have been defined above, as they are now. What remains is one that
        # some have seen and some have not: it joined under hold(), or its client moved it.
        if not said.encoder.defined(change.event.model):  # type: ignore[attr-defined]
            said.add(change, _whole_value)


def encode_plain(
    document: Document, events: Sequence[Any], client: object
) -> tuple[bytes, tuple[Buffer, ...]] | None:
    """What ``encode_changes`` makes of a turn's events for a client, in the plain case, at once.

    That is when each is about another property, plain ones that hold scalars or columns that are
    arrays, set by the application or by the client itself, and the document has no new models.

    Args:
        document: the document, in the state in which the events left it.
        events: all that has happened.
        client: the audience; it knows its own changes.

    Returns:
        The content of a PATCH-DOC, as JSON, and its buffers; ``b""`` when there is nothing to say.
        ``None``: this is not the plain case.
    """
    if document.models._new_models:
        return None
    models: dict[Any, Any] = document.models._models
    subjects: set[tuple[Model, str]] = set()
    told: list[dict[str, Any]] = []
    buffers: list[Buffer] = []
    for event in events:
        kind = type(event)
        if kind not in _PLAIN:
            return None
        model, attr, setter = event.model, event.attr, event.setter
        subjects.add((model, attr))
        model_id = model._id
        has_left = models.get(model_id) is not model
        if setter is client or has_left:
            continue
        value = model._property_values.get(attr, events)
        if setter is not None:
            return None
        if kind is ColumnDataChangedEvent:
            data = _columns(value, buffers) if event.cols is None else None
            if data is None:
                return None
            said = {"kind": event.kind, "model": {"id": model_id}, "attr": attr}
            told.append({**said, "data": data, "cols": None})
        elif is_its_own_json(value) and plain_property(type(model), attr) is not None:
            told.append(
                {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": value}
            )
        else:
            return None
    if len(subjects) != len(events):
        return None
    if not told:
        return b"", ()
    try:
        return orjson.dumps({"events": told}), tuple(buffers)
    except TypeError:  # half a surrogate pair
        return None


_PLAIN = frozenset({ModelChangedEvent, ColumnDataChangedEvent})


def _columns(data: Any, buffers: list[Buffer]) -> orjson.Fragment | None:
    """Columns that are arrays, as JSON; their bytes are added to the buffers."""
    if type(data) is not PropertyValueColumnData or not data:
        return None
    entries: list[bytes] = []
    for name, column in cast("dict[Any, Any]", data).items():
        if type(column) is not np.ndarray or not column.shape:
            return None
        binary = as_binary(column)
        if binary is None or type(name) is not str:
            return None
        array, dtype = binary
        buffer = Buffer(f"b{len(buffers)}", array.tobytes())
        buffers.append(buffer)
        shape = ",".join(map(str, array.shape))
        entries.append(
            _ARRAY % (json_string(name), buffer.id.encode(), shape.encode(), dtype.encode())
        )
    return orjson.Fragment(_COLUMNS % b",".join(entries))


_COLUMNS = b'{"type":"map","entries":[%b]}'
_ARRAY = (
    b'[%b,{"type":"ndarray","array":{"type":"bytes","data":{"id":"%b"}},'
    b'"shape":[%b],"dtype":"%b","order":"ORDER"}]'
).replace(b"ORDER", sys.byteorder.encode())


def _plain(
    document: Document,
    changes: Iterable[Change],
    fresh: Collection[Model],
    client: object | None,
) -> list[dict[str, Any]] | None:
    """The events, where all that is to be told are scalars of models that are known.

    Most turns change no more than that, and there is nothing in it to encode.
    """
    events: list[dict[str, Any]] = []
    models = document.models
    for change in changes:
        event = change.event
        if type(event) is not ModelChangedEvent:
            return None
        if not change.concerns(client):
            continue
        model, attr = event.model, event.attr
        if models.get_by_id(model.id) is not model:
            continue  # it has left the document
        if model in fresh:
            return None
        try:
            value = model.lookup(attr).get_value(model)
        except Exception:
            return None  # the general way says why
        if not is_its_own_json(value):
            return None
        events.append({"kind": "ModelChanged", "model": model.ref, "attr": attr, "new": value})
    return events


def _interleaved(changes: Iterable[Change], client: object | None) -> dict[Model, Change]:
    """Sources to which others have added pieces before the client's own last piece.

    The client has put its own pieces first; nothing short of the whole data gives it the order.
    """
    others: set[Model] = set()
    found: dict[Model, Change] = {}
    for change in changes:
        if isinstance(change.event, _PIECES):
            if change.concerns(client):
                others.add(change.event.model)
            elif change.event.model in others:
                found[change.event.model] = change
    return found


def _whole_value(encoder: Encoder, change: Change) -> Any:
    """A ModelChanged event with what the property holds, and the model's definition if need be."""
    event: Any = change.event
    return {
        "kind": "ModelChanged",
        "model": encoder.encode(event.model),
        "attr": event.attr,
        "new": encoder.encode(event.model.lookup(event.attr).get_value(event.model)),
    }


def _root_removed(encoder: Encoder, change: Change) -> Any:
    event: Any = change.event
    return RootRemovedEvent(event.document, event.model).to_serializable(encoder)


#: Pieces of a source's data.
_PIECES = (ColumnsStreamedEvent, ColumnsPatchedEvent)
#: Events about what a model holds, which its definition says too.
_ABOUT_MODEL = (
    ModelChangedEvent,
    ColumnDataChangedEvent,
    ColumnsStreamedEvent,
    ColumnsPatchedEvent,
)


def _encode_change(encoder: Encoder, change: Change) -> Any:
    event = change.event
    if isinstance(event, ModelChangedEvent):
        try:
            value = event.model.lookup(event.attr).get_value(event.model)
        except UnsetValueError:
            value = event.new
        return {
            "kind": event.kind,
            "model": event.model.ref,
            "attr": event.attr,
            "new": encoder.encode(value),
        }
    if isinstance(event, ColumnDataChangedEvent):
        data, cols = getattr(event.model, event.attr), change.cols
        if cols is not None:
            data = {col: column for col in cols if (column := data.get(col)) is not None}
        return {
            "kind": event.kind,
            "model": event.model.ref,
            "attr": event.attr,
            "data": encoder.encode(data),
            "cols": encoder.encode(cols),
        }
    return event.to_serializable(encoder)
