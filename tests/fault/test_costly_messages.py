"""Messages that once took hours, gigabytes or the log, over real sockets: each is answered."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hyperfocal.telemetry import EncodingFailed, PatchRefused
from hyperfocal.wire import Buffer, Kind
from tests.fault.test_hostile_messages import Scene, scene

pytestmark = pytest.mark.usefixtures("either_transport")


def new(model_id: str, name: str = "Spacer", **attributes: Any) -> dict[str, Any]:
    return {"type": "object", "name": name, "id": model_id, "attributes": attributes}


def added(model: Any) -> dict[str, Any]:
    return {"kind": "RootAdded", "model": model}


def changed(model_id: str, attr: str, value: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": value}


def two_thousand_roots(one: Scene) -> list[Any]:
    return [added(new(f"n{number}")) for number in range(2_000)]


def children_of_two_thousand(one: Scene) -> list[Any]:
    tags = one.change("tags", [new(f"n{number}") for number in range(2_000)])
    changes = [changed("row", "children", [{"id": f"n{number}"}]) for number in range(100)]
    return [tags, added(new("row", "Row")), *changes]


def three_thousand_columns(one: Scene) -> list[Any]:
    data = {f"c{number}": [number] for number in range(3_000)}
    model = {"model": {"id": "source"}, "attr": "data"}
    return [
        one.change("tags", [new("source", "ColumnDataSource", data=data)]),
        *(
            {"kind": "ColumnDataChanged", **model, "data": {name: [1]}, "cols": [name]}
            for name in data
        ),
    ]


def four_thousand_properties(one: Scene) -> list[Any]:
    return [one.change("title", f"{number}") for number in range(4_000)]


def figures(one: Scene) -> list[Any]:
    return [added(new(f"n{number}", "Figure")) for number in range(200)]


def a_long_list(one: Scene) -> list[Any]:
    return [one.change("tags", [0.5] * 1_000_000)]


def clicks(one: Scene) -> list[Any]:
    values = {"type": "map", "entries": [["model", {"id": one.id("button")}]]}
    data = {"type": "event", "name": "button_click", "values": values}
    return [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data}] * 10_000


@pytest.mark.parametrize(
    "events",
    [
        *(two_thousand_roots, children_of_two_thousand, three_thousand_columns),
        *(four_thousand_properties, figures, a_long_list, clicks),
    ],
)
async def test_a_long_patch_is_carried_out(events: Callable[[Scene], list[Any]]) -> None:
    async with scene() as one:
        await one.taken(*events(one))
        await one.mallory.pull()


def a_chain(one: Scene) -> list[Any]:
    rows = [added(new(f"n{number}", "Row")) for number in range(400)]
    return rows + [changed(f"n{n}", "children", [{"id": f"n{n + 1}"}]) for n in range(399)]


def too_many_models(one: Scene) -> list[Any]:
    return [one.change("tags", [new(f"n{number}") for number in range(6_000)])]


@pytest.mark.parametrize(
    ("events", "text"),
    [(a_chain, "refer to each other"), (too_many_models, "more than 5,000 models")],
)
async def test_a_patch_that_makes_too_much_is_refused_with_one_line(
    events: Callable[[Scene], list[Any]], text: str
) -> None:
    """Regression: a chain of 200 was 22 MB of log."""
    async with scene() as one:
        assert text in await one.refused(*events(one))
        (refused,) = one.server.events.of(PatchRefused)
        assert len(refused.words()) < 1_000
        assert one.server.events.of(EncodingFailed) == []


async def test_a_buffer_that_is_referred_to_again_and_again_takes_no_gigabytes() -> None:
    array = {
        "type": "ndarray", "array": {"type": "bytes", "data": {"id": "b"}},
        "dtype": "float64", "shape": [500_000], "order": "little",
    }  # fmt: skip
    async with scene() as one:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        content = {"events": [one.change("tags", [array] * 400)]}
        buffer = Buffer("b", np.zeros(500_000).tobytes())
        reply = await one.mallory.request(Kind.PATCH_DOC, content, (buffer,))
        assert reply.kind is Kind.ERROR
        assert "unpacked" in reply.content["text"]
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < 300_000  # KiB


async def test_a_message_of_millions_of_lists_closes_its_connection() -> None:
    async with scene() as one:
        content = json.dumps({"events": [one.change("tags", "?")]})
        content = content.replace('"?"', "[" + "[]," * 1_100_000 + "[]]")
        await one.mallory.send_frames(['{"msgid":"m","msgtype":"PATCH-DOC"}', "{}", content])
        await one.mallory.socket.wait_closed()
        assert one.mallory.socket.close_code == 1009
