"""Patches from clients: decoded whole and checked before anything of them is applied."""

from __future__ import annotations

import base64
import binascii
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.core.serialization import Buffer as BokehBuffer
from bokeh.core.serialization import Deserializer, UnknownReferenceError
from bokeh.document import Document
from bokeh.document.config import DocumentConfig
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

from hyperfocal.document.bounds import Budget, brief, check_levels, check_nesting
from hyperfocal.document.classes import SCALARS, plain_property
from hyperfocal.document.columns import COLUMN_EVENTS
from hyperfocal.document.models import MOST_WALKS, DocumentModels, patched
from hyperfocal.document.pieces import PIECE, only_scalars, pieces_of
from hyperfocal.document.plans import plan_of
from hyperfocal.document.rehearsal import NO_SCRIPTS, SCRIPTS, Rehearsal, check_value
from hyperfocal.errors import CallbackError, PatchError
from hyperfocal.telemetry import text_of, traceback_of, worded
from hyperfocal.wire import Buffer

__all__ = (
    "DecodedDocument",
    "DecodedPatch",
    "apply_patch",
    "callback_error",
    "decode_document",
    "decode_patch",
)

_log = logging.getLogger("hyperfocal.document")

#: Types of the items of arrays: those of BokehJS and what else has one size.
_DTYPES = (
    *("bool", "object", "float32", "float64"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)


@dataclass(slots=True)
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

    def check_values(self) -> None:
        """Raise unless the models that the patch brings have all values that they must have.

        Raises:
            PatchError: one has not; it would make the document impossible to encode.
        """
        for model in self.defined.values():
            plan = plan_of(type(model))
            try:
                if plan is None:
                    model.properties_with_values(include_defaults=False)
                else:
                    plan.shape(model)
            except UnsetValueError as error:
                raise PatchError(f"a new model lacks a value: {text_of(error)}") from error

    def check_scripts(self) -> None:
        """Raise unless the models that the patch brings are without JavaScript callbacks.

        Raises:
            PatchError: one has some.
        """
        for model in self.defined.values():
            for name in SCRIPTS:
                if getattr(model, name):
                    raise PatchError(f"{name} of a new model: {NO_SCRIPTS}")


def _packed(buffers: Iterable[Buffer]) -> list[BokehBuffer]:
    return [BokehBuffer(buffer.id, bytes(buffer.payload)) for buffer in buffers]  # type: ignore[arg-type]


class _Decoder(Deserializer):
    def __init__(self, references: _References, setter: object, budget: Budget) -> None:
        super().__init__(setter=setter)  # type: ignore[arg-type]
        self._references = references  # type: ignore[assignment]
        self._budget = budget

    def _decode(self, obj: Any) -> Any:
        if type(obj) is list:
            return obj[:] if only_scalars(obj) else [self._decode(item) for item in obj]
        return super()._decode(obj) if type(obj) is dict else obj

    def _decode_object_ref(self, obj: Any) -> Model:
        # BokehJS defines models again that the server has sent it; ours is the one that counts.
        model_id: Any = obj["id"]
        if not isinstance(model_id, str):
            self.error("the id of a model is not text")
        known = self._references.get(cast(Any, model_id))
        if known is None:
            return self._new_model(self._without_unknown(obj))
        if obj["name"] != known.__qualified_model__:
            self.error(f"model {known.id!r} is defined as {brief(obj['name'])}, which it is not")
        return known

    def _new_model(self, obj: Any) -> Model:
        attributes: dict[str, Any] = obj.get("attributes") or {}
        model = super()._decode_object_ref({**obj, "attributes": None})  # type: ignore[typeddict-item]
        made = model._unstable_default_values.values()
        self._budget.add_models(1 + sum(isinstance(value, Model) for value in made))
        values = {name: self._decode(value) for name, value in attributes.items()}
        for name, value in values.items():
            check_value(model.lookup(name), value)
            _set(model, name, value, self._setter)
        return model

    def _without_unknown(self, obj: Any) -> Any:
        """A definition without the attributes that the server does not know.

        Bokeh would log each of them as a warning: a client could fill a disk with that.
        """
        attributes = obj.get("attributes")
        if not isinstance(attributes, dict):
            return obj
        known = self._resolve_type(obj["name"]).properties()
        unknown = attributes.keys() - known
        if not unknown:
            return obj
        _log.debug("ignored unknown attributes %r of a %s", unknown, obj["name"])
        kept: dict[str, Any] = {}
        for name, value in attributes.items():
            if name in known:
                kept[name] = value
            else:
                self._decode(value)  # it may define models that others refer to
        return {**obj, "attributes": kept}

    def _decode_ndarray(self, obj: Any) -> Any:
        # NumPy understands types of any size: "S2000000000" makes gigabytes of a few numbers.
        if obj["dtype"] not in _DTYPES:
            self.error(f"arrays of type {brief(obj['dtype'])} are not known")
        items = obj["array"]
        if type(items) is list and len(items) > PIECE and only_scalars(items):
            pieces = [np.array(piece, dtype=obj["dtype"]) for piece in pieces_of(items)]
            obj = {**obj, "array": np.concatenate(pieces)}
        return super()._decode_ndarray(obj)

    def _decode_bytes(self, obj: Any) -> bytes | memoryview[int]:
        data = obj["data"]
        budget = self._budget
        if not isinstance(data, str):
            payload = super()._decode_bytes(obj)
            budget.add_buffer(data["id"], len(payload))
            return payload
        try:
            stream = zlib.decompressobj(wbits=31)
            plain = stream.decompress(base64.b64decode(data, validate=True), budget.bytes_left + 1)
        except (binascii.Error, zlib.error) as error:
            raise ValueError("inline bytes are not base64 of gzip data") from error
        budget.add_bytes(len(plain))
        if not stream.eof:
            raise ValueError("inline bytes are cut off")
        return plain


def decode_patch(
    document: Document,
    content: Mapping[str, Any],
    buffers: Iterable[Buffer],
    *,
    setter: object,
    may_script: bool = True,
) -> DecodedPatch:
    """Decode the content of a PATCH-DOC against a document, without touching the document.

    A patch that refers to a model that has left the document is dropped as a whole: that is what
    remains of an edit that crossed a removal.

    Args:
        document: the document that it is for.
        content: ``{"events": [...]}``.
        buffers: the message's buffers.
        setter: the client; new models are told that it set their properties.
        may_script: it may set JavaScript callbacks, which run in the browsers of others.

    Raises:
        PatchError: it does not decode or does not fit; nothing has changed.
    """
    raw = content.get("events")
    if not isinstance(raw, list):
        raise PatchError("the patch has no list of events")
    plain = _plain_events(document, raw)
    if plain is not None:
        events, known_to_fit = plain
        if known_to_fit:
            return DecodedPatch(tuple(events))
        rehearsal = Rehearsal(document, may_script=may_script)
        return DecodedPatch(_rehearsed(rehearsal.scalar, events))
    references = _References(document)
    budget = Budget()
    decoder = _Decoder(references, setter, budget)
    try:
        check_levels(raw)
        decoded: list[Any] = decoder.decode(raw, _packed(buffers))
    except UnknownReferenceError as error:
        if document.models.seen(error.id):
            _log.debug("dropped a patch that refers to the removed model %s", error.id)
            return DecodedPatch(())
        raise PatchError(f"the patch refers to an unknown model, id {brief(error.id)}") from error
    except Exception as error:
        raise PatchError(f"the patch cannot be decoded: {text_of(error)}") from error

    references.check_values()
    if not may_script:
        references.check_scripts()
    rehearsal = Rehearsal(document, may_script=may_script, budget=budget)
    checked = _rehearsed(rehearsal.check, decoded)
    if references.defined:
        check_nesting(document, checked)
    return DecodedPatch(checked, frozenset(references.defined.values()))


def _plain_events(document: Document, raw: list[Any]) -> tuple[list[dict[str, Any]], bool] | None:
    """The events of a patch that only sets properties of known models to scalars.

    That is what nearly all patches do, and there is nothing in them to decode. ``None`` for any
    other patch. With them comes whether each property is known to take what it is set to, so that
    nothing has to be rehearsed.
    """
    events: list[dict[str, Any]] = []
    known_to_fit = True
    models: dict[Any, Model] = document.models._models
    for event in raw:
        if type(event) is not dict or event.get("kind") != "ModelChanged":
            return None
        reference, attr, new = event.get("model"), event.get("attr"), event.get("new", event)
        if (
            type(reference) is not dict
            or len(reference) != 1
            or type(attr) is not str
            or type(new) not in SCALARS
        ):
            return None
        model_id = reference.get("id")
        model = models.get(model_id) if type(model_id) is str else None
        if model is None:
            return None
        plain = plain_property(type(model), attr)
        if plain is None or type(new) not in plain.takes or plain.assertions:
            known_to_fit = False
        events.append({"kind": "ModelChanged", "model": model, "attr": attr, "new": new})
    return events, known_to_fit


def _rehearsed(
    check: Callable[[Any], dict[str, Any] | None], events: Iterable[Any]
) -> tuple[dict[str, Any], ...]:
    checked: list[dict[str, Any]] = []
    for event in events:
        try:
            kept = check(event)
        except PatchError:
            raise
        except Exception as error:
            raise PatchError(f"an event of the patch does not fit: {text_of(error)}") from error
        if kept is not None:
            checked.append(kept)
    return tuple(checked)


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
        check_levels(content["doc"])
        doc: dict[str, Any] = _Decoder(references, setter, Budget(models=None)).decode(
            {**content["doc"], "defs": []}, _packed(buffers)
        )
        title, config, roots = doc["title"], doc["config"], doc["roots"]
        if not isinstance(title, str) or not isinstance(config, DocumentConfig):
            raise TypeError("the title or the configuration is of the wrong type")
        if not isinstance(roots, list) or not all(isinstance(root, Model) for root in roots):
            raise TypeError("the roots are not models")
        references.check_values()
    except Exception as error:
        raise PatchError(f"the pushed document cannot be decoded: {text_of(error)}") from error
    return DecodedDocument(title, config, roots)


def apply_patch(document: Document, patch: DecodedPatch, *, setter: object) -> CallbackError | None:
    """Apply a decoded patch; the application's callbacks run on the way.

    A callback that raises does not keep the rest of the patch from being applied: the client has
    made these changes already.

    Returns:
        The first failure of a callback, if there was one.
    """
    if len(patch.events) <= MOST_WALKS:
        return _apply_all(document, patch.events, setter)
    with patched(document):
        return _apply_all(document, patch.events, setter)


def _apply_all(
    document: Document, events: Iterable[dict[str, Any]], setter: object
) -> CallbackError | None:
    failure: CallbackError | None = None
    for event in events:
        try:
            if event["kind"] == "ModelChanged":
                _set(event["model"], event["attr"], event["new"], setter)
            else:
                _apply(document, event, setter)
        except BaseException as error:  # CancelledError and KeyboardInterrupt, too, are its own
            failure = failure or callback_error(error)
    return failure


def callback_error(error: BaseException) -> CallbackError:
    """What a client is told of what a callback has raised."""
    failure = CallbackError(worded(error), traceback_of(error))
    failure.__cause__ = error
    return failure


def _apply(document: Document, event: dict[str, Any], setter: Any) -> None:
    kind, models = event["kind"], document.models
    if kind == "RootAdded" and isinstance(models, DocumentModels):
        models.add_root(event["model"], setter)
        return
    if kind == "RootRemoved" and isinstance(models, DocumentModels):
        models.remove_root(event["model"], setter)
        return
    apply_columns = COLUMN_EVENTS.get(kind)
    if apply_columns is None or not apply_columns(document, event, setter):
        # Bokeh's handler takes the event apart, hence the copy.
        DocumentPatchedEvent.handle_event(document, dict(event), setter)  # type: ignore[arg-type]


def _set(model: Model, attr: str, value: Any, setter: Any) -> None:
    """What Bokeh does, too, after writing the model and the value for a log that drops it."""
    if type(model).set_from_json is HasProps.set_from_json:
        model.lookup(attr).set_from_json(model, value, setter=setter)
    else:
        model.set_from_json(attr, value, setter=setter)
