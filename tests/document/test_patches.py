"""Patches from clients: what is taken, what is refused, and what stays as it was."""

from __future__ import annotations

import base64
import gzip
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.events import ButtonClick, DocumentReady
from bokeh.models import Column, ColumnDataSource, Range1d
from bokeh.models.annotations import Legend, LegendItem
from bokeh.models.widgets import Button, Div, Slider

from hyperfocal.document import (
    Document,
    apply_patch,
    bounds,
    changes_of,
    decode_patch,
    new_document,
)
from hyperfocal.document.rehearsal import CHECKS, Rehearsal
from hyperfocal.errors import PatchError
from hyperfocal.wire import Buffer
from tests.document.replica import Desk, Replica, events_of

CLIENT = object()


class Page:
    def __init__(self) -> None:
        self.slider = Slider(start=0, end=100, value=1)
        self.button = Button(label="go")
        self.clicks: list[Any] = []
        self.button.on_event(ButtonClick, self.clicks.append)
        self.source = ColumnDataSource(data={"x": [1, 2, 3], "y": np.array([1.0, 2.0, 3.0])})
        self.images = ColumnDataSource(data={"image": [np.zeros((2, 2)), np.zeros((2, 2))]})
        self.box: Any = Column(children=[self.slider, self.button], tags=[self.source, self.images])
        self.desk = Desk(self.box)

    @property
    def document(self) -> Document:
        return self.desk.document

    @property
    def data(self) -> dict[Any, list[Any]]:
        return {name: list(column) for name, column in self.source.data.items()}

    def state(self) -> dict[str, Any]:
        return Replica.of(self.document).state()

    def take(self, *events: Any, buffers: tuple[Buffer, ...] = ()) -> None:
        """Decode and apply, and expect that no callback fails."""
        patch = decode_patch(self.document, {"events": list(events)}, buffers, setter=CLIENT)
        assert apply_patch(self.document, patch, setter=CLIENT) is None

    def refuses(
        self, *events: Any, match: str | None = None, buffers: tuple[Buffer, ...] = ()
    ) -> None:
        """Expect that the patch is refused as a whole."""
        before = self.state()
        with pytest.raises(PatchError, match=match):
            self.take(*events, buffers=buffers)
        assert self.state() == before
        assert self.desk.end_turn_events() == []

    # --- events -------------------------------------------------------------------------------

    def set_value(self, value: Any, attr: str = "value") -> dict[str, Any]:
        return {
            "kind": "ModelChanged",
            "model": {"id": self.slider.id},
            "attr": attr,
            "new": value,
        }

    def about_data(self, kind: str, **fields: Any) -> dict[str, Any]:
        return {"kind": kind, "model": {"id": self.source.id}, "attr": "data", **fields}

    def stream(self, data: Any, rollover: Any = None) -> dict[str, Any]:
        return self.about_data("ColumnsStreamed", data=data, rollover=rollover)

    def patch(self, **columns: Any) -> dict[str, Any]:
        return self.about_data("ColumnsPatched", patches=columns)

    def patch_images(self, index: Any, value: Any) -> dict[str, Any]:
        return {
            "kind": "ColumnsPatched",
            "model": {"id": self.images.id},
            "attr": "data",
            "patches": {"image": [[index, value]]},
        }


@pytest.fixture
def page() -> Page:
    return Page()


def definition(model_id: str, name: str = "Div", **attributes: Any) -> dict[str, Any]:
    return {"type": "object", "name": name, "id": model_id, "attributes": attributes}


def piece(start: Any, stop: Any, step: Any = None) -> dict[str, Any]:
    return {"type": "slice", "start": start, "stop": stop, "step": step}


# --- the good ---------------------------------------------------------------------------------


def test_a_value_is_set(page: Page) -> None:
    page.take(page.set_value(42))
    assert page.slider.value == 42


def test_the_setter_of_a_change_is_the_client(page: Page) -> None:
    page.take(page.set_value(42))
    (change,) = changes_of(page.desk.recorder.changes.take())
    assert change.setters == (CLIENT,)
    assert not change.concerns(CLIENT)
    assert change.concerns(object()) and change.concerns(None)


def test_all_columns_are_replaced(page: Page) -> None:
    page.take(page.about_data("ColumnDataChanged", data={"a": [1]}, cols=None))
    assert page.data == {"a": [1]}


def test_named_columns_leave_the_others_as_they_are(page: Page) -> None:
    page.take(page.about_data("ColumnDataChanged", data={"x": [7, 8, 9]}, cols=["x"]))
    assert page.data == {"x": [7, 8, 9], "y": [1.0, 2.0, 3.0]}


def test_named_columns_of_two_events_of_one_patch_are_both_set(page: Page) -> None:
    page.take(
        page.about_data("ColumnDataChanged", data={"x": [7, 8, 9]}, cols=["x"]),
        page.about_data("ColumnDataChanged", data={"y": [4, 5, 6]}, cols=["y"]),
    )
    assert page.data == {"x": [7, 8, 9], "y": [4, 5, 6]}


def test_rows_are_streamed_with_their_rollover(page: Page) -> None:
    page.take(page.stream({"x": [4], "y": [4]}, 2))
    assert page.data == {"x": [3, 4], "y": [3.0, 4.0]}


def test_rows_are_streamed_into_an_empty_source(page: Page) -> None:
    page.source.data = {}
    page.take(page.stream({"x": [4], "y": [4]}))
    assert page.data == {"x": [4], "y": [4]}


def test_the_columns_that_an_event_brings_are_those_that_the_next_may_stream(page: Page) -> None:
    page.take(
        page.about_data("ColumnDataChanged", data={"a": [1]}, cols=None),
        page.stream({"a": [2]}),
    )
    assert page.data == {"a": [1, 2]}


def test_a_row_that_an_event_brings_is_there_for_the_next_to_patch(page: Page) -> None:
    page.take(page.stream({"x": [4], "y": [4]}), page.patch(x=[[3, 9]]))
    assert page.data["x"] == [1, 2, 3, 9]


def test_items_and_slices_of_columns_are_patched(page: Page) -> None:
    page.take(page.patch(x=[[0, 7], [piece(1, 3), [8, 9]]], y=[[2, 5.0]]))
    assert page.data == {"x": [7, 8, 9], "y": [1.0, 2.0, 5.0]}


def test_parts_of_array_items_are_patched(page: Page) -> None:
    page.take(page.patch_images([1, 0, piece(None, None)], [5.0, 6.0]))
    assert page.images.data["image"][1].tolist() == [[5.0, 6.0], [0.0, 0.0]]


def test_the_title_is_set(page: Page) -> None:
    page.take({"kind": "TitleChanged", "title": "new"})
    assert page.document.title == "new"


def test_roots_are_added_and_removed(page: Page) -> None:
    page.take({"kind": "RootAdded", "model": definition("new-1", text="hello")})
    assert [root.id for root in page.document.roots] == [page.box.id, "new-1"]
    page.take({"kind": "RootRemoved", "model": {"id": page.box.id}})
    assert [root.id for root in page.document.roots] == ["new-1"]


def test_a_message_reaches_its_listeners(page: Page) -> None:
    heard: list[Any] = []
    page.document.on_message("hello", heard.append)
    page.take({"kind": "MessageSent", "msg_type": "hello", "msg_data": {"a": 1}})
    assert heard == [{"a": 1}]


def test_a_model_event_reaches_its_model(page: Page) -> None:
    values = {"type": "map", "entries": [["model", {"id": page.button.id}]]}
    page.take(
        {
            "kind": "MessageSent",
            "msg_type": "bokeh_event",
            "msg_data": {"type": "event", "name": "button_click", "values": values},
        }
    )
    assert [event.model for event in page.clicks] == [page.button]


def test_a_document_event_reaches_the_document(page: Page) -> None:
    heard: list[Any] = []
    page.document.on_event(DocumentReady, heard.append)
    event = {"type": "event", "name": "document_ready", "values": {"type": "map"}}
    page.take({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event})
    assert len(heard) == 1


def test_an_unknown_attribute_is_ignored_and_the_rest_applied(page: Page) -> None:
    page.take(page.set_value(1, attr="no_such"), page.set_value(42))
    assert page.slider.value == 42
    assert len(page.desk.recorder.changes) == 1


def test_an_array_in_a_buffer_is_decoded(page: Page) -> None:
    array = {
        "type": "ndarray",
        "array": {"type": "bytes", "data": {"id": "b0"}},
        "dtype": "float64",
        "order": "little",
        "shape": [2],
    }
    payload = memoryview(np.array([1.5, 2.5], dtype="<f8").tobytes())
    page.take(
        page.about_data("ColumnDataChanged", data={"x": array}, cols=None),
        buffers=(Buffer("b0", payload),),
    )
    assert page.data == {"x": [1.5, 2.5]}


def inline(data: bytes) -> dict[str, Any]:
    packed = base64.b64encode(gzip.compress(data)).decode()
    return {
        "type": "ndarray",
        "array": {"type": "bytes", "data": packed},
        "dtype": "uint8",
        "order": "little",
        "shape": [len(data)],
    }


def test_an_inline_array_is_decoded(page: Page) -> None:
    page.take(page.about_data("ColumnDataChanged", data={"x": inline(b"\1\2")}, cols=None))
    assert page.data == {"x": [1, 2]}


def test_a_patch_without_events_does_nothing(page: Page) -> None:
    page.take()
    assert page.desk.end_turn_events() == []


# --- the bad ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [{}, {"events": None}, {"events": {}}, {"events": "x"}])
def test_content_without_a_list_of_events_is_refused(page: Page, content: Any) -> None:
    with pytest.raises(PatchError, match="no list of events"):
        decode_patch(page.document, content, (), setter=CLIENT)


Events = Callable[[Page], Any]

BAD: dict[str, Events] = {
    "not an object": lambda page: 7,
    "no kind": lambda page: {"title": "t"},
    "unknown kind": lambda page: {"kind": "Nonsense"},
    "kind that is not text": lambda page: {"kind": ["TitleChanged"]},
    "change without model": lambda page: {"kind": "ModelChanged", "attr": "value", "new": 1},
    "change without attr": lambda page: {
        "kind": "ModelChanged",
        "model": {"id": page.slider.id},
        "new": 1,
    },
    "change without value": lambda page: {
        "kind": "ModelChanged",
        "model": {"id": page.slider.id},
        "attr": "value",
    },
    "model that is not a model": lambda page: {**page.set_value(1), "model": 5},
    "attribute that is not a name": lambda page: {**page.set_value(1), "attr": 5},
    "value of a wrong type": lambda page: page.set_value("text"),
    "child that is not a model": lambda page: {
        **page.set_value([5], "children"),
        "model": {"id": page.box.id},
    },
    "data that are not columns": lambda page: page.about_data("ColumnDataChanged", data=[1]),
    "columns that are not sequences": lambda page: page.about_data(
        "ColumnDataChanged", data={"x": 5}, cols=None
    ),
    "no data": lambda page: page.about_data("ColumnDataChanged"),
    "stream to a slider": lambda page: {
        **page.stream({"x": [1], "y": [1]}),
        "model": {"id": page.slider.id},
    },
    "stream to another attribute": lambda page: {
        **page.stream({"x": [1], "y": [1]}),
        "attr": "tags",
    },
    "stream of one column": lambda page: page.stream({"x": [1]}),
    "stream of too many columns": lambda page: page.stream({"x": [1], "y": [1], "z": [1]}),
    "stream of uneven columns": lambda page: page.stream({"x": [1], "y": [1, 2]}),
    "stream of scalars": lambda page: page.stream({"x": 1, "y": 1}),
    "stream of a list": lambda page: page.stream([1]),
    "rollover that is not a number": lambda page: page.stream({"x": [1], "y": [1]}, "3"),
    "rollover that is a boolean": lambda page: page.stream({"x": [1], "y": [1]}, True),
    "rollover that is not whole": lambda page: page.stream({"x": [1], "y": [1]}, 1.5),
    "patch of an unknown column": lambda page: page.patch(z=[[0, 1]]),
    "patch past the end": lambda page: page.patch(x=[[3, 1]]),
    "patch before the start": lambda page: page.patch(x=[[-1, 1]]),
    "patch at text": lambda page: page.patch(x=[["0", 1]]),
    "patch of a slice past the end": lambda page: page.patch(x=[[piece(0, 4), [1, 2, 3, 4]]]),
    "patch of an image past the end": lambda page: page.patch_images([2, 0, 0], [1.0]),
    "patch of nothing": lambda page: page.patch_images([], [1.0]),
    "patch that is not a pair": lambda page: page.patch(x=[[0]]),
    "patches that are not a list": lambda page: page.patch(x=5),
    "patch of a slider": lambda page: {**page.patch(x=[[0, 1]]), "model": {"id": page.slider.id}},
    "title that is not text": lambda page: {"kind": "TitleChanged", "title": 5},
    "no title": lambda page: {"kind": "TitleChanged"},
    "root that is not a model": lambda page: {"kind": "RootAdded", "model": 5},
    "no root": lambda page: {"kind": "RootAdded"},
    "removed root that is not a model": lambda page: {"kind": "RootRemoved", "model": None},
    "message without data": lambda page: {"kind": "MessageSent", "msg_type": "a"},
    "message type that is not a name": lambda page: {
        "kind": "MessageSent",
        "msg_type": 5,
        "msg_data": 1,
    },
    "event that is no event": lambda page: {
        "kind": "MessageSent",
        "msg_type": "bokeh_event",
        "msg_data": 1,
    },
    "unknown reference": lambda page: {**page.set_value(1), "model": {"id": "nobody"}},
    "unknown type of value": lambda page: page.set_value({"type": "nonsense"}),
    "unknown type of model": lambda page: {
        "kind": "RootAdded",
        "model": definition("new-1", "NoSuchModel"),
    },
    "model with a wrong value": lambda page: {
        "kind": "RootAdded",
        "model": definition("new-1", text=5),
    },
    "reference without an id": lambda page: {**page.set_value(1), "model": {"type": "ref"}},
    "array without its buffer": lambda page: page.set_value(
        {
            "type": "ndarray",
            "array": {"type": "bytes", "data": {"id": "b9"}},
            "dtype": "float64",
            "order": "little",
            "shape": [1],
        }
    ),
    "bytes that are not base64": lambda page: page.set_value({"type": "bytes", "data": "!!"}),
    "bytes that are not gzip": lambda page: page.set_value({"type": "bytes", "data": "AAAA"}),
    "bytes that are cut off": lambda page: page.set_value(
        {
            "type": "bytes",
            "data": base64.b64encode(gzip.compress(b"x" * 99)[:-9]).decode(),
        }
    ),
    # What Bokeh itself refuses only when it applies the event:
    "slice that goes backwards": lambda page: page.patch(x=[[piece(2, 1), []]]),
    "slice with a negative start": lambda page: page.patch(x=[[piece(-2, 1), [1]]]),
    "slice with a negative step": lambda page: page.patch(x=[[piece(0, 2, -1), [1, 2]]]),
    "slice that is not whole": lambda page: page.patch(x=[[piece(0, 1.5), [1]]]),
    "patch in an item that is no array": lambda page: page.patch(x=[[[0, 0], [1]]]),
    "patch with one subindex": lambda page: page.patch_images([0], [1.0]),
    "patch with the wrong dimensions": lambda page: page.patch_images([0, 0], [1.0]),
    "patch with a wrong subindex": lambda page: page.patch_images([0, 0, "a"], [1.0]),
    "patch with a subindex past the end": lambda page: page.patch_images([0, 0, 9], [1.0]),
    "slice of an array with too few values": lambda page: page.patch(y=[[piece(0, 3), [1, 2]]]),
    "slice of a list with too many values": lambda page: page.patch(x=[[piece(0, 1), [1, 2]]]),
    "text in an array of numbers": lambda page: page.patch(y=[[0, "text"]]),
    "negative rollover": lambda page: page.stream({"x": [1], "y": [1]}, -1),
    "stream of text instead of a column": lambda page: page.stream({"x": "a", "y": "b"}),
    "model that lacks values that it must have": lambda page: {
        "kind": "RootAdded",
        "model": definition("new-1", "Slider", value=3),
    },
}


@pytest.mark.parametrize("name", BAD)
def test_a_patch_whose_later_event_is_bad_changes_nothing(page: Page, name: str) -> None:
    page.refuses(page.set_value(42), {"kind": "TitleChanged", "title": "changed"}, BAD[name](page))


def test_an_event_that_an_earlier_event_makes_impossible_is_refused(page: Page) -> None:
    page.refuses(
        page.about_data("ColumnDataChanged", data={"a": [1]}, cols=None),
        page.patch(x=[[0, 1]]),
    )


def test_a_root_of_another_document_is_refused(page: Page) -> None:
    other = new_document()
    div = Div()
    other.add_root(div)
    with pytest.raises(PatchError, match="another document"):
        Rehearsal(page.document).check({"kind": "RootAdded", "model": div})


def test_every_kind_of_event_has_a_check() -> None:
    from bokeh.document.events import DocumentPatchedEvent

    assert set(CHECKS) == set(DocumentPatchedEvent._handlers)


def test_an_alternative_form_of_a_value_is_converted_as_bokeh_does(page: Page) -> None:
    """The items of a legend may be pairs of a label and renderers."""
    legend = Legend()
    page.document.add_root(legend)
    page.take({**page.set_value([["label", []]], "items"), "model": {"id": legend.id}})
    (item,) = legend.items
    assert isinstance(item, LegendItem)


# --- references -------------------------------------------------------------------------------


def test_an_edit_of_a_model_that_has_left_is_dropped_as_a_whole(page: Page) -> None:
    page.box.children = [page.button]
    page.desk.end_turn()
    before = page.state()
    content = {"events": [{"kind": "TitleChanged", "title": "new"}, page.set_value(5)]}
    patch = decode_patch(page.document, content, (), setter=CLIENT)
    assert patch.events == () and patch.defined == frozenset()
    assert apply_patch(page.document, patch, setter=CLIENT) is None
    assert page.state() == before


def test_an_edit_of_a_model_that_never_was_is_refused(page: Page) -> None:
    page.refuses({**page.set_value(5), "model": {"id": "p0"}}, match="unknown model, id 'p0'")


def test_models_that_a_patch_defines_may_be_referred_to_by_it_and_are_given(page: Page) -> None:
    column = definition("new-1", "Column", children=[definition("new-2", text="inner")])
    content = {
        "events": [
            {"kind": "RootAdded", "model": column},
            {**page.set_value("changed", "text"), "model": {"id": "new-2"}},
        ]
    }
    patch = decode_patch(page.document, content, (), setter=CLIENT)
    assert {model.id for model in patch.defined} == {"new-1", "new-2"}
    assert page.document.models.get_by_id("new-1") is None  # type: ignore[arg-type]
    assert apply_patch(page.document, patch, setter=CLIENT) is None
    inner: Any = page.document.models.get_by_id("new-2")  # type: ignore[arg-type]
    assert inner.text == "changed"
    assert inner in patch.defined


def test_a_known_model_that_a_client_defines_again_stays_as_it_is_without_a_warning(
    page: Page,
) -> None:
    again = definition(page.slider.id, "Slider", value=77, title="again")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = {
            "events": [
                {
                    "kind": "ModelChanged",
                    "model": {"id": page.box.id},
                    "attr": "children",
                    "new": [again],
                }
            ]
        }
        patch = decode_patch(page.document, content, (), setter=CLIENT)
        assert apply_patch(page.document, patch, setter=CLIENT) is None
    assert page.box.children == [page.slider]
    assert (page.slider.value, page.slider.title) == (1, "")
    assert patch.defined == frozenset()


def test_a_model_that_a_patch_defines_twice_is_one_model(page: Page) -> None:
    page.take(
        {"kind": "RootAdded", "model": definition("new-1", text="first")},
        {"kind": "RootAdded", "model": definition("new-1", text="first")},
    )
    assert [root.id for root in page.document.roots] == [page.box.id, "new-1"]


def test_decoding_leaves_the_callers_content_and_the_document_alone(page: Page) -> None:
    before = page.state()
    event = page.set_value(42)
    content = {"events": [dict(event)]}
    decode_patch(page.document, content, (), setter=CLIENT)
    assert content == {"events": [event]}
    assert page.state() == before


def test_applying_a_patch_leaves_the_patch_alone(page: Page) -> None:
    patch = decode_patch(page.document, {"events": [page.set_value(42)]}, (), setter=CLIENT)
    assert apply_patch(page.document, patch, setter=CLIENT) is None
    assert patch.events == (
        {"kind": "ModelChanged", "model": page.slider, "attr": "value", "new": 42},
    )


# --- sizes ------------------------------------------------------------------------------------


def test_inline_bytes_that_unpack_to_more_than_the_limit_are_refused(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 1000)
    good = page.about_data("ColumnDataChanged", data={"x": inline(bytes(999))}, cols=None)
    page.take(good)
    assert len(page.data["x"]) == 999
    page.desk.end_turn()
    bomb = page.about_data("ColumnDataChanged", data={"x": inline(bytes(1_000_000))}, cols=None)
    page.refuses(bomb, match="when it is unpacked")


def test_deep_nesting_is_refused(page: Page) -> None:
    value: Any = 1
    for _ in range(5000):
        value = [value]
    page.refuses(page.set_value(value))


# --- failing callbacks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "summary"),
    [(ValueError("boom"), "ValueError: boom"), (SystemExit(3), "SystemExit: 3")],
)
def test_a_failing_callback_is_reported_and_the_rest_applied_and_recorded(
    page: Page, error: BaseException, summary: str
) -> None:
    def fail(attr: str, old: Any, new: Any) -> None:
        raise error

    page.slider.on_change("value", fail)
    content = {"events": [page.set_value(42), {"kind": "TitleChanged", "title": "new"}]}
    _, others, failure = page.desk.receive(CLIENT, content)
    assert failure is not None
    assert failure.summary == summary
    assert failure.__cause__ is error
    assert "in fail" in failure.detail
    assert (page.slider.value, page.document.title) == (42, "new")
    assert [event["kind"] for event in events_of(others)] == ["ModelChanged", "TitleChanged"]


def test_of_several_failures_the_first_is_reported(page: Page) -> None:
    def fail(attr: str, old: Any, new: Any) -> None:
        raise ValueError(f"about {new}")

    page.slider.on_change("value", fail)
    patch = decode_patch(
        page.document, {"events": [page.set_value(2), page.set_value(3)]}, (), setter=CLIENT
    )
    failure = apply_patch(page.document, patch, setter=CLIENT)
    assert failure is not None
    assert failure.summary == "ValueError: about 2"
    assert page.slider.value == 3


def test_an_interrupt_that_a_callback_raises_is_its_own_failure(page: Page) -> None:
    def interrupt(attr: str, old: Any, new: Any) -> None:
        raise KeyboardInterrupt

    page.slider.on_change("value", interrupt)
    patch = decode_patch(page.document, {"events": [page.set_value(2)]}, (), setter=CLIENT)
    failure = apply_patch(page.document, patch, setter=CLIENT)
    assert failure is not None
    assert "KeyboardInterrupt" in failure.summary


def test_a_read_only_property_may_be_set_by_the_browser(page: Page) -> None:
    plot_range = Range1d(start=0, end=1)
    page.document.add_root(plot_range)
    event = {**page.set_value(5, "start"), "model": {"id": plot_range.id}}
    page.take(event)
    assert plot_range.start == 5


# --- the hostile ------------------------------------------------------------------------------


def test_a_column_without_a_name_is_validated_too(page: Page) -> None:
    """Regression: found by fuzzing; Bokeh lets it pass and fails when it sets it."""
    for event in (
        page.about_data("ColumnDataChanged", data={"": 0}),
        {**page.set_value({"x": [1], "": 0}, "data"), "model": {"id": page.source.id}},
    ):
        page.refuses(event)
    page.take(page.about_data("ColumnDataChanged", data={"": [0]}))


@pytest.mark.parametrize("kind", ["list", "dict", "map", "model"])
def test_whatever_depth_is_taken_can_be_encoded(page: Page, kind: str) -> None:
    def wrap(value: Any, number: int) -> Any:
        match kind:
            case "list":
                return [value]
            case "dict":
                return {"a": value}
            case "map":
                return {"type": "map", "entries": [["a", value]]}
            case _:
                return definition(f"new{number}", tags=[value])

    refused: set[bool] = set()
    for levels in (10, 20, 45, 60, 90, 150, 190, 250, 400):
        value: Any = 1
        for number in range(levels):
            value = wrap(value, number)
        event = page.set_value([value], "tags")
        try:
            page.take(event)
        except PatchError as error:
            assert "nested" in str(error)
            refused.add(True)
        else:
            assert not refused
            assert page.desk.end_turn_events()
            page.state()
    assert refused


def test_a_client_without_the_right_brings_no_code(page: Page) -> None:
    script = definition("script", "CustomJS", code="1")
    for event in (
        page.set_value({"change:value": [script]}, "js_property_callbacks"),
        {"kind": "RootAdded", "model": definition("new", js_event_callbacks={"tap": [script]})},
    ):
        with pytest.raises(PatchError, match="--allow-push-doc"):
            decode_patch(page.document, {"events": [event]}, (), setter=CLIENT, may_script=False)
        page.take(event)
