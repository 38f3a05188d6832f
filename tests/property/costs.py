"""Patches of any size, of each kind of event, and how much work the whole of a turn with one is.

``python -m tests.property.costs`` counts the instructions of all of them where it runs within
Callgrind, as ``test_costs.py`` has it do.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.events import ButtonClick, Pan
from bokeh.models import Column, ColumnDataSource
from bokeh.models.widgets import Button, Div, Slider
from bokeh.plotting import figure

from bench.micro.callgrind import Callgrind
from hyperfocal.clock import TimerHandle
from hyperfocal.document import (
    Change,
    acceleration,
    apply_patch,
    changes_of,
    current_document,
    decode_patch,
    encode_changes,
    mark_seen,
    unseen_models,
)
from hyperfocal.errors import PatchError
from hyperfocal.publishing import Conflicts
from hyperfocal.wire import Buffer, Decoder
from tests.document.replica import Desk

__all__ = ("CASES", "Case", "Page", "prepared")

Event = dict[str, Any]
#: The events of a patch of this size, and its buffers.
Case = Callable[["Page", int], list[Event]]


class Page:
    """A document that is as large as the patch that it is for."""

    def __init__(self, size: int) -> None:
        self.sliders = [Slider(start=0, end=10**9, value=1) for _ in range(size)]
        self.buttons = [Button(label="go") for _ in range(size)]
        self.button, self.echo = self.buttons[0], Div(text="0")
        self.clicks: list[Any] = []
        for button in self.buttons:
            button.on_event(ButtonClick, self.clicks.append)
        self.plot: Any = figure(width=100, height=100)
        self.plot.on_event(Pan, self.clicks.append)
        columns = {f"c{number}": [0, 0] for number in range(size)}
        self.wide = ColumnDataSource(data=columns)
        self.lists = ColumnDataSource(data={"x": [0] * size, "y": [0] * size})
        self.arrays = ColumnDataSource(data={"x": np.zeros(size), "y": np.zeros(size)})
        self.box: Any = Column(
            children=[*self.sliders, *self.buttons, self.echo, self.plot],
            tags=[self.wide, self.lists, self.arrays],
        )
        self.small: Any = Column()
        self.desk = Desk(self.box, self.small)
        self.buffers: tuple[Buffer, ...] = ()
        self.failures = 0
        self.conflicts = Conflicts(lambda: 0.0, lambda when: _Never())

    def turn(self, content: str) -> None:
        """All that happens when a client sends this: nothing of it touches a socket."""
        decoder, message = Decoder(), None
        for frame in ('{"msgid":"1","msgtype":"PATCH-DOC"}', "{}", content):
            message = decoder.feed(frame)
        assert message is not None
        client, document = object(), self.desk.document
        with current_document(document):
            try:
                patch = decode_patch(document, message.content, self.buffers, setter=client)
            except PatchError:
                return
            apply_patch(document, patch, setter=client)
        changes = changes_of(self.desk.recorder.changes.take())
        self.conflicts.note(changes)
        fresh = unseen_models(document)
        for audience, unseen in ((client, fresh - patch.defined), (None, fresh)):
            encode_changes(document, changes, fresh=unseen, client=audience, failed=self._failed)
        mark_seen(document)

    def _failed(self, change: Change, error: Exception) -> None:
        self.failures += 1


class _Never(TimerHandle):
    def cancel(self) -> None: ...


def prepared(case: Case, size: int) -> Callable[[], None]:
    """A call that is the turn."""
    page = Page(size)
    content = json.dumps({"events": case(page, size)})
    return lambda: page.turn(content)


# --- events -------------------------------------------------------------------------------------


def changed(model: Any, attr: str, new: Any) -> Event:
    return {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": new}


def of_data(kind: str, source: ColumnDataSource, **fields: Any) -> Event:
    return {"kind": kind, "model": {"id": source.id}, "attr": "data", **fields}


def new(model_id: str, name: str = "Spacer", **attributes: Any) -> dict[str, Any]:
    return {"type": "object", "name": name, "id": model_id, "attributes": attributes}


def added(model: Any) -> Event:
    return {"kind": "RootAdded", "model": model}


def happened(name: str, **values: Any) -> Event:
    entries = [[key, value] for key, value in values.items()]
    event = {"type": "event", "name": name, "values": {"type": "map", "entries": entries}}
    return {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}


# --- cases --------------------------------------------------------------------------------------


def many_properties(page: Page, size: int) -> list[Event]:
    return [changed(slider, "value", 5) for slider in page.sliders]


def one_property(page: Page, size: int) -> list[Event]:
    return [changed(page.sliders[0], "value", value) for value in range(size)]


def a_callback_changes_many(page: Page, size: int) -> list[Event]:
    def change(attr: str, old: Any, value: Any) -> None:
        for slider in page.sliders[1:]:
            slider.value = value

    page.sliders[0].on_change("value", change)
    return [changed(page.sliders[0], "value", 5)]


def a_callback_changes_many_under_hold(page: Page, size: int) -> list[Event]:
    document = page.desk.document

    def change(attr: str, old: Any, value: Any) -> None:
        document.hold()
        for slider in page.sliders[1:]:
            slider.value = value
        document.unhold()

    page.sliders[0].on_change("value", change)
    return [changed(page.sliders[0], "value", 5)]


def a_callback_sets_what_has_no_json(page: Page, size: int) -> list[Event]:
    def change(attr: str, old: Any, value: Any) -> None:
        for slider in page.sliders[1:]:
            slider.tags = [object()]

    page.sliders[0].on_change("value", change)
    return [changed(page.sliders[0], "value", 5)]


def new_roots(page: Page, size: int) -> list[Event]:
    return [added(new(f"n{number}")) for number in range(size)]


def new_roots_of_what_is_there(page: Page, size: int) -> list[Event]:
    return [
        added(new(f"n{number}", "Column", children=[{"id": page.box.id}]))
        for number in range(size)
    ]  # fmt: skip


def roots_that_go(page: Page, size: int) -> list[Event]:
    events = new_roots(page, size)
    gone = [{"kind": "RootRemoved", "model": {"id": f"n{number}"}} for number in range(size)]
    return events + gone


def new_figures(page: Page, size: int) -> list[Event]:
    return [added(new(f"n{number}", "Figure")) for number in range(size)]


def children_of_many_new(page: Page, size: int) -> list[Event]:
    children = [new(f"n{number}") for number in range(size)]
    events = [changed(page.small, "children", children)]
    return events + [
        changed(page.small, "children", [{"id": f"n{number}"}, {"id": "n0"}])
        for number in range(size)
    ]  # fmt: skip


def a_chain_of_references(page: Page, size: int) -> list[Event]:
    events = [added(new(f"n{number}", "Row")) for number in range(size)]
    return events + [
        {
            **changed(page.small, "children", [{"id": f"n{number + 1}"}]),
            "model": {"id": f"n{number}"},
        }
        for number in range(size - 1)
    ]


def columns_one_by_one(page: Page, size: int) -> list[Event]:
    return [
        of_data("ColumnDataChanged", page.wide, data={f"c{number}": [1, 2]}, cols=[f"c{number}"])
        for number in range(size)
    ]


def whole_data(page: Page, size: int) -> list[Event]:
    return [
        of_data("ColumnDataChanged", page.lists, data={"x": [n], "y": [n]}) for n in range(size)
    ]


def rows_for_lists(page: Page, size: int) -> list[Event]:
    row = {"x": [1], "y": [2]}
    return [of_data("ColumnsStreamed", page.lists, data=row, rollover=10) for _ in range(size)]


def rows_for_arrays(page: Page, size: int) -> list[Event]:
    row = {"x": [1], "y": [2]}
    return [of_data("ColumnsStreamed", page.arrays, data=row, rollover=None) for _ in range(size)]


def cells(page: Page, size: int) -> list[Event]:
    return [
        of_data("ColumnsPatched", page.wide, patches={f"c{number}": [[0, 7]]})
        for number in range(size)
    ]


def cells_of_one_column(page: Page, size: int) -> list[Event]:
    patches = {"x": [[number, 7] for number in range(size)]}
    return [of_data("ColumnsPatched", page.arrays, patches=patches)]


def titles(page: Page, size: int) -> list[Event]:
    return [{"kind": "TitleChanged", "title": f"{number}"} for number in range(size)]


def messages(page: Page, size: int) -> list[Event]:
    page.desk.document.on_message("mine", page.clicks.append)
    return [{"kind": "MessageSent", "msg_type": "mine", "msg_data": [n]} for n in range(size)]


def clicks(page: Page, size: int) -> list[Event]:
    return [happened("button_click", model={"id": page.button.id}) for _ in range(size)]


def pans(page: Page, size: int) -> list[Event]:
    at = dict(sx=1, sy=2, x=3.0, y=4.0, delta_x=1, delta_y=2, direction=1, modifiers=None)
    return [happened("pan", model={"id": page.plot.id}, **at) for _ in range(size)]


def numbers(page: Page, size: int) -> list[Event]:
    return [changed(page.echo, "tags", [0.5] * (size * 200))]


def pairs(page: Page, size: int) -> list[Event]:
    return [changed(page.echo, "tags", [[1, 2]] * (size * 20))]


def one_buffer_again_and_again(page: Page, size: int) -> list[Event]:
    page.buffers = (Buffer("b", bytes(8 * size)),)
    array = {
        "type": "ndarray", "array": {"type": "bytes", "data": {"id": "b"}},
        "dtype": "float64", "shape": [size], "order": "little",
    }  # fmt: skip
    return [changed(page.echo, "tags", [array] * size)]


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        *(many_properties, one_property, a_callback_changes_many),
        *(a_callback_changes_many_under_hold, a_callback_sets_what_has_no_json),
        *(new_roots, new_roots_of_what_is_there, roots_that_go, new_figures),
        *(children_of_many_new, a_chain_of_references, columns_one_by_one, whole_data),
        *(rows_for_lists, rows_for_arrays, cells, cells_of_one_column),
        *(titles, messages, clicks, pans, numbers, pairs, one_buffer_again_and_again),
    )
}


def _main(size: int) -> None:
    acceleration.install()
    callgrind = Callgrind()
    for name, case in CASES.items():
        prepared(case, 10)()  # what is known of classes is found out
        for times in (1, 2):
            call = prepared(case, times * size)
            gc.collect()
            gc.disable()
            callgrind.start()
            call()
            callgrind.stop(f"{name} {times}")
            gc.enable()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
