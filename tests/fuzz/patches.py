"""Patches and pushed documents, by a grammar that knows what they look like and errs at times."""

from __future__ import annotations

import base64
import gzip
import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from bokeh.core.has_props import HasProps
from bokeh.core.properties import Int, List, String
from bokeh.events import ButtonClick, MenuItemClick
from bokeh.model import DataModel, Model
from bokeh.models import Column, ColumnDataSource, CustomJS, FactorRange, Range1d
from bokeh.models.widgets import (
    Button,
    DataTable,
    DatePicker,
    Div,
    Dropdown,
    MultiSelect,
    Slider,
    TableColumn,
    TextInput,
)
from bokeh.plotting import figure

from hyperfocal.document import (
    Document,
    acceleration,
    apply_patch,
    decode_patch,
    encode_document,
    replace_document,
)
from hyperfocal.errors import InvalidDataError, PatchError
from hyperfocal.wire import Buffer, load_json
from tests.document.replica import Desk
from tests.fuzz.choices import Choices

__all__ = ("run",)

acceleration.install()


class Record(DataModel):
    """What an application may define: its own properties, known to clients."""

    number = Int(default=1)
    names = List(String, default=["a"])


class Stage:
    """A document with a dozen kinds of models, some callbacks, and two clients."""

    def __init__(self) -> None:
        self.heard: set[tuple[str, str]] = set()
        self.json = ""  # of the document; "" when that is not known
        self.is_as_built = True
        self.echo = Div(text="0")
        self.slider = Slider(start=0, end=100, value=1)
        self.source = ColumnDataSource(
            data={
                "x": [1, 2, 3],
                "y": np.array([1.0, 2.0, 3.0]),
                "s": ["a", "b", "c"],
                "": [0, 0, 0],
            }
        )
        self.images = ColumnDataSource(data={"i": [np.zeros((2, 2)), np.zeros((2, 2))]})
        self.button = Button(label="go")
        self.menu = Dropdown(label="more", menu=[("One", "one"), ("Two", "two")])
        script = CustomJS(args={"source": self.source}, code="return 1")
        self.slider.js_on_change("value", script)
        plot = figure(width=300, height=200, tools="pan,tap")
        plot.x_range, plot.y_range = Range1d(start=0, end=1), FactorRange(factors=["a", "b"])
        plot.scatter("x", "y", source=self.source)
        self.models: list[Any] = [
            self.slider, self.source, self.images, self.button, self.menu, script, plot, self.echo,
            Record(number=3), TextInput(value="t"), MultiSelect(options=["a", "b"], value=["a"]),
            DatePicker(), DataTable(source=self.source, columns=[TableColumn(field="x")]),
            plot.x_range, plot.renderers[0], plot.axis[0], self.source.selected,
        ]  # fmt: skip
        self.root = Column(children=[self.slider, plot, self.echo, self.button, self.menu])
        self.rest = Column(children=self.models[9:13], tags=[self.models[8], self.images])
        self.desk = Desk(self.root, self.rest)
        self.slider.on_change("value", self._copy)
        self.button.on_event(ButtonClick, self._click)
        self.menu.on_event(MenuItemClick, self._click)
        self.desk.end_building()

    @property
    def document(self) -> Document:
        return self.desk.document

    def _copy(self, attr: str, old: Any, new: Any) -> None:
        self._say(f"{new}"[:40])

    def _click(self, event: Any) -> None:
        self._say("click")

    def _say(self, text: str) -> None:
        self.heard.add((self.echo.id, "text"))
        self.echo.text = text


def run(data: bytes) -> None:
    """A refused patch changes nothing; one that is taken changes what it names and no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about numbers that do not fit
        _run(Choices(data))


_unused: list[Stage] = []


def _run(choices: Choices) -> None:
    may_push = choices.flag()
    stage = _unused.pop() if _unused else Stage()
    for _ in range(1 + choices.number(3)):
        pushes = choices.seldom(16)
        content, buffers = _content(choices, stage, pushes)
        if content is None:
            break
        before = stage.json or encode_document(stage.document, inline=True).content
        if pushes:
            taken = _push(stage, content, buffers, before)
        else:
            taken = _patch(stage, content, buffers, before, may_push=may_push)
        stage.json = "" if taken else before
        stage.is_as_built = stage.is_as_built and not taken
    # Most patches are refused, and making a document takes longer than all the rest.
    if stage.is_as_built:
        _unused.append(stage)


def _patch(
    stage: Stage, content: Any, buffers: tuple[Buffer, ...], before: str, *, may_push: bool
) -> bool:
    client = object()
    try:
        patch = decode_patch(stage.document, content, buffers, setter=client, may_script=may_push)
    except PatchError:
        assert encode_document(stage.document, inline=True).content == before
        assert stage.desk.end_turn_events() == []
        return False
    assert encode_document(stage.document, inline=True).content == before
    stage.heard.clear()
    named = set(_named(patch.events)) if not may_push else None
    failure = apply_patch(stage.document, patch, setter=client)
    assert failure is None, failure
    after = encode_document(stage.document, inline=True).content
    allowed = {(event["model"].id, event["attr"]) for event in patch.events if "attr" in event}
    changed = _differences(before, after) - allowed - stage.heard
    assert not changed, changed
    assert named is None or not named & _SCRIPTS
    _encodes(stage, client, patch)
    return True


#: What a client without further rights may not set.
_SCRIPTS = {"js_property_callbacks", "js_event_callbacks"}


def _named(events: tuple[dict[str, Any], ...]) -> Iterator[str]:
    for event in events:
        if "attr" in event:
            yield event["attr"]
        for value in event.values():
            if isinstance(value, Model) and value.document is None:
                yield from (name for name in _SCRIPTS if getattr(value, name))


def _push(stage: Stage, content: Any, buffers: tuple[Buffer, ...], before: str) -> bool:
    try:
        replace_document(stage.document, content, buffers, setter=object())
    except PatchError:
        assert encode_document(stage.document, inline=True).content == before
        return False
    _encodes(stage, object(), None)
    return True


def _encodes(stage: Stage, client: object, patch: Any) -> None:
    for encoded in stage.desk.end_turn(client, patch):
        if encoded is not None:
            load_json(encoded.content, "patch")
    for inline in (False, True):
        load_json(encode_document(stage.document, inline=inline).content, "document")


# --- what has changed ---------------------------------------------------------------------------


def _differences(before: str, after: str) -> set[tuple[str, str]]:
    """(model id, attribute) of models that are in both documents and differ."""
    old, new = _models(json.loads(before)["doc"]), _models(json.loads(after)["doc"])
    return {
        (model_id, name)
        for model_id in old.keys() & new.keys()
        for name in old[model_id].keys() | new[model_id].keys()
        if old[model_id].get(name) != new[model_id].get(name)
    }


def _models(rep: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}

    def flat(value: Any) -> Any:
        if isinstance(value, list):
            return [flat(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("type") == "object" and "id" in value:
            attributes = value.get("attributes", {})
            found[value["id"]] = {name: json.dumps(flat(one)) for name, one in attributes.items()}
            return {"id": value["id"]}
        return {name: flat(item) for name, item in value.items()}

    flat(rep)
    return found


# --- the grammar --------------------------------------------------------------------------------


def _content(choices: Choices, stage: Stage, pushes: bool) -> tuple[Any, tuple[Buffer, ...]]:
    """What a PATCH-DOC or PUSH-DOC carries, as it comes off the wire; ``None``: it is no JSON."""
    if choices.seldom(32):
        text = choices.rest().decode("utf-8", "replace")
    else:
        writer = _Writer(choices, stage)
        content = writer.document() if pushes else writer.patch()
        text = json.dumps(content)
    try:
        content = load_json(text, "content")
    except InvalidDataError:
        return None, ()
    if not isinstance(content, dict):
        return None, ()
    buffers = tuple(
        Buffer(name, choices.take(choices.number(33))) for name in _BUFFERS[: choices.number(3)]
    )
    return content, buffers


_BUFFERS = ("b0", "b1")
_DTYPES = (
    "float64", "int32", "uint8", "float32", "int8", "uint16", "int16", "uint32", "object", "bool",
    "S9999999999", "V99", "U5", "datetime64[ns]", "(9,9)f8", "complex64", "x", 7, None,
)  # fmt: skip
_NUMBERS = (
    0, 1, -1, 2, 0.5, 99, 100, -0.0, 1e308, 5e-324, 2**31, 2**53, -(2**63), 2**64 - 1,
    2**64, 10**30, 10**400,
)  # fmt: skip
_ATTRIBUTES = (
    "value", "text", "data", "children", "js_property_callbacks", "js_event_callbacks", "tags",
    "name", "subscribed_events", "syncable", "id", "document", "_callbacks", "__class__",
    "_property_values",
    "selected", "inner_width", "start", "indices", "menu", "code", "args", "title", "visible",
    "ref",
)  # fmt: skip
_NAMES = (
    "Div", "Slider", "Column", "ColumnDataSource", "CustomJS", "Figure", "Plot", "Range1d",
    "Legend", "FactorRange", "Model", "Document", "DataTable", "Selection", "Scatter", "TapTool",
    "Nope", Record.__qualified_model__,
)  # fmt: skip
_EVENTS = (
    "button_click", "menu_item_click", "document_ready", "tap", "lodstart", "selectiongeometry",
    "value_submit", "connection_lost", "nope",
)  # fmt: skip
_FIELDS = ("field", "value", "expr", "transform", "units")
_REMOVED = "p000"


class _Writer:
    def __init__(self, choices: Choices, stage: Stage) -> None:
        self._choices = choices
        self._stage = stage
        self._new: list[str] = []

    def patch(self) -> dict[str, Any]:
        return {"events": [self._event() for _ in range(1 + self._choices.count(4))]}

    def document(self) -> dict[str, Any]:
        choices = self._choices
        doc: dict[str, Any] = {
            "version": "3.9.2",
            "title": choices.text(),
            "config": {
                "type": "object",
                "name": "DocumentConfig",
                "id": "config",
                "attributes": {},
            },
            "roots": [self._definition(2) for _ in range(choices.count(3))],
        }
        if choices.seldom():
            doc[choices.one(tuple(doc))] = self._value(2)
        return {"doc": doc}

    def _event(self) -> Any:
        choices = self._choices
        if choices.seldom(64):
            return self._value(2)
        event = self._sound_event()
        if choices.seldom(16):
            event[choices.one(tuple(event))] = self._value(2)
        if choices.seldom(64):
            del event[choices.one(tuple(event))]
        return event

    def _sound_event(self) -> dict[str, Any]:
        choices = self._choices
        how = choices.number(12)
        if how < 4:
            return self._change()
        if how < 8:
            return self._about_data(how)
        if how == 8:
            return {"kind": "TitleChanged", "title": choices.text()}
        if how == 9:
            return {"kind": "RootAdded", "model": self._reference(2)}
        if how == 10:
            return {"kind": "RootRemoved", "model": self._reference(0)}
        return {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": self._bokeh_event()}

    def _change(self) -> dict[str, Any]:
        choices = self._choices
        model = choices.one(self._stage.models)
        names = sorted(type(model).properties())
        attr = choices.one(_ATTRIBUTES) if choices.flag() else choices.one(names)
        value = self._kept(model, attr) if choices.seldom(4) else self._value(3)
        if choices.seldom():
            attr, value = self._of_interest()
        reference = {"id": model.id} if not choices.seldom(32) else self._reference(0)
        return {"kind": "ModelChanged", "model": reference, "attr": attr, "new": value}

    def _of_interest(self) -> tuple[str, Any]:
        """What any model takes, or should not."""
        choices = self._choices
        how = choices.number(4)
        if how == 0:
            return "tags", [self._deep(choices.one((10, 66, 100, 199, 230)))]
        if how == 1:
            return "tags", [self._value(3), self._value(3)]
        script = {"id": self._stage.models[5].id}
        value = {"change:value": [script]} if choices.flag() else {}
        return ("js_property_callbacks", "js_event_callbacks")[how - 2], value

    def _kept(self, model: HasProps, attr: str) -> Any:
        """What the property holds, or another one's value: of the right kind more often."""
        found = [attr] if attr in model.properties() else sorted(model.properties())
        value = model._property_values.get(self._choices.one(found))
        return value if isinstance(value, str | int | float | bool) else self._value(2)

    def _about_data(self, how: int) -> dict[str, Any]:
        choices = self._choices
        source = choices.one((self._stage.source, self._stage.images, self._stage.slider))
        about = {"model": {"id": source.id}, "attr": "data" if not choices.seldom(32) else "name"}
        if how == 4:
            columns = self._columns()
            event = {"kind": "ColumnDataChanged", **about, "data": columns}
            return {**event, "cols": list(columns) if choices.flag() else None}
        if how == 5:
            rollover = choices.one((None, 2, 0, 10**30, -1, 0.5, True))
            return {
                "kind": "ColumnsStreamed",
                **about,
                "data": self._columns(),
                "rollover": rollover,
            }
        patches = {self._column_name(): self._entries() for _ in range(1 + choices.count(2))}
        return {"kind": "ColumnsPatched", **about, "patches": patches}

    def _column_name(self) -> str:
        return self._choices.one(("x", "y", "s", "", "i", "z"))

    def _columns(self) -> dict[str, Any]:
        choices = self._choices
        length = choices.number(4)
        names = list(self._stage.source.data) if choices.flag() else [
            self._column_name() for _ in range(1 + choices.count(3))
        ]  # fmt: skip
        return {str(name): self._column(length) for name in names}

    def _column(self, length: int) -> Any:
        choices = self._choices
        how = choices.number(8)
        if how == 7:
            return self._value(2)
        if how == 6:
            return self._array(1)
        return [self._value(1 if how == 5 else 0) for _ in range(length)]

    def _entries(self) -> Any:
        choices = self._choices
        if choices.seldom(16):
            return self._value(2)
        return [[self._index(), self._value(2)] for _ in range(1 + choices.count(2))]

    def _index(self) -> Any:
        choices = self._choices
        how = choices.number(4)
        if how == 0:
            return choices.number(4)
        if how == 1:
            return self._slice()
        if how == 2:
            return [choices.number(3), *(self._part() for _ in range(choices.number(4)))]
        return self._value(1)

    def _part(self) -> Any:
        return self._slice() if self._choices.flag() else self._choices.one((0, 1, -1, 9, None))

    def _slice(self) -> dict[str, Any]:
        options = (None, 0, 1, 2, 3, -1, 10**20, 0.5)
        parts = (self._choices.one(options) for _ in range(3))
        return {"type": "slice", **dict(zip(("start", "stop", "step"), parts, strict=True))}

    def _bokeh_event(self) -> Any:
        choices = self._choices
        model = choices.one((self._stage.button, self._stage.menu, self._stage.models[6]))
        values: dict[str, Any] = {"model": {"id": model.id}}
        if choices.flag():
            values[
                choices.one(("item", "x", "y", "geometry", "final", "modifiers", "timestamp"))
            ] = self._value(2)
        if choices.seldom():
            values = self._value(2)
        return {"type": "event", "name": choices.one(_EVENTS), "values": values}

    def _reference(self, depth: int) -> Any:
        choices = self._choices
        how = choices.number(8)
        if how < 3 or (depth <= 0 and how < 7):
            return {"id": choices.one((*self._stage.models, self._stage.root)).id}
        if how < 6:
            return self._definition(depth)
        if how == 6 and self._new:
            return {"id": choices.one(self._new)}
        return {"id": choices.one((_REMOVED, "", self._stage.rest.id, 5, None, {"a": 1}, [0]))}

    def _definition(self, depth: int) -> dict[str, Any]:
        choices = self._choices
        how = choices.number(8)
        if how < 6:
            model_id: Any = f"n{len(self._new)}"
            self._new.append(model_id)
        elif how == 6:
            model_id = choices.one(self._stage.models).id
        else:
            model_id = choices.one((7, None, ["a"], {}, "n0", ""))
        attributes: Any = {
            choices.one(_ATTRIBUTES): self._value(depth - 1) for _ in range(choices.count(3))
        }
        if choices.seldom(32):
            attributes = self._value(depth - 1)
        name = choices.one(_NAMES)
        return {"type": "object", "name": name, "id": model_id, "attributes": attributes}

    def _array(self, depth: int) -> dict[str, Any]:
        choices = self._choices
        dtype = choices.one(_DTYPES[:9]) if choices.number(4) < 3 else choices.one(_DTYPES)
        content: Any = self._bytes(dtype) if choices.flag() else [
            self._value(depth - 1) for _ in range(choices.count(4))
        ]  # fmt: skip
        shape = [choices.one((1, 2, 3, 4, 0, -1, 10**9, 2**63)) for _ in range(choices.number(4))]
        kind = "ndarray" if not choices.seldom() else "typed_array"
        order = choices.one(("little", "big", "x"))
        return {"type": kind, "array": content, "dtype": dtype, "shape": shape, "order": order}

    def _bytes(self, dtype: Any) -> dict[str, Any]:
        choices = self._choices
        if choices.flag():
            return {"type": "bytes", "data": {"id": choices.one((*_BUFFERS, "b2", 3))}}
        plain = choices.take(choices.number(4) * (8 if dtype == "float64" else 4))
        packed = base64.b64encode(gzip.compress(plain, 1, mtime=0)).decode()
        if choices.seldom():
            packed = packed[: choices.number(len(packed))]
        return {"type": "bytes", "data": packed}

    def _value(self, depth: int) -> Any:
        choices = self._choices
        how = choices.number(20 if depth > 0 else 8)
        if how < 8:
            options = (
                None,
                choices.text(),
                choices.one(_NUMBERS),
                True,
                False,
                "",
                0,
                choices.text(4),
            )
            return options[how]
        return self._nested(how, depth)

    def _nested(self, how: int, depth: int) -> Any:
        choices = self._choices
        below = depth - 1
        if how < 11:
            return [self._value(below) for _ in range(choices.count(4))]
        if how == 11:
            return {choices.text(): self._value(below) for _ in range(choices.count(3))}
        if how == 12:
            entries = [[self._value(below), self._value(below)] for _ in range(choices.count(3))]
            return {"type": "map", "entries": entries}
        if how == 13:
            return {"type": "set", "entries": [self._value(below) for _ in range(choices.count(3))]}
        if how == 14:
            number = choices.one(("nan", "+inf", "-inf", "1e400", "x", 3, None, [1]))
            return {"type": "number", "value": number}
        if how == 15:
            return self._array(below)
        if how == 16:
            return self._reference(below)
        if how == 17:
            kinds = (
                "value",
                "field",
                "expr",
                "symbol",
                "slice",
                "bytes",
                "event",
                "array",
                "nope",
                1,
            )
            rep = {"type": choices.one(kinds), **{name: self._value(below) for name in _FIELDS[:2]}}
            return {**rep, **{name: self._value(below) for name in ("name", "data")}}
        if how == 18:
            return self._deep(choices.one((10, 66, 100, 199, 230)))
        return self._slice()

    def _deep(self, levels: int) -> Any:
        value: Any = 1
        wrap = self._choices.number(4)
        for _ in range(levels):
            if wrap == 0:
                value = [value]
            elif wrap == 1:
                value = {"a": value}
            elif wrap == 2:
                value = {"type": "map", "entries": [["a", value]]}
            else:
                value = {"type": "set", "entries": [value]}
        return value
