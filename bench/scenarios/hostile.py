"""What a client may send to make a server work for as long as it can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from bench.clients.bokeh import Session
from bench.clients.websocket import BINARY, TEXT

__all__ = ("bombard",)

#: In bytes; of larger messages others feel the JSON parser, which keeps the interpreter.
_LARGE = 8_000_000


async def bombard(session: Session) -> Callable[[], None]:
    """A call that sends the worst patches, each as soon as the one before was answered."""
    patches = list(_patches(orjson.loads(session.document)))

    def send() -> None:
        if patches:
            events, buffers = patches.pop(0)
            content = orjson.dumps({"events": events})
            header = {"msgid": "m", "msgtype": "PATCH-DOC", "num_buffers": len(buffers)}
            session.write(TEXT, orjson.dumps(header), b"{}", content)
            for number, buffer in enumerate(buffers):
                session.write(TEXT, b'{"id":"b%d"}' % number)
                session.write(BINARY, buffer)

    def listen(kind: str, content: bytes) -> None:
        if kind in ("OK", "ERROR"):
            asyncio.get_running_loop().call_soon(send)

    session.listener = listen
    return send


def _patches(document: Any) -> Iterator[tuple[list[Any], list[bytes]]]:
    """Events, and the buffers to which they refer."""
    box = document["doc"]["roots"][0]
    slider, trouble, div = (child["id"] for child in box["attributes"]["children"])
    yield [_added(f"a{number}", "Spacer") for number in range(2_000)], []
    tags = [_model(f"b{number}", "Spacer") for number in range(2_000)]
    children = [[{"id": f"b{number}"}] for number in range(100)]
    yield [_set(div, "tags", tags), _added("box", "Row"), *_sets("box", "children", children)], []
    columns = {f"c{number}": [number] for number in range(3_000)}
    yield [_set(trouble, "tags", [_model("source", "ColumnDataSource", data=columns)])], []
    yield [_changed_column(f"c{number}") for number in range(3_000)], []
    yield [_added(f"d{number}", "Figure") for number in range(200)], []
    yield [_set(slider, "title", f"{number}") for number in range(4_000)], []
    yield (
        [_added(f"e{number}", "Row") for number in range(400)]
        + [_set(f"e{number}", "children", [{"id": f"e{number + 1}"}]) for number in range(399)],
        [],
    )
    array = {
        "type": "ndarray", "array": {"type": "bytes", "data": {"id": "b0"}},
        "dtype": "float64", "shape": [500_000], "order": "little",
    }  # fmt: skip
    yield [_set(div, "tags", [array] * 400)], [bytes(4_000_000)]
    values = {"type": "map", "entries": [["model", None]]}
    event = {"type": "event", "name": "button_click", "values": values}
    click = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}
    yield [click] * 40_000, []
    numbers = [0.5] * (_LARGE // 4)
    yield [_set(div, "tags", numbers)], []
    yield [_set(slider, "value", numbers)], []
    yield [_set(div, "tags", [[]] * (_LARGE // 3))], []  # the connection ends with that


def _model(model_id: str, name: str, **attributes: Any) -> dict[str, Any]:
    return {"type": "object", "name": name, "id": model_id, "attributes": attributes}


def _added(model_id: str, name: str) -> dict[str, Any]:
    return {"kind": "RootAdded", "model": _model(model_id, name)}


def _set(model_id: str, attr: str, new: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": new}


def _sets(model_id: str, attr: str, values: list[Any]) -> list[dict[str, Any]]:
    return [_set(model_id, attr, value) for value in values]


def _changed_column(name: str) -> dict[str, Any]:
    model = {"id": "source"}
    event = {"kind": "ColumnDataChanged", "model": model, "attr": "data"}
    return {**event, "data": {name: [1]}, "cols": [name]}
