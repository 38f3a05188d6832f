"""Documents: made, filled anew, taken apart."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bokeh.application.application import SessionContext
from bokeh.models import Column, ColumnDataSource, CustomJS
from bokeh.models.widgets import Div, Slider

from hyperfocal.document import (
    Document,
    bounds,
    dispose,
    encode_document,
    mark_seen,
    new_document,
    replace_document,
    set_session_context,
    unseen_models,
)
from hyperfocal.errors import PatchError, SessionGoneError
from hyperfocal.wire import Buffer
from tests.document.replica import Desk, Replica, events_of, manager

CLIENT = object()


def state(document: Document) -> dict[str, Any]:
    return Replica.of(document).state()


# --- what clients know ------------------------------------------------------------------------


def test_models_are_unseen_until_they_are_marked_seen() -> None:
    document = new_document()
    div = Div()
    document.add_root(div)
    assert div in unseen_models(document)
    mark_seen(document)
    assert unseen_models(document) == frozenset()


def test_a_model_that_leaves_and_comes_back_is_unseen_again() -> None:
    desk = Desk(div := Div())
    desk.document.remove_root(div)
    desk.document.add_root(div)
    assert div in unseen_models(desk.document)


def test_models_that_came_under_hold_stay_unseen_until_it_ends() -> None:
    desk = Desk(box := Column())
    desk.document.hold()
    child: Any = Div()
    box.children = [child]
    mark_seen(desk.document)
    assert child in unseen_models(desk.document)
    desk.document.unhold()
    mark_seen(desk.document)
    assert unseen_models(desk.document) == frozenset()


def test_a_hold_that_holds_nothing_does_not_keep_models_unseen() -> None:
    desk = Desk()
    desk.document.add_root(Div())
    desk.document.hold()
    mark_seen(desk.document)
    assert unseen_models(desk.document) == frozenset()


def test_the_snapshot_of_unseen_models_does_not_change_later() -> None:
    document = new_document()
    document.add_root(Div())
    snapshot = unseen_models(document)
    mark_seen(document)
    assert len(snapshot) == 1


class Context(SessionContext):
    @property
    def destroyed(self) -> bool:
        return False

    async def with_locked_document(self, func: Any) -> None: ...


def test_the_session_context_is_given_and_held_weakly() -> None:
    document = new_document()
    context: Any = object.__new__(Context)
    set_session_context(document, context)
    assert document.session_context is context
    del context
    gc.collect()
    assert document.session_context is None
    set_session_context(document, None)
    assert document.session_context is None


# --- PUSH-DOC ---------------------------------------------------------------------------------


def pushed(*roots: Any, title: str = "pushed") -> tuple[dict[str, Any], tuple[Buffer, ...]]:
    source = new_document()
    source.title = title
    for root in roots:
        source.add_root(root)
    encoded = encode_document(source)
    return json.loads(encoded.content), encoded.buffers


def test_a_pushed_document_takes_the_place_of_everything() -> None:
    desk = Desk(Slider(start=0, end=9, value=1))
    content, buffers = pushed(Div(text="new"), ColumnDataSource(data={"x": np.array([1.0, 2.0])}))
    replace_document(desk.document, content, buffers, setter=CLIENT)
    div, source = desk.document.roots
    assert isinstance(div, Div) and div.text == "new"
    assert isinstance(source, ColumnDataSource) and list(source.data["x"]) == [1.0, 2.0]
    assert desk.document.title == "pushed"
    assert {model.id for model in unseen_models(desk.document)} >= {div.id, source.id}


def test_everybody_else_hears_of_a_pushed_document() -> None:
    desk = Desk(Slider(start=0, end=9, value=1))
    replica = Replica.of(desk.document)
    content, buffers = pushed(Div(text="new"))
    replace_document(desk.document, content, buffers, setter=CLIENT)
    mine, others = desk.end_turn(CLIENT)
    assert events_of(mine) == []
    replica.apply(others)
    assert replica.state() == state(desk.document)


def test_a_pushed_document_that_comes_back_with_other_values_reaches_everybody_else() -> None:
    """The same ids, and one property back at its default."""
    slider = Slider(start=0, end=9, value=1, title="old title")
    desk = Desk(slider)
    replica = Replica.of(desk.document)
    content, buffers = pushed()
    content["doc"]["roots"] = [
        {
            "type": "object",
            "name": "Slider",
            "id": slider.id,
            "attributes": {"start": 0, "end": 9, "value": 5},
        }
    ]
    replace_document(desk.document, content, buffers, setter=CLIENT)
    replica.apply(desk.end_turn(CLIENT)[1])
    assert replica.state() == state(desk.document)


@pytest.mark.parametrize("part", ["roots", "title", "config"])
def test_a_pushed_document_that_lacks_a_part_is_refused_and_changes_nothing(part: str) -> None:
    desk = Desk(Slider(start=0, end=9, value=1))
    before = state(desk.document)
    content, buffers = pushed(Div(text="new"))
    del content["doc"][part]
    with pytest.raises(PatchError, match="cannot be decoded"):
        replace_document(desk.document, content, buffers, setter=CLIENT)
    assert state(desk.document) == before
    assert desk.end_turn_events() == []


CONFIG: dict[str, Any] = {"type": "object", "name": "DocumentConfig", "id": "c"}
#: A model without the values that it must have.
HALF = {"type": "object", "name": "Slider", "id": "1", "attributes": {"value": 1}}

BAD_DOCS: dict[str, Any] = {
    "nothing": None,
    "a list": [],
    "no document": {},
    "a document that is nothing": {"doc": None},
    "a document that is a number": {"doc": 5},
    "roots that are no list": {"doc": {"roots": 5, "title": "t", "config": CONFIG}},
    "a root that is no model": {"doc": {"roots": [5], "title": "t", "config": CONFIG}},
    "an unknown root": {"doc": {"roots": [{"id": "nobody"}], "title": "t", "config": CONFIG}},
    "an unknown type": {
        "doc": {"roots": [{**HALF, "name": "NoSuch"}], "title": "t", "config": CONFIG}
    },
    "a title that is no text": {"doc": {"roots": [], "title": 5, "config": CONFIG}},
    "a configuration that is none": {"doc": {"roots": [], "title": "t", "config": 5}},
    "a model that lacks values": {"doc": {"roots": [HALF], "title": "t", "config": CONFIG}},
}


@pytest.mark.parametrize("name", BAD_DOCS)
def test_a_bad_pushed_document_is_refused_and_changes_nothing(name: str) -> None:
    desk = Desk(Slider(start=0, end=9, value=1))
    before = state(desk.document)
    with pytest.raises(PatchError, match="cannot be decoded"):
        replace_document(desk.document, BAD_DOCS[name], (), setter=CLIENT)
    assert state(desk.document) == before
    assert desk.end_turn_events() == []


def test_inline_bytes_of_a_pushed_document_are_limited_as_those_of_a_patch_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 1000)
    desk = Desk(Slider(start=0, end=9, value=1))
    source = new_document()
    source.add_root(ColumnDataSource(data={"x": np.zeros(100_000)}))
    content = json.loads(encode_document(source, inline=True).content)
    with pytest.raises(PatchError):
        replace_document(desk.document, content, (), setter=CLIENT)


def test_pushing_leaves_the_callers_content_alone() -> None:
    desk = Desk()
    content, buffers = pushed(Div(text="new"))
    before = json.dumps(content)
    replace_document(desk.document, content, buffers, setter=CLIENT)
    assert json.dumps(content) == before


# --- dispose ----------------------------------------------------------------------------------


class Listener:
    """Something whose end can be seen."""

    def changed(self, attr: str, old: Any, new: Any) -> None: ...

    def event(self, event: Any) -> None: ...

    def tick(self) -> None: ...

    def destroyed(self, session_context: Any) -> None: ...


def build() -> tuple[Document, dict[str, weakref.ref[Any]]]:
    """A document with everything that can hold on to something."""
    document = new_document()
    listener = Listener()
    slider = Slider(start=0, end=9, value=1, name="named")
    slider.on_change("value", listener.changed)
    slider.on_event("button_click", listener.event)
    slider.js_on_change("value", CustomJS(code="", args={"slider": slider}))
    source = ColumnDataSource(data={"x": np.zeros(3)})
    box: Any = Column(children=[slider], tags=[source])
    source.on_change("data", lambda attr, old, new: box)
    document.add_root(box)
    document.on_change(listener.event)
    document.on_event("document_ready", listener.event)
    document.on_message("hello", listener.event)
    document.on_session_destroyed(listener.destroyed)
    document.add_periodic_callback(listener.tick, 100)
    document.template_variables["box"] = box
    document.hold()
    slider.value = 2
    module = ModuleType("hyperfocal_test_module")
    module.__dict__.update(box=box, document=document, listener=listener)
    document.modules.add(module)
    found: dict[str, weakref.ref[Any]] = {
        "module": weakref.ref(module),
        "listener": weakref.ref(listener),
    }
    found.update({type(m).__name__: weakref.ref(m) for m in document.models})
    return document, found


def test_nothing_of_a_disposed_document_stays_in_memory() -> None:
    document, found = build()
    found["document"] = weakref.ref(document)
    assert {"Slider", "Column", "ColumnDataSource", "CustomJS"} <= set(found)
    dispose(document, "s1")
    del document
    gc.collect()
    assert {name for name, reference in found.items() if reference() is not None} == set()


def test_nothing_but_itself_stays_of_a_disposed_document_that_somebody_holds() -> None:
    document, found = build()
    dispose(document, "s1")
    gc.collect()
    assert {name for name, reference in found.items() if reference() is not None} == set()
    assert document.roots == []
    assert list(document.models) == []
    assert document.session_callbacks == []


def test_the_modules_of_a_disposed_document_are_gone() -> None:
    document, _ = build()
    assert "hyperfocal_test_module" in sys.modules
    dispose(document, "s1")
    assert "hyperfocal_test_module" not in sys.modules
    assert len(document.modules) == 0


def test_disposing_does_not_collect_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    document, _ = build()
    monkeypatch.setattr(gc, "collect", lambda *args: calls.append(args))
    monkeypatch.setattr(gc, "get_referrers", lambda *args: calls.append(args))
    dispose(document, "s1")
    assert calls == []


def test_adding_a_callback_to_a_disposed_document_says_that_the_session_is_gone() -> None:
    document, _ = build()
    dispose(document, "s1")
    for add in (
        lambda: document.add_next_tick_callback(print),
        lambda: document.add_timeout_callback(print, 1),
        lambda: document.add_periodic_callback(print, 1),
    ):
        with pytest.raises(SessionGoneError, match="is gone"):
            add()


def test_a_disposed_document_may_still_be_changed_and_nobody_hears() -> None:
    desk = Desk(slider := Slider(start=0, end=9, value=1))
    dispose(desk.document, "s1")
    slider.value = 5
    desk.document.title = "late"
    desk.document.add_root(Div())
    assert len(desk.recorder.changes) == 0


def test_disposing_twice_is_harmless() -> None:
    document, _ = build()
    dispose(document, "s1")
    dispose(document, "s1")
    assert document.roots == []


def test_a_document_that_bokeh_made_can_be_disposed() -> None:
    document = Document()
    document.add_root(Div())
    dispose(document, "s1")
    assert document.roots == []


def test_a_document_has_a_manager_that_records() -> None:
    document = new_document()
    assert manager(document) is document.callbacks
    assert manager(document)._document() is document
