"""Patches from clients: decoded whole and checked before anything of them is applied."""

from __future__ import annotations

import base64
import binascii
import logging
import traceback
import zlib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.core.property.descriptors import PropertyDescriptor, UnsetValueError
from bokeh.core.serialization import Buffer as BokehBuffer
from bokeh.core.serialization import Deserializer, UnknownReferenceError
from bokeh.document import Document
from bokeh.document.config import DocumentConfig
from bokeh.document.events import DocumentPatchedEvent
from bokeh.events import Event
from bokeh.model import Model
from bokeh.models import ColumnDataSource

from hyperfocal.errors import CallbackError, PatchError
from hyperfocal.wire import Buffer

__all__ = ("DecodedDocument", "DecodedPatch", "apply_patch", "decode_document", "decode_patch")

_log = logging.getLogger("hyperfocal.document")

#: What the inline bytes of one message may unpack to, so that a few bytes cannot fill the memory.
_MAX_INLINE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DecodedPatch:
    """Events that are known to fit the document.

    Attributes:
        events: the decoded events, in order.
        defined: models that the patch brought along; its sender knows them.
    """

    events: tuple[dict[str, Any], ...]
    defined: frozenset[Model] = frozenset()


class _References:
    """The models that a patch may refer to, looked up one by one.

    Bokeh's deserializer wants a dictionary; making one of all models costs more than most patches.
    """

    __slots__ = ("_document", "defined")

    def __init__(self, document: Document) -> None:
        self._document = document
        self.defined: dict[str, Model] = {}

    def get(self, model_id: str, default: Model | None = None) -> Model | None:
        model = self._document.models.get_by_id(model_id)  # type: ignore[arg-type]
        return model if model is not None else self.defined.get(model_id, default)

    def __contains__(self, model_id: str) -> bool:
        return self.get(model_id) is not None

    def __setitem__(self, model_id: str, model: Model) -> None:
        self.defined[model_id] = model


class _Decoder(Deserializer):
    def __init__(self, references: _References, setter: object) -> None:
        super().__init__(setter=setter)  # type: ignore[arg-type]
        self._references = references  # type: ignore[assignment]
        self._inline_left = _MAX_INLINE_BYTES

    def _decode_object_ref(self, obj: Any) -> Model:
        # BokehJS defines models again that the server has sent it; ours is the one that counts.
        known = self._references.get(obj["id"])
        if known is None:
            return super()._decode_object_ref(obj)
        if obj["name"] != known.__qualified_model__:
            self.error(f"model {known.id!r} is defined as a {obj['name']}, which it is not")
        return known

    def _decode_bytes(self, obj: Any) -> bytes | memoryview[int]:
        data = obj["data"]
        if not isinstance(data, str):
            return super()._decode_bytes(obj)
        try:
            stream = zlib.decompressobj(wbits=31)
            plain = stream.decompress(base64.b64decode(data, validate=True), self._inline_left + 1)
        except (binascii.Error, zlib.error) as error:
            raise ValueError("inline bytes are not base64 of gzip data") from error
        self._inline_left -= len(plain)
        if self._inline_left < 0 or not stream.eof:
            raise ValueError("inline bytes are too large or cut off")
        return plain


def decode_patch(
    document: Document,
    content: Mapping[str, Any],
    buffers: Iterable[Buffer],
    *,
    setter: object,
) -> DecodedPatch:
    """Decode the content of a PATCH-DOC against a document, without touching the document.

    A patch that refers to a model that has left the document is dropped as a whole: that is what
    remains of an edit that crossed a removal.

    Args:
        document: the document that it is for.
        content: ``{"events": [...]}``.
        buffers: the message's buffers.
        setter: the client; new models are told that it set their properties.

    Raises:
        PatchError: it does not decode or does not fit; nothing has changed.
    """
    raw = content.get("events")
    if not isinstance(raw, list):
        raise PatchError("the patch has no list of events")
    references = _References(document)
    decoder = _Decoder(references, setter)
    packed = [BokehBuffer(buffer.id, bytes(buffer.payload)) for buffer in buffers]  # type: ignore[arg-type]
    try:
        decoded: list[Any] = decoder.decode(raw, packed)
    except UnknownReferenceError as error:
        if document.models.seen(error.id):
            _log.debug("dropped a patch that refers to the removed model %s", error.id)
            return DecodedPatch(())
        raise PatchError(f"the patch refers to an unknown model, id {error.id!r}") from error
    except Exception as error:
        raise PatchError(f"the patch cannot be decoded: {error}") from error

    for model in references.defined.values():
        try:
            model.properties_with_values(include_defaults=False)
        except UnsetValueError as error:
            raise PatchError(f"a new model lacks a value: {error}") from error
    rehearsal = _Rehearsal(document)
    checked: list[dict[str, Any]] = []
    for event in decoded:
        try:
            kept = rehearsal.check(event)
        except PatchError:
            raise
        except Exception as error:
            raise PatchError(f"an event of the patch does not fit: {error}") from error
        if kept is not None:
            checked.append(kept)
    return DecodedPatch(tuple(checked), frozenset(references.defined.values()))


@dataclass(frozen=True, slots=True)
class DecodedDocument:
    """What a PUSH-DOC carries."""

    title: str
    config: DocumentConfig
    roots: list[Model]


def decode_document(
    content: Mapping[str, Any], buffers: Iterable[Buffer], *, setter: object
) -> DecodedDocument:
    """Decode the content of a PUSH-DOC, ``{"doc": ...}``.

    Raises:
        PatchError: it does not decode, or is not a document.
    """
    references = _References(Document())
    try:
        packed = [BokehBuffer(buffer.id, bytes(buffer.payload)) for buffer in buffers]  # type: ignore[arg-type]
        doc: dict[str, Any] = _Decoder(references, setter).decode(
            {**content["doc"], "defs": []}, packed
        )
        title, config, roots = doc["title"], doc["config"], doc["roots"]
        if not isinstance(title, str) or not isinstance(config, DocumentConfig):
            raise TypeError("the title or the configuration is of the wrong type")
        if not isinstance(roots, list) or not all(isinstance(root, Model) for root in roots):
            raise TypeError("the roots are not models")
        for model in references.defined.values():
            model.properties_with_values(include_defaults=False)
    except Exception as error:
        raise PatchError(f"the pushed document cannot be decoded: {error}") from error
    return DecodedDocument(title, config, roots)


def apply_patch(document: Document, patch: DecodedPatch, *, setter: object) -> CallbackError | None:
    """Apply a decoded patch; the application's callbacks run on the way.

    A callback that raises does not keep the rest of the patch from being applied: the client has
    made these changes already.

    Returns:
        The first failure of a callback, if there was one.
    """
    failure: CallbackError | None = None
    for event in patch.events:
        try:
            # Bokeh's handler takes the event apart, hence the copy.
            DocumentPatchedEvent.handle_event(document, _whole(event), setter)  # type: ignore[arg-type]
        except BaseException as error:  # CancelledError and KeyboardInterrupt, too, are its own
            if failure is None:
                failure = CallbackError(
                    f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
                )
                failure.__cause__ = error
    return failure


def _whole(event: dict[str, Any]) -> dict[str, Any]:
    """A copy of an event, with the columns that it does not name; Bokeh would drop those."""
    whole = dict(event)
    if whole["kind"] == "ColumnDataChanged" and whole.pop("cols", None) is not None:
        whole["data"] = {**getattr(whole["model"], whole["attr"]), **whole["data"]}
    return whole


class _Rehearsal:
    """Checks events one after the other, as if those before had been applied.

    Each check gives the event to apply, or ``None`` for one to ignore. Rows are streamed and
    patched on copies of the columns by Bokeh's own code, so that what passes here will pass there.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._sources: dict[ColumnDataSource, ColumnDataSource] = {}
        self._checks: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "ModelChanged": self._model_changed,
            "ColumnDataChanged": self._column_data_changed,
            "ColumnsStreamed": self._columns_streamed,
            "ColumnsPatched": self._columns_patched,
            "TitleChanged": self._title_changed,
            "RootAdded": self._root_added,
            "RootRemoved": self._root_removed,
            "MessageSent": self._message_sent,
        }

    def check(self, event: Any) -> dict[str, Any] | None:
        """The event to apply, or ``None`` for one that is to be ignored.

        Raises:
            PatchError: it is not an event of the protocol.
            Exception: Bokeh would not take it.
        """
        if not isinstance(event, dict):
            raise PatchError("an event of the patch is not an object")
        kind = event.get("kind")
        check = self._checks.get(kind) if isinstance(kind, str) else None
        if check is None:
            raise PatchError(f"unknown kind of event {kind!r}")
        return check(event)

    def _model_changed(self, event: dict[str, Any]) -> dict[str, Any] | None:
        kept = _only(event, "model", "attr", "new")
        descriptor = _property(kept)
        if descriptor is None:
            return None
        _validate(descriptor, kept["new"])
        self._note_data(kept, kept["new"])
        return kept

    def _column_data_changed(self, event: dict[str, Any]) -> dict[str, Any] | None:
        kept = _only(event, "model", "attr", "data")
        descriptor = _property(kept)
        if descriptor is None:
            return None
        data = _columns(kept, "data")
        if event.get("cols") is not None:
            kept["cols"] = event["cols"]
            model = _model(kept)
            now = self._sources.get(model, model)  # type: ignore[call-overload]
            data = {**getattr(now, descriptor.name), **data}
        _validate(descriptor, data)
        self._note_data(kept, data)
        return kept

    def _note_data(self, event: dict[str, Any], data: Any) -> None:
        model = _model(event)
        if isinstance(model, ColumnDataSource) and event["attr"] == "data":
            self._sources[model] = _copy_of(data)

    def _columns_streamed(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "model", "attr", "data")
        kept["rollover"] = rollover = event.get("rollover")
        source, data = self._copy(kept), _columns(kept, "data")
        if not isinstance(rollover, int | None) or isinstance(rollover, bool):
            raise PatchError("the rollover of a ColumnsStreamed event is not a whole number")
        if rollover is not None and rollover < 0:
            raise PatchError("the rollover of a ColumnsStreamed event is negative")
        for name, column in data.items():
            if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
                raise PatchError(f"column {name!r} of a ColumnsStreamed event is no column")
        source.stream(data, rollover)
        return kept

    def _columns_patched(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "model", "attr", "patches")
        source, patches = self._copy(kept), _columns(kept, "patches")
        model = _model(kept)
        for name, entries in patches.items():
            column: Any = getattr(model, "data", {}).get(name)
            if isinstance(column, np.ndarray) and not column.flags.writeable:
                raise PatchError(f"column {name!r} is read-only")
            for index, value in entries:
                _check_index(name, source.data.get(name, ()), index, value)
        source.patch(patches)
        return kept

    def _copy(self, event: dict[str, Any]) -> ColumnDataSource:
        model = _model(event)
        if not isinstance(model, ColumnDataSource) or event["attr"] != "data":
            raise PatchError(f"a {event['kind']} event is not about the data of a ColumnDataSource")
        if model not in self._sources:
            self._sources[model] = _copy_of(model.data)
        return self._sources[model]

    def _title_changed(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "title")
        if not isinstance(kept["title"], str):
            raise PatchError("the title of a document is not text")
        return kept

    def _root_added(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = _only(event, "model")
        if _model(kept).document not in (None, self._document):
            raise PatchError("a RootAdded event names a model of another document")
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


def _copy_of(data: Any) -> ColumnDataSource:
    """A source of its own, with copies of the columns, arrays in nested lists included."""
    return ColumnDataSource(data={name: deepcopy(column) for name, column in data.items()})


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


def _property(event: dict[str, Any]) -> PropertyDescriptor[Any] | None:
    """The property that an event sets; ``None`` where the server knows no such property."""
    model, attr = _model(event), event["attr"]
    if not isinstance(attr, str):
        raise PatchError("the attribute of an event is not a name")
    if attr not in model.properties():
        _log.debug("ignored unknown attribute %r of %r", attr, model)
        return None
    return model.lookup(attr)


def _validate(descriptor: PropertyDescriptor[Any], value: Any) -> None:
    """Raise unless setting the property to this value would be accepted."""
    prop = descriptor.property
    try:
        prop.validate(value)
    except ValueError as error:
        if not any(alternative.is_valid(value) for alternative, _ in prop.alternatives):
            raise PatchError(f"{descriptor.name}: {error}") from error


def _columns(event: dict[str, Any], name: str) -> dict[Any, Any]:
    columns = event[name]
    if not isinstance(columns, dict):
        raise PatchError(f"the {name} of a {event['kind']} event are not columns")
    return columns


def _check_index(name: str, column: Any, index: Any, value: Any) -> None:
    """What Bokeh's ``patch`` lets pass, and lists and BokehJS take differently."""
    if isinstance(index, slice):
        parts = (index.start, index.stop, index.step)
        if not all(part is None or type(part) is int for part in parts):
            raise PatchError(f"a slice for column {name!r} is not of whole numbers")
        start, stop, step = index.indices(len(column))
        if any(part is not None and part < 0 for part in parts) or step < 1 or start > stop:
            raise PatchError(f"a slice for column {name!r} does not go forwards")
        if len(range(start, stop, step)) != len(value):
            raise PatchError(f"a slice for column {name!r} and its values differ in length")
    elif isinstance(index, int) and index >= len(column):
        raise PatchError(f"a ColumnsPatched event is outside of column {name!r}")
