"""Patches that ask for more than they say: refused in clear words, or done in time that fits."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest
from bokeh.events import ButtonClick
from bokeh.models import Column, ColumnDataSource
from bokeh.models.widgets import Button, Div, Slider

from hyperfocal.document import apply_patch, current_document, decode_patch
from hyperfocal.document.bounds import MOST_BYTES, MOST_COPIED, MOST_MODELS
from hyperfocal.document.models import MOST_WALKS
from hyperfocal.errors import PatchError
from hyperfocal.wire import Buffer
from tests.document.replica import Desk, Replica

CLIENT: Any = object()


class Page:
    def __init__(self) -> None:
        self.slider, self.div = Slider(start=0, end=100, value=1), Div(text="0")
        self.source = ColumnDataSource(data={"x": [1, 2, 3], "y": np.array([1.0, 2.0, 3.0])})
        self.box: Any = Column(children=[self.slider, self.div], tags=[self.source])
        self.desk = Desk(self.box)

    def take(self, *events: Any, buffers: tuple[Buffer, ...] = ()) -> None:
        document = self.desk.document
        with current_document(document):
            patch = decode_patch(document, {"events": list(events)}, buffers, setter=CLIENT)
            assert apply_patch(document, patch, setter=CLIENT) is None

    def refuses(self, *events: Any, match: str, buffers: tuple[Buffer, ...] = ()) -> str:
        self.desk.end_turn()
        before = Replica.of(self.desk.document).state()
        with pytest.raises(PatchError, match=match) as caught:
            self.take(*events, buffers=buffers)
        assert Replica.of(self.desk.document).state() == before
        assert self.desk.end_turn_events() == []
        return str(caught.value)


@pytest.fixture
def page() -> Page:
    return Page()


def changed(model: Any, attr: str, new: Any) -> dict[str, Any]:
    model_id = model if isinstance(model, str) else model.id
    return {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": new}


def new(model_id: str, name: str = "Spacer", **attributes: Any) -> dict[str, Any]:
    return {"type": "object", "name": name, "id": model_id, "attributes": attributes}


def added(model: Any) -> dict[str, Any]:
    return {"kind": "RootAdded", "model": model}


def array(count: int, kind: str = "ndarray") -> dict[str, Any]:
    data = {"type": "bytes", "data": {"id": "b"}}
    return {
        "type": kind, "array": data, "dtype": "float64", "shape": [count], "order": "little",
    }  # fmt: skip


# --- what a patch may make ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ndarray", "typed_array"])
@pytest.mark.parametrize("attr", ["tags", "nonsense"])
def test_a_buffer_is_not_unpacked_again_and_again(page: Page, kind: str, attr: str) -> None:
    size = MOST_BYTES // 8
    buffer = Buffer("b", bytes(size))
    many = [array(size // 8, kind)] * 10
    page.refuses(changed(page.div, attr, many), match="when it is unpacked", buffers=(buffer,))
    columns = {f"c{number}": array(size // 8, kind) for number in range(10)}
    event = {**changed(page.source, "data", None), "kind": "ColumnDataChanged", "data": columns}
    page.refuses(event, match="when it is unpacked", buffers=(buffer,))


def test_an_unknown_attribute_of_a_new_model_counts_as_well(page: Page) -> None:
    buffer = Buffer("b", bytes(MOST_BYTES // 8))
    root = new("n", nonsense=[array(MOST_BYTES // 64)] * 10)
    page.refuses(added(root), match="when it is unpacked", buffers=(buffer,))


def test_a_buffer_may_be_as_large_as_its_message(page: Page) -> None:
    buffer = Buffer("b", bytes(MOST_BYTES + 8))
    page.take(changed(page.div, "tags", [array(MOST_BYTES // 8 + 1)]), buffers=(buffer,))


def test_a_patch_brings_so_many_models(page: Page) -> None:
    page.take(changed(page.div, "tags", [new(f"n{n}") for n in range(MOST_MODELS)]))
    page.refuses(
        changed(page.slider, "tags", [new(f"m{n}") for n in range(MOST_MODELS + 1)]),
        match="brings more than 5,000 models",
    )


def test_models_that_a_model_has_by_default_count_as_well(page: Page) -> None:
    count = MOST_MODELS // 5
    page.refuses(*(added(new(f"n{n}", "Figure")) for n in range(count)), match="brings more than")


def chain(length: int) -> list[dict[str, Any]]:
    rows = [added(new(f"n{number}", "Row")) for number in range(length)]
    return rows + [
        changed(f"n{number}", "children", [{"id": f"n{number + 1}"}])
        for number in range(length - 1)
    ]  # fmt: skip


def test_new_models_are_not_nested_too_deep_by_reference(page: Page) -> None:
    page.take(*chain(60))
    assert page.desk.end_turn(CLIENT)[1] is not None
    Replica.of(page.desk.document)
    page = Page()
    for length in (100, 400):
        page.refuses(*chain(length), match="refer to each other in more than 200 levels")


def test_lists_between_them_count_as_well(page: Page) -> None:
    tags: Any = {"id": "m"}
    for _ in range(150):
        tags = [tags]
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    page.refuses(
        *(added(new("m")), added(new("n"))),
        *(changed("n", "tags", [tags]), changed("m", "tags", [deep])),
        match="refer to each other",
    )


def test_new_models_may_refer_to_each_other_in_a_circle(page: Page) -> None:
    rows = chain(30)
    page.take(*rows, changed("n29", "tags", [{"id": "n0"}]))
    Replica.of(page.desk.document)


def test_rows_are_not_streamed_to_long_columns_all_the_time(page: Page) -> None:
    size = 1_000_000
    page.source.data = {"x": np.zeros(size)}
    page.desk.end_turn()
    row = {"kind": "ColumnsStreamed", "model": {"id": page.source.id}, "attr": "data"}
    rows = [{**row, "data": {"x": [1]}, "rollover": None}] * (MOST_COPIED // size // 8 + 3)
    page.refuses(*rows, match="stream all rows in one event")
    page.take(*rows[:3])
    assert len(page.source.data["x"]) == size + 3


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "ModelChanged", "attr": "value", "new": [7] * 1_000_000},
        {"kind": "ModelChanged", "attr": "value", "new": {"a": [7] * 1_000_000}},
        {"kind": ["x"] * 1_000_000},
        {"kind": "ColumnsPatched", "attr": "data", "patches": {"x": [[{"a": [1] * 10**6}, 1]]}},
        {"kind": "ColumnsPatched", "attr": "data", "patches": {"x": [[[0, [1] * 10**6], 1]]}},
    ],
)
def test_a_long_value_is_not_written_out_to_be_refused(page: Page, event: dict[str, Any]) -> None:
    """Regression: ``repr`` of a list of millions keeps the interpreter for a second."""
    model = page.source if event.get("attr") == "data" else page.slider
    text = page.refuses({"model": {"id": model.id}, **event}, match=".")
    assert "7, 7, 7, 7, 7, 7, 7" not in text
    assert len(text) < 400


def test_columns_of_different_length_are_taken_without_a_warning(page: Page) -> None:
    """Regression: each such patch warned, and Python remembered the text for good."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page.take(changed(page.source, "data", {"type": "map", "entries": [["x", [1]], ["y", []]]}))
        for kind, fields in (
            ("ColumnDataChanged", {"data": {"x": [1, 2]}, "cols": ["x"]}),
            ("ColumnsPatched", {"patches": {"x": [[0, 5]]}}),
            ("ColumnsStreamed", {"data": {"x": [3], "y": [3]}}),
        ):
            page.take({**changed(page.source, "data", None), "kind": kind, **fields})
    assert dict(page.source.data) == {"x": [5, 2, 3], "y": [3]}


# --- what callbacks see of long patches ---------------------------------------------------------


def test_models_that_a_long_patch_brings_join_before_callbacks_run(page: Page) -> None:
    """A callback may change them, and their own client has to hear of it."""
    seen: list[Any] = []

    def look(attr: str, old: Any, children: Any) -> None:
        seen.append([child.document is page.desk.document for child in children])
        children[-1].tags = ["from a callback"]

    page.box.on_change("children", look)
    count = 3 * MOST_WALKS
    page.take(*(changed(page.box, "children", [new(f"n{number}")]) for number in range(count)))
    assert seen == [[True]] * count
    last = page.desk.document.get_model_by_id(f"n{count - 1}")  # type: ignore[arg-type]
    assert last is page.box.children[0]
    mine, _ = page.desk.end_turn(CLIENT)
    assert mine is not None
    assert "from a callback" in mine.content


def test_models_that_a_long_patch_takes_out_have_left_when_it_has_been_applied(page: Page) -> None:
    count = 3 * MOST_WALKS
    events = [changed(page.box, "children", [new(f"n{number}")]) for number in range(count)]
    page.take(*events)
    document = page.desk.document
    assert {model.id for model in document.models} == {page.box.id, f"n{count - 1}"} | {
        model.id for model in page.source.references()
    }
    assert page.slider.document is None
    assert page.slider.id in document.models._seen_model_ids
    assert document.models.is_settled  # type: ignore[attr-defined]


def test_models_of_a_long_patch_are_found_by_their_names(page: Page) -> None:
    count = 3 * MOST_WALKS
    page.take(
        *(
            added(new(f"n{number}") | {"attributes": {"name": f"name {number}"}})
            for number in range(count)
        )
    )
    for number in range(count):
        found = page.desk.document.get_model_by_name(f"name {number}")
        assert found is not None and found.id == f"n{number}"


def test_a_click_is_told_to_its_own_model(page: Page) -> None:
    heard: list[tuple[str, Any]] = []

    def note(of: str, event: Any) -> None:
        heard.append((of, event.model))

    buttons = [Button(label=f"{number}") for number in range(3)]
    for button in buttons:
        button.on_event(ButtonClick, partial(note, button.id))
    page.box.children = [*page.box.children, *buttons]
    values = {"type": "map", "entries": [["model", {"id": buttons[1].id}]]}
    data = {"type": "event", "name": "button_click", "values": values}
    page.take({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data})
    assert heard == [(buttons[1].id, buttons[1])]


# --- columns ------------------------------------------------------------------------------------


def test_callbacks_get_the_columns_as_they_were(page: Page) -> None:
    heard: list[tuple[list[Any], list[Any]]] = []

    def note(attr: str, old: Any, new: Any) -> None:
        heard.append((list(old["x"]), list(new["x"])))

    page.source.on_change("data", note)
    event = changed(page.source, "data", None)
    page.take({**event, "kind": "ColumnDataChanged", "data": {"x": [7, 8, 9]}, "cols": ["x"]})
    assert heard == [([1, 2, 3], [7, 8, 9])]


def test_a_column_that_comes_and_is_patched_and_streamed_in_one_patch(page: Page) -> None:
    event = changed(page.source, "data", None)
    page.take(
        {**event, "kind": "ColumnDataChanged", "data": {"x": [7, 8, 9]}, "cols": ["x"]},
        {**event, "kind": "ColumnsPatched", "patches": {"x": [[0, 70]]}},
        {**event, "kind": "ColumnsStreamed", "data": {"x": [10], "y": [10]}, "rollover": 3},
        {**event, "kind": "ColumnsPatched", "patches": {"x": [[2, 100]]}},
    )
    assert {name: list(column) for name, column in page.source.data.items()} == {
        "x": [8, 9, 100], "y": [2, 3, 10],
    }  # fmt: skip


def test_an_array_streamed_to_an_empty_column_and_patched_is_told_as_it_came(page: Page) -> None:
    """Regression: the patch was rehearsed on the array that was still to be streamed."""
    page.source.data = {"x": np.array([])}
    page.desk.end_turn()
    heard: list[list[float]] = []
    page.source.on_change("data", lambda attr, old, new: heard.append(list(new["x"])))
    event = changed(page.source, "data", None)
    buffer = Buffer("b", np.array([1.0, 2.0]).tobytes())
    page.take(
        {**event, "kind": "ColumnsStreamed", "data": {"x": array(2)}},
        {**event, "kind": "ColumnsPatched", "patches": {"x": [[0, 9]]}},
        buffers=(buffer,),
    )
    assert heard == [[1.0, 2.0], [9.0, 2.0]]


def test_a_patch_of_one_cell_does_not_look_at_other_columns(page: Page) -> None:
    class Untouchable(list[int]):
        def __copy__(self) -> Any:
            raise AssertionError

    page.source.data = {"x": [1, 2], "y": Untouchable([1, 2])}
    event = changed(page.source, "data", None)
    page.take({**event, "kind": "ColumnsPatched", "patches": {"x": [[0, 9]]}})
    assert list(page.source.data["x"]) == [9, 2]
