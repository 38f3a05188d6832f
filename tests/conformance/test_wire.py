"""What a client sees on the websocket."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div, Slider
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from hyperfocal.testing import WireClient
from hyperfocal.wire import Buffer, Kind, Message
from tests.conformance.peers import MESSAGE_BYTES, Peer, models, new_token, only_hyperfocal

pytestmark = pytest.mark.conformance


@dataclass
class Board:
    """A client of ``apps/board.py`` that has the document."""

    client: WireClient
    doc: dict[str, Any]
    ids: dict[str, str]

    @classmethod
    async def pull(cls, client: WireClient) -> Board:
        doc = await client.pull()
        return cls(client, doc, {name: model["id"] for name, model in models(doc).items()})

    async def set(self, name: str, attr: str, value: Any) -> Message:
        return await self.client.set(self.ids[name], attr, value)

    async def command(self, command: str) -> Message:
        return await self.set("command", "value", command)

    async def click(self, name: str) -> Message:
        """What BokehJS sends when a button is pressed."""
        values = {"type": "map", "entries": [["model", {"id": self.ids[name]}]]}
        return await self.client.patch(
            {
                "kind": "MessageSent",
                "msg_type": "bokeh_event",
                "msg_data": {"type": "event", "name": "button_click", "values": values},
            }
        )

    def said(self, name: str, attr: str) -> list[Any]:
        """The values that the server has sent for a property, in order."""
        return said(self.client.patches(), self.ids[name], attr)

    async def told(self, name: str, attr: str, value: Any) -> Message:
        """Wait until the server sends this value for a property."""
        return await self.client.expect(
            lambda message: (
                message.kind is Kind.PATCH_DOC
                and value in said(message.content["events"], self.ids[name], attr)
            )
        )

    async def event(self, wanted: Callable[[dict[str, Any]], bool]) -> tuple[Message, Any]:
        """Wait for a document event."""
        message = await self.client.expect(
            lambda message: (
                message.kind is Kind.PATCH_DOC and any(map(wanted, message.content["events"]))
            )
        )
        return message, next(filter(wanted, message.content["events"]))

    def precede(self, reply: Message) -> list[dict[str, Any]]:
        """The document events that came before this reply."""
        before = self.client.messages[: self.client.messages.index(reply)]
        return [
            event
            for message in before
            if message.kind is Kind.PATCH_DOC
            for event in message.content["events"]
        ]


def said(events: list[dict[str, Any]], model_id: str, attr: str) -> list[Any]:
    return [
        event["new"]
        for event in events
        if event["kind"] == "ModelChanged"
        and event["model"]["id"] == model_id
        and event["attr"] == attr
    ]


def kind_is(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: bool(event["kind"] == name)


def array(value: Any, buffers: tuple[Buffer, ...]) -> list[Any]:
    """The numbers of an encoded array or list."""
    if isinstance(value, list):
        return value
    assert value["type"] == "ndarray", value
    data = value["array"]["data"]
    if isinstance(data, str):
        payload: bytes | memoryview = gzip.decompress(base64.b64decode(data))
    else:
        payload = next(buffer.payload for buffer in buffers if buffer.id == data["id"])
    numbers: list[Any] = np.frombuffer(payload, dtype=value["dtype"]).tolist()
    return numbers


def columns(data: Any, buffers: tuple[Buffer, ...]) -> dict[str, list[Any]]:
    """The columns of encoded data."""
    entries = data["entries"] if data.get("type") == "map" else data.items()
    return {name: array(column, buffers) for name, column in entries}


@asynccontextmanager
async def board(server: Peer, token: str | None = None) -> AsyncGenerator[Board]:
    async with server.join("/board", token or new_token()) as client:
        yield await Board.pull(client)


# --- the conversation ---------------------------------------------------------------------------


async def test_the_server_speaks_first_and_says_ack(server: Peer) -> None:
    protocols = [Subprotocol("bokeh"), Subprotocol(new_token())]
    async with connect(f"{server.ws}/board/ws", subprotocols=protocols) as socket:
        assert socket.subprotocol == "bokeh"
        header, _, content = [json.loads(await socket.recv()) for _ in range(3)]
    assert header["msgtype"] == "ACK"
    assert header["msgid"]
    assert "reqid" not in header
    assert content == {}


async def test_a_pull_gives_version_title_and_roots(server: Peer) -> None:
    async with server.visit("/board") as client:
        reply = await client.request(Kind.PULL_DOC_REQ)
    assert reply.kind is Kind.PULL_DOC_REPLY
    doc = reply.content["doc"]
    assert doc["title"] == "Board"
    assert doc["version"].startswith("3.")
    assert doc["config"]["type"] == "object"
    assert [root["name"] for root in doc["roots"]] == [
        "Slider",
        "Div",
        "Spinner",
        "Switch",
        "MultiChoice",
        "Button",
        "Button",
        "TextInput",
        "ColumnDataSource",
    ]
    source = models(doc)["source"]["attributes"]
    assert columns(source["data"], reply.buffers) == {"x": [0, 1, 2, 3], "y": [0, 0, 0, 0]}


async def test_arrays_of_a_pulled_document_are_buffers(server: Peer) -> None:
    async with server.visit("/board") as client:
        reply = await client.request(Kind.PULL_DOC_REQ)
    assert len(reply.buffers) == 2
    assert {len(buffer.payload) for buffer in reply.buffers} == {32, 16}


async def test_only_models_with_callbacks_of_an_event_subscribe_to_it(server: Peer) -> None:
    async with board(server) as here:
        named = models(here.doc)
        assert named["button"]["attributes"]["subscribed_events"] == {
            "type": "set",
            "entries": ["button_click"],
        }
        assert "subscribed_events" not in named["label"]["attributes"]


async def test_server_info_names_the_versions(server: Peer) -> None:
    async with server.visit("/board") as client:
        reply = await client.request(Kind.SERVER_INFO_REQ)
    assert reply.kind is Kind.SERVER_INFO_REPLY
    versions = reply.content["version_info"]
    assert versions["bokeh"].startswith("3.")
    assert versions["server"]


async def test_a_second_pull_gives_the_document_as_it_is_now(server: Peer) -> None:
    async with board(server) as here:
        await here.set("slider", "value", 12)
        doc = models(await here.client.pull())
    assert doc["slider"]["attributes"]["value"] == 12
    assert doc["label"]["attributes"]["text"] == "slider is 12"


# --- patches ------------------------------------------------------------------------------------


async def test_what_a_callback_changes_comes_before_the_ok_of_the_patch(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.set("slider", "value", 7)
        assert reply.kind is Kind.OK
        assert said(here.precede(reply), here.ids["label"], "text") == ["slider is 7"]


async def test_the_sender_gets_no_echo_of_its_own_change(server: Peer) -> None:
    async with board(server) as here:
        assert (await here.set("slider", "value", 7)).kind is Kind.OK
        await here.client.roundtrip()
        assert here.said("slider", "value") == []


async def test_the_sender_hears_of_its_change_when_the_server_changed_it_again(
    server: Peer,
) -> None:
    async with board(server) as here:
        reply = await here.set("spinner", "value", 50)
        assert reply.kind is Kind.OK
        assert said(here.precede(reply), here.ids["spinner"], "value")[-1] == 10


@only_hyperfocal
async def test_everybody_ends_with_the_value_that_the_server_put_in_place(server: Peer) -> None:
    """Bokeh tells the others the two values in the wrong order."""
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        await here.set("spinner", "value", 50)
        await there.told("spinner", "value", 10)
        await there.client.roundtrip()
        assert there.said("spinner", "value")[-1] == 10


async def test_another_connection_of_the_session_gets_the_change(server: Peer) -> None:
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        assert here.ids == there.ids
        await here.set("slider", "value", 9)
        await there.told("slider", "value", 9)
        await there.told("label", "text", "slider is 9")


async def test_another_session_hears_nothing(server: Peer) -> None:
    async with board(server) as here, board(server) as there:
        await here.set("slider", "value", 9)
        await there.client.roundtrip()
        assert there.client.patches() == []


async def test_the_last_of_several_values_wins(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.command("several")
        events = here.precede(reply)
        assert said(events, here.ids["label"], "text")[-1] == "step 4"
        assert said(events, here.ids["slider"], "end") == [200]


async def test_several_events_of_one_patch_are_applied_in_order(server: Peer) -> None:
    async with board(server) as here:

        def change(name: str, attr: str, new: Any) -> dict[str, Any]:
            model = {"id": here.ids[name]}
            return {"kind": "ModelChanged", "model": model, "attr": attr, "new": new}

        reply = await here.client.patch(
            change("slider", "value", 3),
            change("slider", "value", 4),
            change("choice", "value", ["b"]),
        )
        assert reply.kind is Kind.OK
        named = models(await here.client.pull())
    assert named["slider"]["attributes"]["value"] == 4
    assert named["label"]["attributes"]["text"] == "slider is 4"
    assert named["choice"]["attributes"]["value"] == ["b"]


async def test_an_unknown_attribute_is_ignored_with_ok(server: Peer) -> None:
    async with board(server) as here:
        assert (await here.set("label", "no_such_thing", 1)).kind is Kind.OK
        assert (await here.set("slider", "value", 2)).kind is Kind.OK
        await here.told("label", "text", "slider is 2")


async def test_an_unknown_model_is_an_error_and_the_conversation_goes_on(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.client.set("no-such-model", "value", 1)
        assert reply.kind is Kind.ERROR
        assert reply.content["text"]
        assert (await here.set("slider", "value", 2)).kind is Kind.OK


async def test_a_callback_that_raises_answers_error_and_the_change_stays(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.set("switch", "active", True)
        assert reply.kind is Kind.ERROR
        assert "the switch is broken" in reply.content["text"]
        assert "traceback" in reply.content
        named = models(await here.client.pull())
        assert named["switch"]["attributes"]["active"] is True
        assert (await here.set("slider", "value", 2)).kind is Kind.OK


async def test_a_value_that_does_not_fit_is_an_error_and_changes_nothing(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.set("slider", "value", "a lot")
        assert reply.kind is Kind.ERROR
        named = models(await here.client.pull())
        assert named["slider"]["attributes"]["value"] == 0


@only_hyperfocal
async def test_one_message_tells_all_that_a_callback_changed(server: Peer) -> None:
    """Bokeh sends a message for each change."""
    async with board(server) as here:
        await here.command("several")
        patches = [one for one in here.client.messages if one.kind is Kind.PATCH_DOC]
        assert len(patches) == 1


# --- column data --------------------------------------------------------------------------------


async def test_assigned_data_goes_out_whole_with_buffers(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.command("assign")
        assert reply.kind is Kind.OK
        message, event = await here.event(kind_is("ColumnDataChanged"))
        assert event["model"] == {"id": here.ids["source"]}
        assert event["attr"] == "data"
        assert event.get("cols") is None
        assert message.buffers
        assert columns(event["data"], message.buffers) == {"x": [2.5, 2.5, 2.5], "z": [1, 2, 3]}
        assert here.client.messages.index(message) < here.client.messages.index(reply)


async def test_streamed_rows_go_out_alone(server: Peer) -> None:
    async with board(server) as here:
        await here.command("stream")
        message, event = await here.event(kind_is("ColumnsStreamed"))
        assert event["model"] == {"id": here.ids["source"]}
        assert event["rollover"] == 5
        assert columns(event["data"], message.buffers) == {"x": [4, 5], "y": [4, 5]}
        reply = await here.client.request(Kind.PULL_DOC_REQ)
    data = models(reply.content["doc"])["source"]["attributes"]["data"]
    assert columns(data, reply.buffers)["x"] == [1, 2, 3, 4, 5]


async def test_patched_cells_go_out_alone(server: Peer) -> None:
    async with board(server) as here:
        await here.command("patch")
        _, event = await here.event(kind_is("ColumnsPatched"))
        patches = event["patches"]
        entries = dict(patches["entries"] if patches.get("type") == "map" else patches.items())
        (index, value), (piece, values) = entries["x"]
        assert (index, value) == (1, 11)
        assert (piece["type"], piece["start"], piece["stop"]) == ("slice", 2, 4)
        assert values == [12, 13]
        reply = await here.client.request(Kind.PULL_DOC_REQ)
    data = models(reply.content["doc"])["source"]["attributes"]["data"]
    assert columns(data, reply.buffers)["x"] == [0, 11, 12, 13]


async def test_buffers_of_a_client_become_arrays(server: Peer) -> None:
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        numbers = np.array([1.5, 2.5, 4.0])
        encoded = {
            "type": "ndarray",
            "array": {"type": "bytes", "data": {"id": "one"}},
            "shape": [3],
            "dtype": "float64",
            "order": "little",
        }
        event = {
            "kind": "ModelChanged",
            "model": {"id": here.ids["source"]},
            "attr": "data",
            "new": {"type": "map", "entries": [["x", encoded]]},
        }
        reply = await here.client.patch(event, buffers=[Buffer("one", numbers.tobytes())])
        assert reply.kind is Kind.OK
        assert said(here.precede(reply), here.ids["label"], "text") == ["x adds up to 8.0"]
        message, event = await there.event(lambda event: event.get("attr") == "data")
        assert event["kind"] == "ModelChanged"
        assert columns(event["new"], message.buffers) == {"x": [1.5, 2.5, 4.0]}


async def test_inline_bytes_of_a_client_become_arrays(server: Peer) -> None:
    async with board(server) as here:
        packed = base64.b64encode(gzip.compress(np.array([1.0, 2.0]).tobytes())).decode()
        encoded = {
            "type": "ndarray",
            "array": {"type": "bytes", "data": packed},
            "shape": [2],
            "dtype": "float64",
            "order": "little",
        }
        event = {
            "kind": "ColumnDataChanged",
            "model": {"id": here.ids["source"]},
            "attr": "data",
            "data": {"type": "map", "entries": [["x", encoded]]},
            "cols": None,
        }
        reply = await here.client.patch(event)
        assert reply.kind is Kind.OK, reply.content
        await here.told("label", "text", "x adds up to 3.0")


@pytest.mark.parametrize(
    ("event", "total"),
    [
        (
            {
                "kind": "ColumnsStreamed",
                "data": {"type": "map", "entries": [["x", [10]], ["y", [1]]]},
                "rollover": None,
            },
            "16.0",
        ),
        (
            {
                "kind": "ColumnsPatched",
                "patches": {"type": "map", "entries": [["x", [[0, 100]]]]},
            },
            "106.0",
        ),
    ],
    ids=["streamed", "patched"],
)
async def test_rows_and_cells_of_a_client_are_applied_and_passed_on(
    server: Peer, event: dict[str, Any], total: str
) -> None:
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        about = {"model": {"id": here.ids["source"]}, "attr": "data"}
        reply = await here.client.patch({**event, **about})
        assert reply.kind is Kind.OK, reply.content
        await here.told("label", "text", f"x adds up to {total}")
        await there.event(kind_is(event["kind"]))
        assert [one["kind"] for one in here.client.patches()] == ["ModelChanged"]


@only_hyperfocal
async def test_columns_that_a_client_does_not_name_stay(server: Peer) -> None:
    """Bokeh drops them."""
    async with board(server) as here:
        event = {
            "kind": "ColumnDataChanged",
            "model": {"id": here.ids["source"]},
            "attr": "data",
            "data": {"type": "map", "entries": [["x", [1, 2, 3, 4]]]},
            "cols": ["x"],
        }
        assert (await here.client.patch(event)).kind is Kind.OK
        reply = await here.client.request(Kind.PULL_DOC_REQ)
    data = models(reply.content["doc"])["source"]["attributes"]["data"]
    assert columns(data, reply.buffers) == {"x": [1, 2, 3, 4], "y": [0, 0, 0, 0]}


# --- the document itself ------------------------------------------------------------------------


async def test_a_new_title_reaches_the_client(server: Peer) -> None:
    async with board(server) as here:
        await here.command("title")
        _, event = await here.event(kind_is("TitleChanged"))
        assert event["title"] == "Another title"


async def test_a_title_that_a_client_sets_reaches_the_others(server: Peer) -> None:
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        reply = await here.client.patch({"kind": "TitleChanged", "title": "Mine"})
        assert reply.kind is Kind.OK
        _, event = await there.event(kind_is("TitleChanged"))
        assert event["title"] == "Mine"
        assert (await here.client.pull())["title"] == "Mine"


async def test_roots_come_change_and_go(server: Peer) -> None:
    async with board(server) as here:
        await here.command("add_root")
        _, event = await here.event(kind_is("RootAdded"))
        assert event["model"]["attributes"]["text"] == "I am new"
        here.ids["extra"] = event["model"]["id"]
        await here.command("change_extra")
        await here.told("extra", "text", "I have changed")
        await here.command("remove_root")
        _, event = await here.event(kind_is("RootRemoved"))
        assert event["model"] == {"id": here.ids["extra"]}
        assert "extra" not in models(await here.client.pull())


async def test_a_root_that_a_client_adds_reaches_the_others(server: Peer) -> None:
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        mine = {"type": "object", "name": "Div", "id": "mine-1", "attributes": {"text": "mine"}}
        reply = await here.client.patch({"kind": "RootAdded", "model": mine})
        assert reply.kind is Kind.OK
        _, event = await there.event(kind_is("RootAdded"))
        assert event["model"]["id"] == "mine-1"
        assert event["model"]["attributes"]["text"] == "mine"
        reply = await there.client.patch({"kind": "RootRemoved", "model": {"id": "mine-1"}})
        assert reply.kind is Kind.OK
        _, event = await here.event(kind_is("RootRemoved"))
        assert event["model"] == {"id": "mine-1"}


async def test_a_button_click_reaches_its_callback(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.click("button")
        assert reply.kind is Kind.OK, reply.content
        assert said(here.precede(reply), here.ids["label"], "text") == ["untouched, pressed"]


async def test_a_click_is_not_told_to_others(server: Peer) -> None:
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        await here.click("button")
        await there.told("label", "text", "untouched, pressed")
        assert [one["kind"] for one in there.client.patches()] == ["ModelChanged"]


async def test_a_pushed_document_takes_the_place_of_the_old_one(server: Peer) -> None:
    mine = Document(title="Pushed")
    mine.add_root(Div(name="pushed", text="by a client"))
    mine.add_root(Slider(name="with it", start=0, end=2, value=1))
    async with board(server) as here:
        reply = await here.client.request(Kind.PUSH_DOC, {"doc": mine.to_json().content})
        assert reply.kind is Kind.OK, reply.content
        doc = await here.client.pull()
        named = models(doc)
        assert doc["title"] == "Pushed"
        assert set(named) == {"pushed", "with it"}
        assert named["pushed"]["id"] == mine.roots[0].id
        assert (await here.client.set(mine.roots[0].id, "text", "edited")).kind is Kind.OK


@only_hyperfocal
async def test_a_pushed_document_reaches_the_other_clients(server: Peer) -> None:
    """Bokeh tells them ids without definitions."""
    mine = Document(title="Pushed")
    mine.add_root(Div(name="pushed", text="by a client"))
    token = new_token()
    async with board(server, token) as here, board(server, token) as there:
        await here.client.request(Kind.PUSH_DOC, {"doc": mine.to_json().content})
        await there.event(kind_is("TitleChanged"))
        _, event = await there.event(kind_is("RootAdded"))
        assert models(event)["pushed"]["attributes"]["text"] == "by a client"
        removed = [one for one in there.client.patches() if one["kind"] == "RootRemoved"]
        assert len(removed) == 9


# --- time and holding ---------------------------------------------------------------------------


async def test_a_next_tick_callback_runs_after_its_turn(server: Peer) -> None:
    async with board(server) as here:
        reply = await here.command("next_tick")
        assert said(here.precede(reply), here.ids["label"], "text") == ["before the tick"]
        await here.told("label", "text", "ticked")


async def test_an_async_next_tick_callback_runs(server: Peer) -> None:
    async with board(server) as here:
        await here.command("async_tick")
        await here.told("label", "text", "ticked without waiting")


async def test_a_timeout_callback_runs_once(server: Peer) -> None:
    async with board(server) as here:
        await here.command("timeout")
        await here.told("label", "text", "time is up")
        assert here.said("label", "text") == ["time is up"]


async def test_a_periodic_callback_runs_until_it_is_removed(server: Peer) -> None:
    async with board(server) as here:
        await here.command("periodic")
        await here.told("label", "text", "beat 3")
        # A later timer runs after a fourth beat would have.
        await here.command("timeout")
        await here.told("label", "text", "time is up")
        assert here.said("label", "text") == ["beat 1", "beat 2", "beat 3", "time is up"]


async def test_what_is_held_goes_out_when_the_application_lets_go(server: Peer) -> None:
    async with board(server) as here:
        await here.command("hold")
        await here.client.roundtrip()
        assert here.said("label", "text") == []
        reply = await here.click("release")
        assert said(here.precede(reply), here.ids["label"], "text") == ["held 2"]


async def test_a_callback_finds_its_document_with_curdoc(server: Peer) -> None:
    async with board(server) as here:
        await here.command("whose")
        await here.told("label", "text", "True")


async def test_arguments_behind_args_are_the_applications_argv(server: Peer) -> None:
    async with board(server) as here:
        await here.command("say_argv")
        await here.told("label", "text", "first --second=2")


# --- the end ------------------------------------------------------------------------------------


async def test_a_message_that_is_too_large_closes_with_1009(server: Peer) -> None:
    async with board(server) as here:
        with pytest.raises(ConnectionError):
            await here.set("label", "text", "x" * (MESSAGE_BYTES + 1))
        assert here.client.socket.close_code == 1009


@only_hyperfocal
async def test_a_peer_that_speaks_nonsense_is_closed_with_a_code_of_the_rfc(server: Peer) -> None:
    """Bokeh closes with 10001, which no websocket may use."""
    async with server.visit("/board") as client:
        await client.socket.send("this is no header")
        await client.socket.wait_closed()
        assert client.socket.close_code in (1002, 1007)


@only_hyperfocal
async def test_a_bad_token_is_refused_before_the_upgrade(server: Peer) -> None:
    """Bokeh accepts the websocket and is then silent."""
    with pytest.raises(InvalidStatus) as caught:
        async with server.join("/board", "no-token-at-all"):
            pass
    assert caught.value.response.status_code == 403
    assert caught.value.response.body


async def test_a_session_goes_on_when_one_of_its_clients_leaves(server: Peer) -> None:
    token = new_token()
    async with board(server, token) as here:
        async with board(server, token) as there:
            await there.set("slider", "value", 5)
        await here.told("label", "text", "slider is 5")
        assert (await here.set("slider", "value", 6)).kind is Kind.OK
        await here.told("label", "text", "slider is 6")


async def test_a_client_that_comes_back_finds_its_session_as_it_left_it(server: Peer) -> None:
    token = new_token()
    async with board(server, token) as here:
        await here.set("slider", "value", 33)
    async with board(server, token) as again:
        named = models(again.doc)
        assert again.ids == here.ids
        assert named["slider"]["attributes"]["value"] == 33
        await again.set("slider", "value", 34)
        await again.told("label", "text", "slider is 34")
