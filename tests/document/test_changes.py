"""What is said of the changes of a turn, and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bokeh.models import Column, ColumnDataSource, Model
from bokeh.models.widgets import Div, Slider

from hyperfocal.document import (
    Document,
    EncodedPatch,
    apply_patch,
    changes_of,
    decode_patch,
    encode_changes,
)
from tests.document.replica import Desk, Ref, Replica, events_of, manager


class Page:
    """A desk with a slider and a source, and a client that has pulled them."""

    def __init__(self) -> None:
        self.slider = Slider(start=0, end=100, value=1)
        self.source = ColumnDataSource(data={"x": [1, 2, 3], "y": [4, 5, 6]})
        self.box: Any = Column(children=[self.slider], tags=[self.source])
        self.desk = Desk(self.box)
        self.replica = Replica.of(self.document)

    @property
    def document(self) -> Document:
        return self.desk.document

    @property
    def data(self) -> Any:
        return self.source.data

    def flush(self) -> EncodedPatch | None:
        patch = self.desk.end_turn()[1]
        self.replica.apply(patch)
        return patch

    def events(self) -> list[dict[str, Any]]:
        return events_of(self.flush())

    def assert_agrees(self) -> None:
        assert self.replica.state() == Replica.of(self.document).state()


@pytest.fixture
def page() -> Page:
    return Page()


def set_value(model: Model, value: Any, attr: str = "value") -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": value}


def stream_rows(source: ColumnDataSource, rows: list[int]) -> dict[str, Any]:
    data = {"type": "map", "entries": [[name, rows] for name in source.data]}
    return {
        "kind": "ColumnsStreamed",
        "model": {"id": source.id},
        "attr": "data",
        "data": data,
        "rollover": None,
    }


# --- values -----------------------------------------------------------------------------------


def test_nothing_to_say_is_no_patch(page: Page) -> None:
    assert page.flush() is None


def test_two_hundred_sets_are_one_event_with_the_last_value(page: Page) -> None:
    for value in range(1, 201):
        page.slider.value = value
    (event,) = page.events()
    assert event == set_value(page.slider, 200)


def test_different_properties_are_said_in_the_order_of_their_last_changes(page: Page) -> None:
    page.slider.value = 2
    page.slider.title = "a"
    page.document.title = "t"
    page.slider.value = 3
    assert [(event["kind"], event.get("attr")) for event in page.events()] == [
        ("ModelChanged", "title"),
        ("TitleChanged", None),
        ("ModelChanged", "value"),
    ]


def test_taking_changes_leaves_nothing_behind(page: Page) -> None:
    page.slider.value = 2
    assert len(page.desk.recorder.changes) == 1
    page.flush()
    assert len(page.desk.recorder.changes) == 0
    assert page.flush() is None


def test_a_turn_that_sets_the_title_twice_says_the_last(page: Page) -> None:
    page.document.title = "one"
    page.document.title = "two"
    assert page.events() == [{"kind": "TitleChanged", "title": "two"}]


def test_a_value_is_said_as_it_is_when_the_turn_ends(page: Page) -> None:
    page.box.tags = ["a", page.source]
    page.flush()
    page.box.tags.append("b")
    (event,) = page.events()
    assert event["new"] == ["a", {"id": page.source.id}, "b"]


def test_a_deleted_property_is_said_with_its_default(page: Page) -> None:
    page.slider.title = "a"
    page.flush()
    del page.slider.title
    (event,) = page.events()
    assert (event["attr"], event["new"]) == ("title", "")


def test_a_change_of_a_model_that_has_left_is_not_said(page: Page) -> None:
    page.slider.value = 9
    page.box.children = []
    (event,) = page.events()
    assert (event["attr"], event["new"]) == ("children", [])


# --- who is told ------------------------------------------------------------------------------


def test_a_clients_own_change_is_said_once_to_everybody_else(page: Page) -> None:
    client = object()
    mine, others, _ = page.desk.receive(client, {"events": [set_value(page.slider, 5)]})
    assert mine is None
    assert events_of(others) == [set_value(page.slider, 5)]


def test_a_clamped_value_is_said_exactly_once_to_its_client_and_to_the_others(page: Page) -> None:
    def clamp(attr: str, old: Any, new: Any) -> None:
        if new > 10:
            page.slider.value = 10

    page.slider.on_change("value", clamp)
    mine, others, _ = page.desk.receive(object(), {"events": [set_value(page.slider, 50)]})
    assert events_of(mine) == [set_value(page.slider, 10)]
    assert events_of(others) == [set_value(page.slider, 10)]


def test_a_value_that_a_callback_puts_back_is_said_to_its_client(page: Page) -> None:
    def refuse(attr: str, old: Any, new: Any) -> None:
        if new == 50:
            page.slider.value = old

    page.slider.on_change("value", refuse)
    mine, _, _ = page.desk.receive(object(), {"events": [set_value(page.slider, 50)]})
    assert events_of(mine) == [set_value(page.slider, 1)]


def test_a_value_that_a_later_callback_of_the_same_turn_changes_is_said_to_its_client(
    page: Page,
) -> None:
    page.box.on_change("name", lambda attr, old, new: setattr(page.slider, "value", 7))
    content = {"events": [set_value(page.slider, 5), set_value(page.box, "go", "name")]}
    mine, others, _ = page.desk.receive(object(), content)
    assert events_of(mine) == [set_value(page.slider, 7)]
    assert set_value(page.slider, 7) in events_of(others)


def test_a_clients_own_rows_are_not_said_to_it(page: Page) -> None:
    mine, others, _ = page.desk.receive(object(), {"events": [stream_rows(page.source, [7])]})
    assert mine is None
    assert [event["kind"] for event in events_of(others)] == ["ColumnsStreamed"]


def test_a_model_that_a_client_brings_is_defined_for_others_and_changed_for_it(
    page: Page,
) -> None:
    def relabel(attr: str, old: Any, new: Any) -> None:
        page.box.children[0].title = "from the server"

    page.box.on_change("children", relabel)
    values = {"start": 0, "end": 9, "value": 3}
    definition = {"type": "object", "name": "Slider", "id": "new-1", "attributes": values}
    mine, others, failure = page.desk.receive(
        object(), {"events": [set_value(page.box, [definition], "children")]}
    )
    assert failure is None
    (said,) = events_of(mine)
    assert said == {
        "kind": "ModelChanged",
        "model": {"id": "new-1"},
        "attr": "title",
        "new": "from the server",
    }
    (child,) = events_of(others)[0]["new"]
    assert (child["id"], child["attributes"]["title"]) == ("new-1", "from the server")


def test_a_client_whose_rows_a_callback_replaced_hears_the_whole_data(page: Page) -> None:
    def replace(attr: str, old: Any, new: Any) -> None:
        if len(page.source.data["x"]) == 4:
            page.source.data = {"x": [0], "y": [0]}

    page.source.on_change("data", replace)
    mine, others, _ = page.desk.receive(object(), {"events": [stream_rows(page.source, [7])]})
    for patch in (mine, others):
        (event,) = events_of(patch)
        assert (event["kind"], event["cols"]) == ("ColumnDataChanged", None)
        assert dict(event["data"]["entries"]) == {"x": [0], "y": [0]}


def test_rows_of_the_client_and_of_the_server_end_up_in_one_order(page: Page) -> None:
    """Client rows, server rows, client rows: the client must not end up with its own first."""

    def answer(attr: str, old: Any, new: Any) -> None:
        page.source.stream({"x": [page.slider.value], "y": [page.slider.value]})

    page.slider.on_change("value", answer)
    content = {
        "events": [
            stream_rows(page.source, [10]),
            set_value(page.slider, 50),
            stream_rows(page.source, [20]),
        ]
    }
    page.replica.apply_content(content)
    mine, _, failure = page.desk.receive(object(), content)
    assert failure is None
    page.replica.apply(mine)
    page.assert_agrees()


def test_roots_of_the_client_and_of_the_server_end_up_in_one_order(page: Page) -> None:
    page.slider.on_change(
        "value", lambda attr, old, new: page.document.add_root(Div(text="answer"))
    )
    root = {"kind": "RootAdded", "model": {"type": "object", "name": "Div", "id": "new-1"}}
    last = {"kind": "RootAdded", "model": {"type": "object", "name": "Div", "id": "new-2"}}
    content = {"events": [root, set_value(page.slider, 50), last]}
    page.replica.apply_content(content)
    mine, _, failure = page.desk.receive(object(), content)
    assert failure is None
    page.replica.apply(mine)
    page.assert_agrees()


def test_what_a_callback_does_to_a_model_that_its_client_moves_reaches_the_client(
    page: Page,
) -> None:
    """The model leaves the document and joins it again, in one patch of one client."""
    page.slider.on_change("value", lambda attr, old, new: setattr(page.slider, "title", "moved"))
    content = {
        "events": [
            set_value(page.box, [], "children"),
            set_value(page.box, [{"id": page.slider.id}], "children"),
            set_value(page.slider, 50),
        ]
    }
    page.replica.apply_content(content)
    mine, _, failure = page.desk.receive(object(), content)
    assert failure is None
    page.replica.apply(mine)
    page.assert_agrees()


# --- column data ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.array, list])
def test_streamed_rows_are_copied_when_they_are_streamed(page: Page, kind: Any) -> None:
    buffer = kind([10, 11])
    page.source.stream({"x": buffer, "y": buffer})
    buffer[:] = [0, 0]
    page.flush()
    page.assert_agrees()
    assert page.replica.models[page.source.id].attributes["data"]["x"] == [1, 2, 3, 10, 11]


def test_patched_values_are_copied_when_they_are_patched(page: Page) -> None:
    buffer = np.array([10, 11])
    page.source.patch({"x": [(slice(0, 2), buffer)]})
    buffer[:] = 0
    page.flush()
    assert page.replica.models[page.source.id].attributes["data"]["x"] == [10, 11, 3]


def test_data_replaced_and_streamed_is_the_whole_data_once(page: Page) -> None:
    page.source.data = {"x": [1], "y": [1]}
    page.source.stream({"x": [2], "y": [2]})
    (event,) = page.events()
    assert (event["kind"], event["cols"]) == ("ColumnDataChanged", None)
    assert dict(event["data"]["entries"]) == {"x": [1, 2], "y": [1, 2]}


def test_data_streamed_and_replaced_is_the_whole_data_once(page: Page) -> None:
    page.source.stream({"x": [2], "y": [2]})
    page.source.data = {"x": [1], "y": [1]}
    (event,) = page.events()
    assert (event["kind"], event["cols"]) == ("ColumnDataChanged", None)
    assert dict(event["data"]["entries"]) == {"x": [1], "y": [1]}


@pytest.mark.parametrize("stream_first", [True, False])
def test_a_column_set_and_rows_streamed_are_the_whole_data(page: Page, stream_first: bool) -> None:
    if stream_first:
        page.source.stream({"x": [9], "y": [9]})
        page.data["x"] = [0, 0, 0, 0]
    else:
        page.data["x"] = [0, 0, 0]
        page.source.stream({"x": [9], "y": [9]})
    (event,) = page.events()
    assert (event["kind"], event["cols"]) == ("ColumnDataChanged", None)
    page.assert_agrees()


def test_columns_that_are_set_are_said_together_and_alone(page: Page) -> None:
    page.data["x"] = [7, 7, 7]
    page.data["z"] = [8, 8, 8]
    page.data["x"] = [9, 9, 9]
    (event,) = page.events()
    assert sorted(event["cols"]) == ["x", "z"]
    assert dict(event["data"]["entries"]) == {"x": [9, 9, 9], "z": [8, 8, 8]}
    page.assert_agrees()


def test_one_column_that_is_set_is_said_alone(page: Page) -> None:
    page.data["x"] = [7, 7, 7]
    (event,) = page.events()
    assert event["cols"] == ["x"]
    assert dict(event["data"]["entries"]) == {"x": [7, 7, 7]}


def test_a_column_set_and_another_deleted_are_the_whole_data(page: Page) -> None:
    page.data["x"] = [7, 7, 7]
    del page.data["y"]
    page.flush()
    page.assert_agrees()
    assert page.replica.models[page.source.id].attributes["data"] == {"x": [7, 7, 7]}


def test_patches_and_streams_are_said_in_their_order(page: Page) -> None:
    page.source.patch({"x": [(0, 5)]})
    page.source.stream({"x": [9], "y": [9]}, 3)
    page.source.patch({"x": [(0, 6)]})
    assert [event["kind"] for event in page.events()] == [
        "ColumnsPatched",
        "ColumnsStreamed",
        "ColumnsPatched",
    ]
    page.assert_agrees()


def test_rows_that_a_callback_streams_come_after_the_rows_that_caused_it(page: Page) -> None:
    def answer(attr: str, old: Any, new: Any) -> None:
        if len(page.source.data["x"]) == 4:
            page.source.stream({"x": [20], "y": [20]})

    page.source.on_change("data", answer)
    page.source.stream({"x": [10], "y": [10]})
    assert page.data["x"] == [1, 2, 3, 10, 20]
    page.flush()
    page.assert_agrees()


def test_a_row_that_a_callback_patches_is_there_when_the_client_hears_of_it(page: Page) -> None:
    def correct(attr: str, old: Any, new: Any) -> None:
        if page.data["x"][-1] != 0:
            page.source.patch({"x": [(len(page.data["x"]) - 1, 0)]})

    page.source.on_change("data", correct)
    page.source.stream({"x": [10], "y": [10]})
    assert page.data["x"] == [1, 2, 3, 0]
    page.flush()
    page.assert_agrees()


# --- models that come and go ------------------------------------------------------------------


def test_a_new_model_is_defined_with_its_last_values_and_not_changed(page: Page) -> None:
    child = Slider(start=0, end=100, value=1)
    page.box.children.append(child)
    child.value = 7
    (event,) = page.events()
    known, new = event["new"]
    assert known == {"id": page.slider.id}
    assert (new["type"], new["attributes"]["value"]) == ("object", 7)


def test_a_model_is_defined_where_it_is_first_met_and_referred_to_later(page: Page) -> None:
    child = Div(text="new")
    page.box.children.append(child)
    page.document.add_root(child)
    first, second = page.events()
    assert first["new"][-1]["type"] == "object"
    assert second["model"] == {"id": child.id}


def test_a_root_that_is_added_and_removed_in_one_turn_is_gone(page: Page) -> None:
    root = Div(text="short")
    page.document.add_root(root)
    page.document.remove_root(root)
    assert [event["kind"] for event in page.events()] == ["RootAdded", "RootRemoved"]
    page.assert_agrees()


def test_a_model_that_comes_back_brings_the_values_it_got_while_away(page: Page) -> None:
    page.box.children = []
    page.flush()
    page.slider.value = 77
    page.box.children = [page.slider]
    page.flush()
    page.assert_agrees()
    assert page.replica.models[page.slider.id].attributes["value"] == 77


def test_a_property_deleted_while_its_model_was_away_is_back_at_its_default(page: Page) -> None:
    """BokehJS keeps what it knows of a model that comes back and is not defined anew in full."""
    page.slider.title = "a"
    page.flush()
    page.box.children = []
    page.flush()
    del page.slider.title
    page.box.children = [page.slider]
    page.flush()
    page.assert_agrees()


def test_all_audiences_get_the_same_definitions_from_one_snapshot(page: Page) -> None:
    page.box.children.append(Div(text="new"))
    mine, others = page.desk.end_turn(originator=object())
    assert mine is not None and others is not None
    assert mine.content == others.content


# --- hold() -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["combine", "collect"])
def test_nothing_is_said_during_a_hold_and_everything_after_it(page: Page, policy: Any) -> None:
    page.document.hold(policy)
    page.slider.value = 2
    page.source.stream({"x": [9], "y": [9]})
    assert page.flush() is None
    page.document.unhold()
    assert [event["kind"] for event in page.events()] == ["ModelChanged", "ColumnsStreamed"]
    page.assert_agrees()


@pytest.mark.parametrize(("policy", "calls"), [("combine", [3]), ("collect", [2, 3])])
def test_callbacks_after_a_hold_follow_its_policy(
    page: Page, policy: Any, calls: list[int]
) -> None:
    heard: list[int] = []
    page.slider.on_change("value", lambda attr, old, new: heard.append(new))
    page.document.hold(policy)
    page.slider.value = 2
    page.slider.value = 3
    assert heard == []
    page.document.unhold()
    assert heard == calls
    assert page.events() == [set_value(page.slider, 3)]


def test_a_model_that_came_under_hold_is_defined_after_it(page: Page) -> None:
    page.document.hold()
    page.box.children.append(Div(text="new"))
    assert page.flush() is None
    page.document.unhold()
    (event,) = page.events()
    assert event["new"][-1]["attributes"]["text"] == "new"
    page.assert_agrees()


def test_a_model_that_was_defined_before_a_hold_is_changed_after_it(page: Page) -> None:
    """One turn says the new model and then holds; what is held about it must not get lost."""
    child = Slider(start=0, end=100, value=1)
    page.box.children.append(child)
    page.document.hold()
    child.value = 5
    page.flush()
    child.value = 6
    page.document.unhold()
    page.flush()
    page.assert_agrees()


def test_a_document_that_was_built_under_hold_says_its_changes_after_it() -> None:
    """A script that ends under hold(): clients have its models from the document they pulled."""
    desk = Desk()
    slider = Slider(start=0, end=100, value=1)
    desk.document.add_root(slider)
    desk.document.hold()
    slider.value = 2
    desk.end_building()
    replica = Replica.of(desk.document)
    slider.value = 3
    desk.document.unhold()
    replica.apply(desk.end_turn()[1])
    assert replica.state() == Replica.of(desk.document).state()


def test_rows_streamed_under_hold_are_copied_when_they_are_streamed(page: Page) -> None:
    page.document.hold()
    buffer = np.array([10, 11])
    page.source.stream({"x": buffer, "y": buffer})
    buffer[:] = 0
    page.document.unhold()
    page.flush()
    page.assert_agrees()


def test_a_raising_callback_does_not_hide_what_else_was_held(page: Page) -> None:
    def fail(attr: str, old: Any, new: Any) -> None:
        raise ValueError("boom")

    page.slider.on_change("value", fail)
    page.document.hold()
    page.slider.value = 5
    page.source.stream({"x": [9], "y": [9]})
    with pytest.raises(ValueError, match="boom"):
        page.document.unhold()
    page.flush()
    page.assert_agrees()


# --- the sink ---------------------------------------------------------------------------------


def test_a_change_whose_callback_raises_is_recorded(page: Page) -> None:
    def fail(attr: str, old: Any, new: Any) -> None:
        raise ValueError("boom")

    page.slider.on_change("value", fail)
    with pytest.raises(ValueError, match="boom"):
        page.slider.value = 5
    assert page.events() == [set_value(page.slider, 5)]


def test_listeners_of_the_document_hear_of_a_change_whose_callback_raises(page: Page) -> None:
    heard: list[Any] = []

    def fail(attr: str, old: Any, new: Any) -> None:
        raise ValueError("boom")

    page.document.on_change(heard.append)
    page.slider.on_change("value", fail)
    with pytest.raises(ValueError, match="boom"):
        page.slider.value = 5
    assert [event.attr for event in heard] == ["value"]


def test_callbacks_run_once_although_listeners_hear_of_the_change_too(page: Page) -> None:
    calls: list[int] = []
    page.document.on_change(lambda event: None)
    page.slider.on_change("value", lambda attr, old, new: calls.append(new))
    page.slider.value = 5
    assert calls == [5]


def test_a_value_without_a_json_form_is_refused(page: Page) -> None:
    page.box.tags = [object()]
    changes = changes_of(page.desk.recorder.changes.take())
    with pytest.raises(ValueError, match="serialize"):
        encode_changes(page.document, changes, fresh=())


def test_numpy_scalars_are_said_as_numbers(page: Page) -> None:
    page.box.tags = [np.float64(1.5), np.float32(2.5), np.int64(3), np.bool_(True)]
    (event,) = page.events()
    assert event["new"] == [1.5, 2.5, 3, True]


def test_arrays_leave_in_buffers_that_later_changes_do_not_touch(page: Page) -> None:
    array = np.array([1.0, 2.0])
    page.source.data = {"x": array, "y": [1, 2]}
    patch = page.desk.end_turn()[1]
    array[:] = -1.0
    page.replica.apply(patch)
    assert page.replica.models[page.source.id].attributes["data"]["x"] == [1.0, 2.0]


def test_a_message_of_the_application_is_said_as_it_is(page: Page) -> None:
    content = {"events": [{"kind": "MessageSent", "msg_type": "hello", "msg_data": [1]}]}
    patch = decode_patch(page.document, content, (), setter=object())
    heard: list[Any] = []
    page.document.on_message("hello", heard.append)
    assert apply_patch(page.document, patch, setter=object()) is None
    assert heard == [[1]]
    assert page.flush() is None


def test_the_model_of_a_root_that_everybody_knows_is_referred_to(page: Page) -> None:
    page.document.remove_root(page.box)
    (event,) = page.events()
    assert event == {"kind": "RootRemoved", "model": {"id": page.box.id}}
    assert page.replica.roots == []
    assert manager(page.document).hold_value is None
    assert Ref(page.box.id).id in page.replica.models
