"""A small model of what BokehJS does with documents and patches, on plain values.

It keeps every model that it ever heard of, as BokehJS does for a while, so that a definition of
a known id updates that model's attributes and leaves the others alone.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from bokeh.core.serialization import Buffer as BokehBuffer
from bokeh.core.serialization import Serializer
from bokeh.document import Document
from bokeh.model import Model

from hyperfocal.document import (
    Changes,
    DecodedPatch,
    EncodedPatch,
    RecordingCallbackManager,
    apply_patch,
    changes_of,
    decode_patch,
    encode_changes,
    encode_document,
    mark_seen,
    new_document,
    unseen_models,
)
from hyperfocal.errors import CallbackError
from hyperfocal.wire import Buffer


class Ref(NamedTuple):
    """A reference to a model, among plain values."""

    id: str


class Slice(NamedTuple):
    start: Any
    stop: Any
    step: Any


@dataclass
class Twin:
    """A model as a client has it."""

    type: str
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])


class Replica:
    """A client's copy of a document."""

    def __init__(self) -> None:
        self.models: dict[str, Twin] = {}
        self.roots: list[str] = []
        self.title = ""
        #: Every event that came in a patch, as (kind, model id, attribute).
        self.heard: list[tuple[str, str | None, str | None]] = []

    @classmethod
    def of(cls, document: Document) -> Replica:
        """What a client has after it has pulled the document."""
        replica = cls()
        replica.load(encode_document(document))
        return replica

    def load(self, encoded: EncodedPatch) -> None:
        doc = json.loads(encoded.content)["doc"]
        decode = _Decoding(self, encoded.buffers)
        decode(doc["config"])
        self.roots = [root.id for root in decode(doc["roots"])]
        self.title = doc["title"]

    def apply(self, patch: EncodedPatch | None) -> None:
        if patch is not None:
            self.apply_content(json.loads(patch.content), patch.buffers)

    def apply_content(self, content: Mapping[str, Any], buffers: Iterable[Buffer] = ()) -> None:
        """Decode the whole patch, then carry out its events."""
        decoded = _Decoding(self, buffers)(content["events"])
        for event in decoded:
            model = event.get("model")
            model_id = model.id if isinstance(model, Ref) else None
            self.heard.append((event["kind"], model_id, event.get("attr")))
            getattr(self, f"_{event['kind']}")(event)

    def _of(self, event: dict[str, Any]) -> dict[str, Any]:
        return self.models[event["model"].id].attributes

    def _ModelChanged(self, event: dict[str, Any]) -> None:
        self._of(event)[event["attr"]] = event["new"]

    def _ColumnDataChanged(self, event: dict[str, Any]) -> None:
        data = event["data"]
        if event["cols"] is not None:
            data = {**self._of(event)[event["attr"]], **data}
        self._of(event)[event["attr"]] = data

    def _ColumnsStreamed(self, event: dict[str, Any]) -> None:
        data = dict(self._of(event)[event["attr"]])
        rollover = event["rollover"]
        for name, column in event["data"].items():
            joined = [*data.get(name, []), *column]
            if rollover is not None and len(joined) > rollover:
                joined = joined[len(joined) - rollover :]
            data[name] = joined
        self._of(event)[event["attr"]] = data

    def _ColumnsPatched(self, event: dict[str, Any]) -> None:
        data = dict(self._of(event)[event["attr"]])
        for name, entries in event["patches"].items():
            column = list(data[name])
            for index, value in entries:
                if isinstance(index, Slice):
                    for at, new in zip(
                        range(*slice(*index).indices(len(column))), value, strict=True
                    ):
                        column[at] = new
                else:
                    assert 0 <= index < len(column), "BokehJS would make a hole"
                    column[index] = value
            data[name] = column
        self._of(event)[event["attr"]] = data

    def _RootAdded(self, event: dict[str, Any]) -> None:
        if event["model"].id not in self.roots:
            self.roots.append(event["model"].id)

    def _RootRemoved(self, event: dict[str, Any]) -> None:
        if event["model"].id in self.roots:
            self.roots.remove(event["model"].id)

    def _TitleChanged(self, event: dict[str, Any]) -> None:
        self.title = event["title"]

    def _MessageSent(self, event: dict[str, Any]) -> None:
        pass

    # --- looking at it ----------------------------------------------------------------------

    def reachable(self) -> dict[str, Twin]:
        """The models that the roots lead to, with attributes that equal the default left out."""
        found: dict[str, Twin] = {}
        waiting = list(self.roots)
        while waiting:
            model_id = waiting.pop()
            if model_id in found:
                continue
            twin = self.models[model_id]
            defaults = _defaults(twin.type)
            attributes = {
                name: value
                for name, value in twin.attributes.items()
                if name not in defaults or defaults[name] != value
            }
            found[model_id] = Twin(twin.type, attributes)
            waiting.extend(_refs(twin.attributes))
        return found

    def state(self) -> dict[str, Any]:
        """All that a person could see of it, for comparison."""
        return {"title": self.title, "roots": self.roots, "models": self.reachable()}


def _refs(value: Any) -> list[str]:
    if isinstance(value, Ref):
        return [value.id]
    if isinstance(value, Mapping):
        return [found for item in value.items() for found in _refs(item)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in _refs(item)]
    return []


_known_defaults: dict[str, dict[str, Any]] = {}


def _defaults(name: str) -> dict[str, Any]:
    """What attributes are that nobody has set; those that are models are always said."""
    if name not in _known_defaults:
        cls = Model.model_class_reverse_map[name]
        values: dict[str, Any] = {}
        for descriptor in cls.descriptors():
            try:
                default = descriptor.class_default(cls)
                if not isinstance(default, Model):
                    values[descriptor.name] = plain(default)
            except Exception:
                continue  # not set, or without a JSON form
        _known_defaults[name] = values
    return _known_defaults[name]


def plain(value: Any) -> Any:
    """A value as a client would have it."""
    serializer = Serializer()
    encoded = serializer.encode(value)
    buffers = [Buffer(buffer.id, bytes(buffer.data)) for buffer in serializer.buffers]
    return _Decoding(Replica(), buffers)(encoded)


class _Decoding:
    """Decodes one message against a replica, definitions included."""

    def __init__(self, replica: Replica, buffers: Iterable[Buffer]) -> None:
        self._models = replica.models
        self._buffers = {buffer.id: bytes(buffer.payload) for buffer in buffers}

    def __call__(self, rep: Any) -> Any:
        if isinstance(rep, list | tuple):
            return [self(item) for item in rep]
        if not isinstance(rep, dict):
            return rep
        kind = rep.get("type")
        if kind is None and set(rep) == {"id"}:
            assert rep["id"] in self._models, f"reference {rep['id']} isn't known"
            return Ref(rep["id"])
        if not isinstance(kind, str):
            return {key: self(item) for key, item in rep.items()}
        match kind:
            case "object" if "id" in rep:
                return self._define(rep)
            case "map":
                return {_key(self(key)): self(item) for key, item in rep.get("entries", [])}
            case "set":
                return {self(item) for item in rep.get("entries", [])}
            case "number":
                return rep["value"]
            case "bytes":
                return self._bytes(rep["data"])
            case "slice":
                return Slice(self(rep["start"]), self(rep["stop"]), self(rep["step"]))
            case "ndarray":
                array = self(rep["array"])
                if isinstance(array, bytes):
                    array = np.frombuffer(array, dtype=rep["dtype"]).reshape(rep["shape"]).tolist()
                return array
            case _:
                return {key: self(item) for key, item in rep.items()}

    def _bytes(self, data: Any) -> bytes:
        if isinstance(data, BokehBuffer):
            return bytes(data.data)
        if isinstance(data, str):
            return gzip.decompress(base64.b64decode(data, validate=True))
        return self._buffers[data["id"]]

    def _define(self, rep: dict[str, Any]) -> Ref:
        twin = self._models.get(rep["id"])
        if twin is None:
            twin = self._models[rep["id"]] = Twin(rep["name"])
        assert twin.type == rep["name"], f"type mismatch for an existing reference {rep['id']}"
        twin.attributes.update(self(rep.get("attributes", {})))
        return Ref(rep["id"])


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Recorder:
    """A sink that collects changes and says yes, unless told otherwise."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.added: list[Any] = []
        self.removed: list[Any] = []
        self.allowed = True

    def may_change(self) -> bool:
        return self.allowed

    def has_turn(self) -> bool:
        return self.allowed

    def changed(self, event: Any) -> None:
        self.changes.add(event)

    def record(self, event: Any) -> bool:
        if self.allowed:
            self.changed(event)
        return self.allowed

    def await_later(self, awaitable: Any) -> bool:
        return False

    def callback_added(self, callback: Any) -> None:
        self.added.append(callback)

    def callback_removed(self, callback: Any) -> None:
        self.removed.append(callback)


class Desk:
    """A document, its recorder, and what a session does at the end of a turn."""

    def __init__(self, *roots: Model) -> None:
        self.document = new_document()
        self.recorder = Recorder()
        manager(self.document).attach(self.recorder)
        for root in roots:
            self.document.add_root(root)
        self.end_building()

    def end_building(self) -> None:
        self.recorder.changes.take()
        mark_seen(self.document)

    def end_turn(
        self,
        originator: object | None = None,
        patch: DecodedPatch | None = None,
    ) -> tuple[EncodedPatch | None, EncodedPatch | None]:
        """Encode what happened for the originator and for everybody else."""
        changes = changes_of(self.recorder.changes.take())
        fresh = unseen_models(self.document)
        mine = None
        if originator is not None:
            known = patch.defined if patch is not None else frozenset[Model]()
            mine = encode_changes(self.document, changes, fresh=fresh - known, client=originator)
        others = encode_changes(self.document, changes, fresh=fresh)
        mark_seen(self.document)
        return mine, others

    def end_turn_events(self) -> list[dict[str, Any]]:
        """The events that everybody hears, as JSON."""
        return events_of(self.end_turn()[1])

    def receive(
        self, client: object, content: Mapping[str, Any], buffers: Iterable[Buffer] = ()
    ) -> tuple[EncodedPatch | None, EncodedPatch | None, CallbackError | None]:
        """One patch of a client, in a turn of its own."""
        patch = decode_patch(self.document, content, buffers, setter=client)
        failure = apply_patch(self.document, patch, setter=client)
        return (*self.end_turn(client, patch), failure)


def manager(document: Document) -> RecordingCallbackManager:
    callbacks = document.callbacks
    assert isinstance(callbacks, RecordingCallbackManager)
    return callbacks


def events_of(patch: EncodedPatch | None) -> list[dict[str, Any]]:
    """The events of a patch as they stand in its JSON."""
    if patch is None:
        return []
    events: list[dict[str, Any]] = json.loads(patch.content)["events"]
    return events
