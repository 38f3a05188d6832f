"""The operations that are compared: each twice, as Bokeh does it and as we do."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from bokeh.application import Application
from bokeh.application.handlers import ScriptHandler
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import ColumnDataChangedEvent, DocumentPatchedEvent, ModelChangedEvent
from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver

from bench.peers import APPS
from bench.scenarios.encoding import bokeh_encode
from hyperfocal.document import (
    Change,
    Changes,
    acceleration,
    apply_patch,
    changes_of,
    decode_patch,
    encode_changes,
    encode_document,
    encode_plain,
    enter_entries,
    entries_of,
    leave_entries,
    mark_seen,
    new_document,
)
from hyperfocal.web.frames import wrap
from hyperfocal.wire import Decoder, Frame, Kind, MessageIds, encode, packed_ok, packed_patch

__all__ = ("OPERATIONS", "WAYS", "Call", "Operation")

Call = Callable[[], object]

#: What to call before Bokeh's calls and before ours: ours run with the acceleration.
WAYS: tuple[Call, Call] = (acceleration.uninstall, acceleration.install)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that both can do; each call does it once.

    Attributes:
        prepare: makes Bokeh's call and ours.
    """

    about: str
    prepare: Callable[[], tuple[Call, Call]]


@functools.cache
def _document(app: str) -> Document:
    """An application's document, as our sessions have it; Bokeh's functions take it as well."""
    document = new_document()
    Application(ScriptHandler(filename=str(APPS / f"{app}.py"))).initialize_document(document)
    mark_seen(document)
    return document


def _whole(app: str) -> tuple[Call, Call]:
    document = _document(app)
    return lambda: bokeh_encode(document), lambda: encode_document(document)


def _message_json(event: DocumentPatchedEvent) -> tuple[object, ...]:
    """What Bokeh's server makes of a change, short of writing it."""
    message: Any = Protocol().create("PATCH-DOC", [event])
    buffers = [(json.dumps(buffer.ref), buffer.to_bytes()) for buffer in message.buffers]
    return message.header_json, message.metadata_json, message.content_json, buffers


def _change_out(event: DocumentPatchedEvent) -> tuple[Call, Call]:
    document, ids = event.document, MessageIds("bench")
    changes = [Change(event, (None,), getattr(event, "cols", None))]

    def ours() -> object:
        patch = encode_changes(document, changes, fresh=())
        assert patch is not None
        return encode(Kind.PATCH_DOC, patch.content, msgid=ids(), buffers=patch.buffers)

    return lambda: _message_json(event), ours


def _plain_out(event: DocumentPatchedEvent) -> tuple[Call, Call]:
    document, ids, client = event.document, MessageIds("bench"), object()

    def ours() -> object:
        plain = encode_plain(document, [event], client)
        assert plain is not None
        return packed_patch(ids, *plain)

    return lambda: _message_json(event), ours


def _scalar_plainly_out() -> tuple[Call, Call]:
    document = _document("tiny")
    div: Any = next(model for model in document.models if "text" in model.properties())
    return _plain_out(ModelChangedEvent(document, div, "text", "7"))


def _array_plainly_out() -> tuple[Call, Call]:
    document = _document("sliders")
    source: Any = next(model for model in document.models if "data" in model.properties())
    source.data = {"x": np.arange(200.0), "y": np.arange(200.0)}
    return _plain_out(ColumnDataChangedEvent(document, source, "data"))


def _set(app: str, attribute: str, values: list[Any]) -> tuple[Call, Call]:
    """Code of an application sets a property, and the session hears of it."""
    document = _document(app)
    model: Any = next(model for model in document.models if attribute in model.properties())
    changes = Changes()
    cast(Any, document.callbacks).attach(_Session(changes))
    each = itertools.cycle(values)

    def call() -> None:
        token = enter_entries(entries_of(document))
        setattr(model, attribute, next(each))
        leave_entries(token)
        changes.take()

    return call, call


_COLUMNS = [{"x": np.arange(200.0), "y": np.arange(200.0) + shift} for shift in range(2)]


def _scalar_out() -> tuple[Call, Call]:
    document = _document("tiny")
    slider: Any = document.get_model_by_name("slider")
    return _change_out(ModelChangedEvent(document, slider, "value", 7))


def _array_out() -> tuple[Call, Call]:
    document = _document("sliders")
    source: Any = next(model for model in document.models if "data" in model.properties())
    source.data = {"x": np.arange(200.0), "y": np.arange(200.0)}
    return _change_out(ColumnDataChangedEvent(document, source, "data"))


def _values(model: Any) -> Callable[[], dict[str, Any]]:
    """Patches of the slider, each with another value than the one before."""
    number = 0

    def patch() -> dict[str, Any]:
        nonlocal number
        number += 1
        event = {"kind": "ModelChanged", "model": {"id": model.id}, "attr": "value", "new": number}
        return {"events": [event]}

    return patch


def _applied(app: str) -> tuple[Call, Call]:
    document = _document(app)
    patch = _values(document.get_model_by_name("slider"))
    client: Any = object()

    def ours() -> object:
        decoded = decode_patch(document, patch(), (), setter=client)
        failure = apply_patch(document, decoded, setter=client)
        assert failure is None
        return failure

    return lambda: document.apply_json_patch(patch(), setter=client), ours  # type: ignore[arg-type]


_FRAMES = (
    '{"msgid":"17","msgtype":"PATCH-DOC"}',
    "{}",
    '{"events":[{"kind":"ModelChanged","model":{"id":"p1001"},"attr":"value","new":12}]}',
)


def _received() -> tuple[Call, Call]:
    receiver, decoder = Receiver(Protocol()), Decoder()

    def theirs() -> object:
        message: object = None
        for frame in _FRAMES:
            try:  # it awaits nothing
                receiver.consume(frame).send(None)
            except StopIteration as done:
                message = done.value
        assert message is not None
        return message

    def ours() -> object:
        message = decoder.feed_message(*_FRAMES)
        assert message is not None
        return message

    return theirs, ours


def _replied() -> tuple[Call, Call]:
    ids = MessageIds("bench")

    def theirs() -> object:
        message: Any = Protocol().create("OK", ID("17"))
        return message.header_json, message.metadata_json, message.content_json

    return theirs, lambda: packed_ok(ids, "17")


class _Session:
    """What a session is to its document: it may always be changed."""

    def __init__(self, changes: Changes) -> None:
        self.changed = changes.add

    def may_change(self) -> bool:
        return True

    def has_turn(self) -> bool:
        return True

    def record(self, event: DocumentPatchedEvent) -> bool:
        self.changed(event)
        return True

    def callback_added(self, callback: object) -> None: ...

    def callback_removed(self, callback: object) -> None: ...


def _trip(app: str) -> tuple[Call, Call]:
    document = new_document()
    Application(ScriptHandler(filename=str(APPS / f"{app}.py"))).initialize_document(document)
    mark_seen(document)
    slider: Any = document.get_model_by_name("slider")
    receiver, decoder, ids, changes = (
        Receiver(Protocol()),
        Decoder(),
        MessageIds("bench"),
        Changes(),
    )
    manager: Any = document.callbacks
    session, client = _Session(changes), cast(Any, object())
    number = 0

    def content() -> str:
        nonlocal number
        number += 1
        return _FRAMES[2].replace("p1001", slider.id).replace("12", str(number))

    def theirs() -> object:
        manager.detach_silently()
        events: list[Any] = []
        message: Any = None
        for frame in (*_FRAMES[:2], content()):
            try:
                receiver.consume(frame).send(None)
            except StopIteration as done:
                message = done.value
        document.on_change_dispatch_to(_Listener(events))
        document.apply_json_patch(message.content, setter=client)
        document.callbacks._change_callbacks.clear()
        sent = [_message_json(event) for event in events if event.setter is not client]
        reply: Any = Protocol().create("OK", ID("17"))
        return sent, reply.header_json, reply.metadata_json, reply.content_json

    def ours() -> object:
        manager.attach(session)
        message = decoder.feed_message(*_FRAMES[:2], content())
        assert message is not None
        token = enter_entries(entries_of(document))
        decoded = decode_patch(document, message.content, message.buffers, setter=client)
        failure = apply_patch(document, decoded, setter=client)
        assert failure is None
        events = changes.take()
        plain = encode_plain(document, events, client)
        told: tuple[Frame, ...]
        if plain is not None:
            told = (packed_patch(ids, *plain),)
        else:
            patch = encode_changes(document, changes_of(events), fresh=(), client=client)
            assert patch is not None
            told = encode(Kind.PATCH_DOC, patch.content, msgid=ids(), buffers=patch.buffers)
        leave_entries(token)
        return wrap([*told, packed_ok(ids, message.msgid)])

    return theirs, ours


class _Listener:
    """Collects what Bokeh tells a session of."""

    def __init__(self, events: list[Any]) -> None:
        self._events = events

    def _document_patched(self, event: DocumentPatchedEvent) -> None:
        self._events.append(event)


OPERATIONS: Mapping[str, Operation] = {
    **{
        f"document-{app}": Operation(
            f"encode the whole document of {app}", functools.partial(_whole, app)
        )
        for app in ("tiny", "sliders", "heavy")
    },
    "scalar-out": Operation("encode one changed scalar as a message", _scalar_out),
    "array-out": Operation("encode two arrays of 200 numbers as a message", _array_out),
    "scalar-plainly-out": Operation(
        "encode one changed scalar as bytes, in the plain case", _scalar_plainly_out
    ),
    "array-plainly-out": Operation(
        "encode two arrays of 200 numbers as bytes, in the plain case", _array_plainly_out
    ),
    "set-scalar": Operation(
        "set a scalar, with a session that notes it",
        functools.partial(_set, "tiny", "text", ["a", "b"]),
    ),
    "set-columns": Operation(
        "set two arrays of 200 numbers, with a session that notes it",
        functools.partial(_set, "sliders", "data", _COLUMNS),
    ),
    **{
        f"patch-{app}": Operation(
            f"decode and apply a patch of one scalar to {app}, with the callback that it runs",
            functools.partial(_applied, app),
        )
        for app in ("tiny", "sliders", "heavy")
    },
    "frames-in": Operation("put the three frames of a patch together", _received),
    **{
        f"trip-{app}": Operation(
            f"a whole trip of the slider of {app}: frames in, callback, change and OK out",
            functools.partial(_trip, app),
        )
        for app in ("tiny", "sliders")
    },
    "reply": Operation("make the frames of an OK", _replied),
}
