"""Whatever happens in whatever turns, every client ends up with the server's document."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import Column, ColumnDataSource, Model
from bokeh.models.widgets import Div, Slider, TextInput
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hyperfocal.document import Document
from tests.document.replica import Desk, Ref, Replica, Twin

LIMIT = 60
#: Shrinking takes minutes here, since every step builds documents.
SETTINGS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

small = st.integers(0, 100)
rows = st.lists(small, min_size=1, max_size=4)
rollovers = st.one_of(st.none(), st.integers(1, 6))


class Stage:
    """A document with some callbacks, and the operations that an application may do to it."""

    def __init__(self) -> None:
        self.source = ColumnDataSource(data={"x": [1, 2, 3], "y": np.array([1.0, 2.0, 3.0])})
        self.slider = Slider(start=0, end=100, value=1, title="a")
        self.text = TextInput(value="")
        self.copy = Div(text="")
        self.box = Column(children=[self.slider, self.text])
        self.panel = Column(children=[Slider(start=0, end=100, value=2), self.copy])
        self.root = Column(children=[self.box, self.panel], tags=[self.source])
        self.desk = Desk(self.root)
        #: Models that have left the document and may come back.
        self.shelf: list[Model] = []
        self.slider.on_change("value", self._clamp)
        self.slider.on_change("value", self._copy)
        self.text.on_change("value", self._replace)

    @property
    def document(self) -> Document:
        return self.desk.document

    def _clamp(self, attr: str, old: Any, new: Any) -> None:
        if new > LIMIT:
            self.slider.value = LIMIT

    def _copy(self, attr: str, old: Any, new: Any) -> None:
        self.copy.text = f"{new}"

    def _replace(self, attr: str, old: Any, new: Any) -> None:
        self.panel.children = [Slider(start=0, end=100, value=len(new)), self.copy]
        self.slider.title = new

    # --- what an application does -----------------------------------------------------------

    def sliders(self) -> list[Slider]:
        found = [model for model in self.document.models if isinstance(model, Slider)]
        return sorted(found, key=lambda model: (len(model.id), model.id))

    def boxes(self) -> list[Column]:
        found = [model for model in self.document.models if isinstance(model, Column)]
        return sorted(found, key=lambda model: (len(model.id), model.id))

    def perform(self, data: st.DataObject) -> None:
        names = sorted(OPERATIONS)
        OPERATIONS[data.draw(st.sampled_from(names), label="operation")](self, data)


Operation = Callable[[Stage, st.DataObject], None]


def _set_value(stage: Stage, data: st.DataObject) -> None:
    sliders = stage.sliders()
    if sliders:
        data.draw(st.sampled_from(sliders)).value = data.draw(small)


def _set_title_of_slider(stage: Stage, data: st.DataObject) -> None:
    sliders = stage.sliders()
    if sliders:
        data.draw(st.sampled_from(sliders)).title = data.draw(st.sampled_from(["", "a", "b"]))


def _set_away(stage: Stage, data: st.DataObject) -> None:
    for model in stage.shelf:
        if isinstance(model, Slider):
            model.value = data.draw(small)


def _type_text(stage: Stage, data: st.DataObject) -> None:
    stage.text.value = data.draw(st.sampled_from(["", "one", "three"]))


def _set_document_title(stage: Stage, data: st.DataObject) -> None:
    stage.document.title = data.draw(st.sampled_from(["one", "two"]))


def _new_model(data: st.DataObject) -> Model:
    if data.draw(st.booleans(), label="nested"):
        return Column(children=[Slider(start=0, end=100, value=data.draw(small)), Div(text="new")])
    return Slider(start=0, end=100, value=data.draw(small))


def _insert_child(stage: Stage, data: st.DataObject) -> None:
    boxes = stage.boxes()
    if boxes:
        box: Any = data.draw(st.sampled_from(boxes))
        box.children.insert(data.draw(st.integers(0, len(box.children))), _new_model(data))


def _remove_child(stage: Stage, data: st.DataObject) -> None:
    boxes: list[Any] = [box for box in (stage.box, stage.panel) if box.children]
    if boxes:
        box = data.draw(st.sampled_from(boxes))
        stage.shelf.append(box.children.pop(data.draw(st.integers(0, len(box.children) - 1))))


def _bring_back(stage: Stage, data: st.DataObject) -> None:
    if stage.shelf:
        model: Any = stage.shelf.pop(data.draw(st.integers(0, len(stage.shelf) - 1)))
        box: Any = data.draw(st.sampled_from([stage.box, stage.panel]))
        if model not in box.children:
            box.children = [*box.children, model]


def _move_child(stage: Stage, data: st.DataObject) -> None:
    box: Any = stage.box
    panel: Any = stage.panel
    if box.children:
        moved = box.children[0]
        box.children = box.children[1:]
        if moved not in panel.children:
            panel.children = [moved, *panel.children]


def _reorder(stage: Stage, data: st.DataObject) -> None:
    box: Any = stage.box
    box.children = data.draw(st.permutations(list(box.children)))


def _add_root(stage: Stage, data: st.DataObject) -> None:
    stage.document.add_root(_new_model(data))


def _remove_root(stage: Stage, data: st.DataObject) -> None:
    roots = stage.document.roots
    if roots:
        stage.document.remove_root(data.draw(st.sampled_from(roots)))


def _restore_root(stage: Stage, data: st.DataObject) -> None:
    stage.document.add_root(stage.root)


def _stream(stage: Stage, data: st.DataObject) -> None:
    columns: dict[str, Any] = {}
    new = data.draw(rows)
    held: Any = stage.source.data
    for name, column in held.items():
        if data.draw(st.booleans(), label="array") and len(column):
            columns[name] = np.array(new, dtype=float)
        else:
            columns[name] = list(new)
    stage.source.stream(columns, data.draw(rollovers))
    for column in columns.values():  # the application uses its buffer again
        if isinstance(column, np.ndarray) and stage.document.callbacks.hold_value is None:
            column[:] = -1


def _patch(stage: Stage, data: st.DataObject) -> None:
    length = len(stage.source.data["x"])
    if not length:
        return
    at = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(at, length))
    values = [data.draw(small) for _ in range(stop - at)]
    stage.source.patch({"x": [(at, data.draw(small)), (slice(at, stop), values)]})


def _replace_data(stage: Stage, data: st.DataObject) -> None:
    new = data.draw(st.lists(small, max_size=4))
    stage.source.data = {"x": new, "y": np.array(new, dtype=float)}


def _set_column(stage: Stage, data: st.DataObject) -> None:
    columns: Any = stage.source.data
    name = data.draw(st.sampled_from(["x", "y", "z"]))
    columns[name] = [data.draw(small) for _ in columns["x"]]


def _delete_column(stage: Stage, data: st.DataObject) -> None:
    columns: Any = stage.source.data
    if "z" in columns:
        del columns["z"]


def _held(stage: Stage, data: st.DataObject) -> None:
    """Some operations in one go, as Panel does it."""
    stage.document.hold(data.draw(st.sampled_from(["combine", "collect"])))
    names = sorted(set(OPERATIONS) - {"held"})
    for _ in range(data.draw(st.integers(1, 4))):
        OPERATIONS[data.draw(st.sampled_from(names), label="operation, held")](stage, data)
    stage.document.unhold()


OPERATIONS: dict[str, Operation] = {
    "add root": _add_root,
    "bring back": _bring_back,
    "delete column": _delete_column,
    "held": _held,
    "insert child": _insert_child,
    "move child": _move_child,
    "patch": _patch,
    "remove child": _remove_child,
    "remove root": _remove_root,
    "reorder": _reorder,
    "replace data": _replace_data,
    "restore root": _restore_root,
    "set away": _set_away,
    "set column": _set_column,
    "set document title": _set_document_title,
    "set title of slider": _set_title_of_slider,
    "set value": _set_value,
    "stream": _stream,
    "type text": _type_text,
}


class ClientDesk:
    """A client that edits its replica and says so."""

    def __init__(self, name: str, stage: Stage) -> None:
        self.name = name
        self.replica = Replica.of(stage.document)
        self._ids = itertools.count()

    def _pick(self, data: st.DataObject, kind: str) -> tuple[str, Twin] | None:
        found = sorted(
            (model_id, twin)
            for model_id, twin in self.replica.reachable().items()
            if twin.type == kind
        )
        if not found:
            return None
        model_id, _ = data.draw(st.sampled_from([(key, None) for key, _ in found]))
        return model_id, self.replica.models[model_id]

    def _new_model(self, data: st.DataObject) -> dict[str, Any]:
        def slider() -> dict[str, Any]:
            attributes = {"start": 0, "end": 100, "value": data.draw(small)}
            return self._definition("Slider", attributes)

        if data.draw(st.booleans(), label="nested"):
            return self._definition("Column", {"children": [slider()]})
        return slider()

    def _definition(self, kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
        model_id = f"{self.name}-{next(self._ids)}"
        return {"type": "object", "name": kind, "id": model_id, "attributes": attributes}

    def scalar(self, data: st.DataObject) -> dict[str, Any] | None:
        kind, attr, values = data.draw(
            st.sampled_from(
                [
                    ("Slider", "value", small),
                    ("Slider", "title", st.sampled_from(["", "a", "b"])),
                    ("TextInput", "value", st.sampled_from(["", "one", "three"])),
                ]
            )
        )
        picked = self._pick(data, kind)
        if picked is None:
            return None
        return {
            "kind": "ModelChanged",
            "model": {"id": picked[0]},
            "attr": attr,
            "new": data.draw(values),
        }

    def title(self, data: st.DataObject) -> dict[str, Any] | None:
        return {"kind": "TitleChanged", "title": data.draw(st.sampled_from(["one", "two"]))}

    def structure(self, data: st.DataObject) -> dict[str, Any] | None:
        """At most one of these per patch: the order of two is a matter of its own tests."""
        choice = data.draw(st.sampled_from(["children", "add root", "remove root"]))
        if choice == "add root":
            return {"kind": "RootAdded", "model": self._new_model(data)}
        if choice == "remove root":
            if not self.replica.roots:
                return None
            root = data.draw(st.sampled_from(self.replica.roots))
            return {"kind": "RootRemoved", "model": {"id": root}}
        picked = self._pick(data, "Column")
        if picked is None:
            return None
        children: list[Ref] = picked[1].attributes.get("children", [])
        kept: list[Any] = [{"id": child.id} for child in data.draw(st.permutations(children))]
        kept = kept[: data.draw(st.integers(0, 3))]
        if data.draw(st.booleans(), label="new child"):
            kept.insert(data.draw(st.integers(0, len(kept))), self._new_model(data))
        return {
            "kind": "ModelChanged",
            "model": {"id": picked[0]},
            "attr": "children",
            "new": kept,
        }

    def columns(self, data: st.DataObject) -> dict[str, Any] | None:
        """At most one of these per patch, for the same reason."""
        picked = self._pick(data, "ColumnDataSource")
        if picked is None:
            return None
        model_id, twin = picked
        columns: dict[str, list[Any]] = twin.attributes["data"]
        event: dict[str, Any] = {"model": {"id": model_id}, "attr": "data"}
        choice = data.draw(st.sampled_from(["stream", "patch", "whole", "partial"]))
        if choice == "patch":
            if not columns["x"]:
                return None
            at = data.draw(st.integers(0, len(columns["x"]) - 1))
            entries = [[at, data.draw(small)]]
            patches = {"type": "map", "entries": [["x", entries]]}
            return {"kind": "ColumnsPatched", **event, "patches": patches}
        if choice == "stream":
            new = data.draw(rows)
            added = {"type": "map", "entries": [[name, new] for name in columns]}
            return {
                "kind": "ColumnsStreamed",
                **event,
                "data": added,
                "rollover": data.draw(rollovers),
            }
        new = [data.draw(small) for _ in columns["x"]]
        names = list(columns) if choice == "whole" else ["x"]
        replaced = {"type": "map", "entries": [[name, new] for name in names]}
        cols = None if choice == "whole" else names
        return {"kind": "ColumnDataChanged", **event, "data": replaced, "cols": cols}

    def edit(self, data: st.DataObject) -> dict[str, Any]:
        """Some edits, in one patch; its own replica has them already."""
        choices = data.draw(
            st.lists(
                st.sampled_from([self.scalar, self.scalar, self.title]), min_size=1, max_size=3
            )
        )
        if data.draw(st.booleans(), label="structure"):
            choices.insert(data.draw(st.integers(0, len(choices))), self.structure)
        if data.draw(st.booleans(), label="columns"):
            choices.insert(data.draw(st.integers(0, len(choices))), self.columns)
        events = [event for choice in choices if (event := choice(data)) is not None]
        content = {"events": events}
        self.replica.apply_content(content)
        self.replica.heard.clear()
        return content


def assert_agrees(replica: Replica, document: Document) -> None:
    has, should = replica.state(), Replica.of(document).state()
    assert (has["title"], has["roots"]) == (should["title"], should["roots"])
    assert set(has["models"]) == set(should["models"])
    for model_id, twin in should["models"].items():
        assert has["models"][model_id] == twin


@SETTINGS
@given(data=st.data())
def test_a_client_has_the_servers_document_after_every_turn(data: st.DataObject) -> None:
    stage = Stage()
    replica = Replica.of(stage.document)
    for _ in range(data.draw(st.integers(1, 4), label="turns")):
        for _ in range(data.draw(st.integers(1, 5), label="operations")):
            stage.perform(data)
        replica.apply(stage.desk.end_turn()[1])
        assert_agrees(replica, stage.document)


@SETTINGS
@given(data=st.data())
def test_clients_that_edit_and_a_server_that_answers_end_up_equal(data: st.DataObject) -> None:
    stage = Stage()
    clients = [ClientDesk("one", stage), ClientDesk("two", stage)]
    for _ in range(data.draw(st.integers(1, 4), label="turns")):
        originator = data.draw(st.sampled_from([None, 0, 1]), label="originator")
        if originator is None:
            stage.perform(data)
            mine, others = None, stage.desk.end_turn()[1]
        else:
            content = clients[originator].edit(data)
            mine, others, failure = stage.desk.receive(clients[originator], content)
            assert failure is None
        for number, client in enumerate(clients):
            client.replica.apply(mine if number == originator else others)
            assert_agrees(client.replica, stage.document)


@SETTINGS
@given(values=st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_a_client_hears_of_its_own_change_only_when_the_server_changed_it_again(
    values: list[int],
) -> None:
    stage = Stage()
    client = object()
    slider = stage.slider
    before = slider.value
    event = {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value"}
    content = {"events": [{**event, "new": value} for value in values]}
    mine, others, _ = stage.desk.receive(client, content)
    about = ("ModelChanged", slider.id, "value")
    heard: list[int] = []
    for patch in (mine, others):
        replica = Replica()
        replica.models = {model.id: Twin("Any") for model in stage.document.models}
        replica.apply(patch)
        heard.append(replica.heard.count(about))
    clamped = any(value > LIMIT for value in values)
    changed = any(value != before for value in values)
    assert heard == [1 if clamped else 0, 1 if changed else 0]
