"""Patches of scalars are decoded, applied and told quickly as the general path does it."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest import mock

import numpy as np
from bokeh.models import Column, ColumnDataSource, Model, Range1d, Scatter
from bokeh.models.widgets import Div, Select, Slider, Spinner, TextInput
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from hyperfocal.document import (
    Changes,
    apply_patch,
    changes_of,
    decode_patch,
    encode_changes,
    encode_plain,
    mark_seen,
    new_document,
    patches,
    unseen_models,
)
from hyperfocal.document.curdoc import current_document
from hyperfocal.errors import PatchError
from tests.document.twins import accelerated, plain

#: Shrinking takes minutes here, since every step builds documents.
SETTINGS = settings(
    deadline=None,
    max_examples=250,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

CLIENT: Any = "a client"


COLUMNS: list[dict[str, Any]] = [
    {"x": np.arange(3.0)},
    {"x": np.arange(3), 'a "name"': np.arange(12, dtype="uint8").reshape(3, 4)[:, ::2]},
    {"x": np.arange(3), "ü": np.arange(12, dtype="float32").reshape(3, 4)},
    {"x": [1, 2]},
    {"big": np.array([2**40])},
    {"swapped": np.arange(2.0).astype(">f8"), "b": np.array([True, False])},
    {"objects": np.array(["a", None], dtype=object)},
    {},
    {"empty": np.array([], dtype="int64"), "nothing": np.array([])},
    {"x": np.array([np.nan, -0.0]), "when": np.array([0, 1], dtype="datetime64[D]")},
]


class Stage:
    """A document with callbacks, a session, and what they say; models go by their names."""

    may_change = has_turn = staticmethod(lambda: True)

    def record(self, event: Any) -> bool:
        self.changed(event)
        return True

    def __init__(self) -> None:
        self.changes = Changes()
        self.columns = 0
        self.changed = self.changes.add
        self.slider = Slider(start=0, end=9, value=0, name="slider")
        self.text = TextInput(name="text")
        self.div = Div(name="div")
        self.gone = Div(name="gone")
        self.source = ColumnDataSource(data={"x": np.arange(3.0)}, name="source")
        models: list[Model] = [
            *(self.slider, self.text, self.div, self.source, self.gone),
            Select(options=list[Any](["a", "b"]), name="select"),
            Spinner(name="spinner"),
            Range1d(start=0, end=1, name="range"),
            Scatter(size=3, name="scatter"),
        ]
        self.models = {str(model.name): model for model in models}
        self.document = new_document()
        self.document.add_root(self.gone)
        self.document.remove_root(self.gone)
        self.document.add_root(
            Column(children=[self.slider, self.text, self.div], tags=[*self.models.values()][3:])
        )
        self.gone.tags = []
        self.box: Any = self.document.roots[0]
        self.box.tags = [model for model in self.box.tags if model is not self.gone]
        mark_seen(self.document)
        self.slider.on_change("value", self._moved)
        self.text.on_change("value", self._typed)
        self.document.callbacks.attach(self)  # type: ignore[attr-defined]

    def callback_added(self, callback: Any) -> None: ...

    def callback_removed(self, callback: Any) -> None: ...

    def _moved(self, attr: str, old: Any, new: Any) -> None:
        self.div.text = f"{new}"
        if new > 8:
            self.slider.value = 8
        if new == 5:
            self.source.data = COLUMNS[self.columns]
            self.columns = (self.columns + 1) % len(COLUMNS)
        if new == 6:
            self.models["scatter"].size = 7  # type: ignore[attr-defined]

    def _typed(self, attr: str, old: Any, new: Any) -> None:
        self.div.disabled = not self.div.disabled
        if new == "raise":
            raise KeyError(new)
        if new == "new":
            self.box.children = [*self.box.children, Div(name="fresh")]
        if new == "twice":
            self.div.text = "once"
            self.div.text = "twice"
        if new == "leave":
            self.div.visible = False
            self.box.children = [self.slider, self.text]
        if new == "float":
            self.slider.step = float("nan")
        if new == "delete":
            del self.div.text

    def patched(self, raw: list[Any], *, quickly: bool) -> Any:
        """What a patch leads to."""
        events = json.loads(json.dumps(raw))
        for event in events:
            reference = event.get("model") if isinstance(event, dict) else None
            if isinstance(reference, dict) and reference.get("id") in self.models:
                reference["id"] = self.models[reference["id"]].id
        content = {"events": events}
        before = json.dumps(content)
        try:
            with current_document(self.document):
                patch = decode_patch(self.document, content, (), setter=CLIENT, may_script=False)
                found: Any = [_shown(event) for event in patch.events]
                failure = apply_patch(self.document, patch, setter=CLIENT)
                found.append(failure and (failure.summary, type(failure.__cause__)))
        except PatchError as error:
            found = [str(error), type(error.__cause__)]
        assert json.dumps(content) == before
        taken = self.changes.take()
        for client in (CLIENT, "another"):
            found.append(self._told(taken, client, quickly=quickly))
        mark_seen(self.document)
        return re.sub("p[0-9]+", self._name, repr(found))

    def _told(self, events: Any, client: Any, *, quickly: bool) -> Any:
        quick = encode_plain(self.document, events, client) if quickly else None
        if quick is not None:
            content, buffers = quick
            return (json.loads(content), buffers) if content else None
        fresh = unseen_models(self.document)
        said = encode_changes(self.document, changes_of(events), fresh=fresh, client=client)
        return (json.loads(said.content), said.buffers) if said is not None else None

    def _name(self, found: re.Match[str]) -> str:
        names = {str(model.id): name for name, model in self.models.items()}
        return names.get(found[0], "somebody")


def _shown(event: dict[str, Any]) -> Any:
    return {name: (type(value), repr(value)) for name, value in event.items()}


names = st.sampled_from(
    ["slider", "text", "div", "select", "spinner", "range", "scatter", "source", "gone", "nobody"]
)
attributes = st.sampled_from(
    [
        *("value", "text", "disabled", "visible", "start", "size", "active", "name", "tags"),
        *("title", "js_property_callbacks", "value_throttled", "data", "unknown", "step", "width"),
    ]
)
scalars = st.one_of(
    st.integers(-1, 9),
    st.sampled_from(["raise", "new", "twice", "leave", "float", "delete", "a", "\ud83d", "ü", ""]),
    st.sampled_from([1.5, 2**60, True, False, None, 5, 6]),
)
values = scalars | st.sampled_from([[], [1], {}, {"value": 3}, {"type": "number", "value": "nan"}])


def changed(model: Any, attr: Any, new: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": model, "attr": attr, "new": new, **more}


references = names.map(lambda name: {"id": name})
usual = st.one_of(
    st.builds(changed, st.just({"id": "slider"}), st.just("value"), st.integers(0, 9)),
    st.builds(changed, st.just({"id": "text"}), st.just("value"), scalars),
    st.builds(changed, st.just({"id": "div"}), st.just("text"), st.sampled_from(["", "0", "z"])),
)
others = st.one_of(
    st.builds(changed, references, attributes, scalars),
    st.builds(changed, references, attributes, values),
    st.builds(changed, references, attributes, scalars, hint=st.just(None)),
    st.builds(changed, scalars | st.just({"id": "div", "type": "object"}), attributes, scalars),
    st.builds(changed, references, scalars, scalars),
    st.builds(
        lambda model, data: {
            "kind": "ColumnDataChanged",
            "model": model,
            "attr": "data",
            "data": data,
            "cols": None,
        },
        references,
        st.sampled_from([{"type": "map", "entries": [["x", [1, 2]]]}, {"x": [1]}, 3]),
    ),
    st.builds(
        lambda model, data: {
            "kind": "ColumnsStreamed",
            "model": model,
            "attr": "data",
            "data": data,
        },
        references,
        st.sampled_from([{"type": "map", "entries": [["x", [1, 2]]]}, {"x": [1]}]),
    ),
    st.builds(lambda title: {"kind": "TitleChanged", "title": title}, values),
    st.builds(lambda data: {"kind": "MessageSent", "msg_type": "a", "msg_data": data}, values),
    st.builds(lambda model: {"kind": "RootRemoved", "model": model}, references),
    st.sampled_from([None, 1, {}, {"kind": "None"}, {"kind": "ModelChanged"}]),
)
whole_patches = st.lists(usual, min_size=1, max_size=3) | st.lists(usual | others, max_size=4)


def play(raws: list[list[Any]], *, quickly: bool) -> list[Any]:
    stage = Stage()
    if quickly:
        return [stage.patched(raw, quickly=True) for raw in raws]
    with mock.patch.object(patches, "_plain_events", return_value=None):
        return [stage.patched(raw, quickly=False) for raw in raws]


@example([[changed({"id": "slider"}, "value", n)] for n in [5, 4] * len(COLUMNS)])
@given(st.lists(whole_patches, min_size=1, max_size=4))
@example([[changed({"id": "slider"}, "value", 1)], [changed({"id": "text"}, "value", "leave")]])
@example([[changed({"id": "text"}, "value", "delete"), changed({"id": "slider"}, "value", "x")]])
@SETTINGS
def test_patches_lead_to_the_same(raws: list[list[Any]]) -> None:
    with plain():
        theirs = play(raws, quickly=False)
    with accelerated():
        assert play(raws, quickly=True) == theirs


def test_the_usual_patch_goes_the_quick_way() -> None:
    stage = Stage()
    with (
        accelerated(),
        mock.patch.object(patches, "Rehearsal", side_effect=AssertionError),
        mock.patch.object(patches, "_Decoder", side_effect=AssertionError),
    ):
        stage.patched([changed({"id": "slider"}, "value", 3)], quickly=True)
        with current_document(stage.document):
            stage.slider.value = 4
        told = encode_plain(stage.document, stage.changes.take(), CLIENT)
    assert told is not None
    assert json.loads(told[0]) == {
        "events": [
            changed({"id": stage.slider.id}, "value", 4),
            changed({"id": stage.div.id}, "text", "4"),
        ]
    }
    assert encode_plain(stage.document, [], CLIENT) == (b"", ())


def test_columns_of_arrays_go_the_quick_way() -> None:
    stage = Stage()
    with accelerated(), current_document(stage.document):
        stage.source.data = COLUMNS[2]
        told = encode_plain(stage.document, stage.changes.take(), CLIENT)
    assert told is not None
    assert [buffer.id for buffer in told[1]] == ["b0", "b1"]
