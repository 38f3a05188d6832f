"""Documents as the JSON that BokehJS reads."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bokeh.models import Column, ColumnDataSource, CustomJS
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import figure

from hyperfocal.document import Document, encode_document, mark_seen, new_document, unseen_models
from hyperfocal.wire import Buffer
from tests.document.replica import Replica


def empty() -> Document:
    return new_document()


def widgets() -> Document:
    document = new_document()
    document.title = "Wïdgets"
    slider = Slider(start=0, end=9, value=1, name="s")
    slider.js_on_change("value", CustomJS(code="1", args={"slider": slider}))
    box: Any = Column(children=[slider, Div(text="a"), Column(children=[slider])])
    document.add_root(box)
    document.add_root(slider)
    return document


def arrays() -> Document:
    document = new_document()
    data = {
        "float": np.array([1.0, np.nan, np.inf]),
        "int": np.array([1, 2, 3], dtype=np.int32),
        "text": np.array(["a", "b", "c"]),
        "images": [np.zeros((2, 2)), np.ones((2, 2)), np.eye(2)],
        "list": [1.5, None, float("nan")],
        "time": np.array(["2020-01-01"] * 3, dtype="datetime64[ns]"),
    }
    document.add_root(ColumnDataSource(data=data))
    return document


def plot() -> Document:
    document = new_document()
    fig = figure()
    fig.scatter(np.arange(5.0), np.arange(5.0) ** 2)
    fig.line("x", "y", source=ColumnDataSource(data={"x": [1, 2], "y": [3, 4]}))
    document.add_root(fig)
    return document


def listening() -> Document:
    document = new_document()
    document.js_on_event("document_ready", CustomJS(code="1"))
    return document


DOCUMENTS: list[Callable[[], Document]] = [empty, widgets, arrays, plot, listening]


def normal(rep: Any, buffers: dict[str, bytes], names: dict[Any, int]) -> Any:
    """JSON with its bytes in place, and ids by the order in which they come."""
    if isinstance(rep, list | tuple):
        return [normal(item, buffers, names) for item in rep]
    if not isinstance(rep, dict):
        return rep
    if rep.get("type") == "bytes":
        data = rep["data"]
        if isinstance(data, str):
            return ["bytes", gzip.decompress(base64.b64decode(data))]
        return ["bytes", buffers[data["id"]] if isinstance(data, dict) else bytes(data.data)]
    return {key: normal(item, buffers, names) for key, item in rep.items()}


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("make", DOCUMENTS)
def test_a_document_is_encoded_as_bokeh_encodes_it(
    make: Callable[[], Document], inline: bool
) -> None:
    document = make()
    encoded = encode_document(document, inline=inline)
    ours = normal(
        json.loads(encoded.content)["doc"],
        {buffer.id: bytes(buffer.payload) for buffer in encoded.buffers},
        {},
    )
    theirs = normal(document.to_json().content, {}, {})
    assert ours == theirs


def test_models_that_applications_define_are_told() -> None:
    from bokeh.core.properties import Int
    from bokeh.model import DataModel, Model

    class Reading(DataModel):
        degrees = Int(default=0)

    try:
        document = new_document()
        document.add_root(Reading(degrees=7))
        doc = json.loads(encode_document(document).content)["doc"]
        theirs: Any = document.to_json().content
        assert doc["defs"] == json.loads(json.dumps(theirs["defs"]))
        assert "Reading" in doc["defs"][-1]["name"]
    finally:
        Model.clear_extensions()
        for name, cls in list(Model.model_class_reverse_map.items()):
            if cls is Reading:
                del Model.model_class_reverse_map[name]


def test_arrays_leave_in_buffers_with_ids_of_their_own() -> None:
    encoded = encode_document(arrays())
    assert len(encoded.buffers) == 6
    assert len({buffer.id for buffer in encoded.buffers}) == 6
    assert all(isinstance(buffer, Buffer) for buffer in encoded.buffers)


def test_inline_arrays_need_no_buffers_and_are_gzip_in_base64() -> None:
    document = new_document()
    document.add_root(ColumnDataSource(data={"x": np.array([1.0, 2.0])}))
    encoded = encode_document(document, inline=True)
    assert encoded.buffers == ()
    (root,) = json.loads(encoded.content)["doc"]["roots"]
    ((_, array),) = root["attributes"]["data"]["entries"]
    packed = base64.b64decode(array["array"]["data"], validate=True)
    assert np.frombuffer(gzip.decompress(packed)).tolist() == [1.0, 2.0]


def test_inline_encoding_is_the_same_every_time() -> None:
    document = arrays()
    assert encode_document(document, inline=True) == encode_document(document, inline=True)


def test_buffers_do_not_change_with_the_array() -> None:
    document = new_document()
    array = np.array([1.0, 2.0])
    document.add_root(ColumnDataSource(data={"x": array}))
    encoded = encode_document(document)
    array[:] = 0.0
    assert np.frombuffer(encoded.buffers[0].payload).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("seen", [False, True])
def test_encoding_does_not_change_what_is_unseen(seen: bool) -> None:
    document = widgets()
    if seen:
        mark_seen(document)
    before = unseen_models(document)
    assert bool(before) is not seen
    encode_document(document)
    assert unseen_models(document) == before


def test_a_model_in_several_places_is_defined_once() -> None:
    content = encode_document(widgets()).content
    assert content.count('"name":"Slider"') == 1


def test_numpy_scalars_are_written_as_the_values_they_are() -> None:
    document = new_document()
    tags: list[Any] = [
        np.float64(1.5),
        np.float32(2.5),
        np.int64(3),
        np.uint8(4),
        np.bool_(True),
        np.float64("nan"),
        np.array(5.0),
        np.str_("text"),
    ]
    document.add_root(Div(tags=tags))
    (root,) = json.loads(encode_document(document).content)["doc"]["roots"]
    nan = {"type": "number", "value": "nan"}
    assert root["attributes"]["tags"] == [1.5, 2.5, 3, 4, True, nan, 5.0, "text"]


def test_text_with_half_an_emoji_is_encoded() -> None:
    document = new_document()
    document.add_root(Div(text="\ud83d"))
    (root,) = json.loads(encode_document(document).content)["doc"]["roots"]
    assert root["attributes"]["text"] == "\ud83d"


def test_a_value_without_a_json_form_is_an_error() -> None:
    document = new_document()
    document.add_root(Div(tags=[object()]))
    with pytest.raises(ValueError, match="serialize"):
        encode_document(document)


def test_a_replica_of_a_document_has_its_models_by_id() -> None:
    document = widgets()
    replica = Replica.of(document)
    assert replica.roots == [root.id for root in document.roots]
    assert set(replica.reachable()) == {model.id for model in document.models}
