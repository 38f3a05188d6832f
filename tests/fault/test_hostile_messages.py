"""Clients that have a session of their own and want more: others' sessions, or the server's end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Column, ColumnDataSource, CustomJS
from bokeh.models.widgets import Button, Div, Slider
from websockets.frames import Frame

from hyperfocal.config import WebSocketTransport
from hyperfocal.telemetry import ConnectionClosed
from hyperfocal.testing import WireClient
from hyperfocal.web.chunks import CHUNK_BYTES
from hyperfocal.wire import Kind
from tests.support.applications import named
from tests.support.frames import Opcode, frame, message
from tests.support.raw import RawClient
from tests.support.serving import Running, running, until

pytestmark = pytest.mark.usefixtures("either_transport")

SECRET = "the bystander's own"


def board(doc: Document) -> None:
    slider = Slider(start=0, end=100, value=1, name="slider")
    slider.js_on_change("value", CustomJS(code="1"))
    echo = Div(text="0", name="div")
    slider.on_change("value", lambda attr, old, new: setattr(echo, "text", f"{new}"))
    source = ColumnDataSource(data={"x": [1, 2, 3]}, name="source")
    children: list[Any] = [slider, echo, Button(name="button")]
    doc.add_root(Column(children=children, tags=[source]))


@dataclass
class Scene:
    """A server, a client that means ill, and one with a session of its own that wants peace."""

    server: Running
    token: str
    mallory: WireClient
    alice: WireClient
    own: dict[str, Any]
    others: dict[str, Any]

    def id(self, name: str = "slider") -> str:
        return str(named(self.own, name)["id"])

    def change(self, attr: Any, new: Any, name: str = "slider") -> dict[str, Any]:
        return {"kind": "ModelChanged", "model": {"id": self.id(name)}, "attr": attr, "new": new}

    async def refused(self, *events: Any) -> str:
        """The text of the ERROR reply to a patch, after which nothing has changed."""
        before = await self.mallory.pull()
        reply = await self.mallory.patch(*events)
        assert reply.kind is Kind.ERROR, reply
        assert await self.mallory.pull() == before
        return str(reply.content["text"])

    async def taken(self, *events: Any) -> None:
        reply = await self.mallory.patch(*events)
        assert reply.kind is Kind.OK, reply.content


@contextlib.asynccontextmanager
async def scene(**settings: Any) -> AsyncGenerator[Scene]:
    """Afterwards everybody else has to be as they were."""
    async with running({"/a": board}, **settings) as server:
        token = await server.token("/a")
        async with server.client("/a", token) as mallory, server.client("/a") as alice:
            one, two = server.context("/a").sessions
            await alice.set(named(await alice.pull(), "div")["id"], "text", SECRET)
            others = await alice.pull()
            heard = len(alice.patches())
            own = await mallory.pull()
            assert SECRET not in json.dumps(own)
            yield Scene(server, token, mallory, alice, own, others)
            assert await alice.pull() == others
            assert len(alice.patches()) == heard
            assert two in server.context("/a").sessions
            assert SECRET not in json.dumps([m.content for m in mallory.messages], default=dict)
            assert (await server.page("/health")).status_code == 200
            assert {one, two} >= set(server.context("/a").sessions)


def frames(content: str, kind: str = "PATCH-DOC") -> list[str]:
    return [f'{{"msgid":"m","msgtype":"{kind}"}}', "{}", content]


# --- text that is no JSON -----------------------------------------------------------------------

EVENT = '{"events":[{"kind":"TitleChanged","title":%s}]}'


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"events":' + "[" * 100_000 + "]" * 100_000 + "}",
        EVENT % "NaN",
        EVENT % "-Infinity",
        EVENT % "1e400",
        EVENT % ("1" + "0" * 5000),
        EVENT % '"\x00"',
        EVENT % '["\\ud83d", NaN]',
        EVENT % '["\\ud83d", 1e400]',
        EVENT % ('["\\ud83d", 1' + "0" * 400 + "]"),
        EVENT % ('["\\ud83d", 1' + "0" * 5000 + "]"),
        EVENT % ('["\\ud83d", ' + "[" * 100_000),
    ],
    ids=lambda content: content[:60],
)
async def test_text_that_is_not_json_ends_its_connection_with_1007(content: str) -> None:
    async with scene() as one:
        await one.mallory.send_frames(frames(content))
        await one.mallory.socket.wait_closed()
        assert one.mallory.socket.close_code == 1007


@pytest.mark.parametrize("payload", [b"\xff", b'{"a":"\xed\xa0\x80"}', b"\xc0\xaf", b'{"\xc3'])
async def test_text_that_is_not_utf8_ends_its_connection_with_1007(payload: bytes) -> None:
    async with scene() as one, RawClient.connect(one.server, one.token) as client:
        await client.send(frame(Opcode.TEXT, payload))
        assert await close_code(client) == 1007


async def close_code(client: RawClient) -> int:
    while (found := await client.frame()) is not None:
        if found.opcode is Opcode.CLOSE:
            return int.from_bytes(bytes(found.data)[:2])
    return 1006


# --- values -------------------------------------------------------------------------------------


def nested(levels: int, kind: str = "list") -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind == "list" else {"a": value}
    return value


@pytest.mark.parametrize("kind", ["list", "dict"])
async def test_what_is_nested_too_deep_to_be_sent_again_is_refused(kind: str) -> None:
    """Regression: such a value was taken, and the document could not be pulled any more."""
    async with scene() as one:
        for levels in (50, 150):
            await one.taken(one.change("tags", [nested(levels, kind)]))
            await one.mallory.pull()
        for levels in (300, 900):
            assert "nested" in await one.refused(one.change("tags", [nested(levels, kind)]))


@pytest.mark.filterwarnings("ignore:out of range integer")
async def test_numbers_of_any_size_can_be_sent_again() -> None:
    """Regression: beside half a surrogate pair an integer could have more than 64 bits."""
    async with scene() as one:
        for text in ("-0.0", "1e308", "5e-324", "9" * 19, "9" * 20, "9" * 300):
            event = json.dumps(one.change("tags", "?")).replace('"?"', f'["\\ud83d", {text}]')
            await one.mallory.send_frames(frames(f'{{"events":[{event}]}}'))
            tags = named(await one.mallory.pull(), "slider")["attributes"]["tags"]
            assert tags == ["\ud83d", float(text)]
        for value in ("nan", "+inf", "1e400"):
            await one.taken(one.change("tags", [{"type": "number", "value": value}]))
            await one.mallory.pull()


@pytest.mark.parametrize("text", ["\ud83d", "\udc00\ud800", "\x00", "\u202e\x1b[2J", "</script>"])
async def test_text_of_any_kind_reaches_the_page_and_other_tabs(text: str) -> None:
    async with scene() as one, one.server.client("/a", one.token) as tab:
        await tab.pull()
        await one.taken({"kind": "TitleChanged", "title": text}, one.change("title", text))
        await tab.roundtrip()
        assert [event.get("title", event.get("new")) for event in tab.patches()] == [text] * 2
        session = one.server.context("/a").sessions[0]
        response = await one.server.page("/a", params={"bokeh-session-id": session.id})
        assert response.status_code == 200
        assert response.text.count("</script>") == response.text.count("<script")


@pytest.mark.parametrize("dtype", ["S2000000000", "V2000000000", "(50000,50000)f8", "U999999999"])
async def test_a_type_of_arrays_that_takes_gigabytes_is_refused(dtype: str) -> None:
    """Regression: NumPy makes gigabytes of three numbers, if their type says so."""
    async with scene() as one:
        array = {
            "type": "ndarray",
            "array": [1, 2],
            "dtype": dtype,
            "shape": [2],
            "order": "little",
        }
        event = {**one.change("data", None, "source"), "kind": "ColumnDataChanged"}
        event["data"] = {"x": array}
        assert "not known" in await one.refused(event)


async def test_an_error_does_not_repeat_a_value_whatever_its_size() -> None:
    async with scene() as one:
        text = await one.refused(one.change("value", "x" * 100_000))
        assert len(text) < 600


# --- models -------------------------------------------------------------------------------------


async def test_models_of_another_session_are_unknown() -> None:
    async with scene() as one:
        for name in ("slider", "div", "source", "button"):
            model_id = named(one.others, name)["id"]
            theirs = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": "name", "new": "x"}
            assert "unknown model" in await one.refused(theirs)
            moved = {"kind": "RootAdded", "model": {"id": model_id}}
            assert "unknown model" in await one.refused(moved)
            kept = one.change("tags", [{"id": model_id}])
            assert "unknown model" in await one.refused(kept)


async def test_a_model_of_the_same_id_as_another_sessions_is_another_model() -> None:
    async with scene() as one:
        div = named(one.others, "div")
        root = {"type": "object", "name": "Div", "id": div["id"], "attributes": {"text": "mine"}}
        await one.taken({"kind": "RootAdded", "model": root})
        assert "mine" in json.dumps(await one.mallory.pull())


@pytest.mark.parametrize(
    "model_id", ["../../etc/passwd", "", "p0", None, 5, ["a"], {"a": 1}, "\x00", "\ud800"], ids=repr
)
async def test_ids_that_are_none_are_refused(model_id: Any) -> None:
    async with scene() as one:
        for new in (None, [1], {"id": model_id}):
            event = {"kind": "ModelChanged", "model": {"id": model_id}, "attr": "x", "new": new}
            await one.refused(event)


@pytest.mark.parametrize("model_id", [None, 5, ["a"], {"a": 1}], ids=repr)
async def test_new_models_have_text_for_an_id(model_id: Any) -> None:
    async with scene() as one:
        root = {"type": "object", "name": "Div", "id": model_id, "attributes": {}}
        await one.refused({"kind": "RootAdded", "model": root})


@pytest.mark.parametrize(
    "attr",
    [
        "_callbacks",
        "_property_values",
        "__class__",
        "__dict__",
        "document",
        "id",
        "ref",
        "on_change",
    ],
)
async def test_names_that_are_no_properties_are_ignored(attr: str) -> None:
    async with scene() as one:
        before = await one.mallory.pull()
        await one.taken(one.change(attr, {}), one.change(attr, "x"))
        root = {"type": "object", "name": "Div", "id": "new", "attributes": {attr: "x"}}
        assert await one.mallory.pull() == before
        await one.taken({"kind": "RootAdded", "model": root})
        await one.taken({"kind": "RootRemoved", "model": {"id": "new"}})
        assert await one.mallory.pull() == before
        await one.taken(one.change("value", 7))  # callbacks are still there
        assert named(await one.mallory.pull(), "div")["attributes"]["text"] == "7"


@pytest.mark.parametrize("attr", ["js_property_callbacks", "js_event_callbacks"])
async def test_code_for_the_browsers_of_others_is_refused(attr: str) -> None:
    script = {"type": "object", "name": "CustomJS", "id": "evil", "attributes": {"code": "steal()"}}
    value = {"type": "map", "entries": [["change:value", [script]]]}
    root = {"type": "object", "name": "Div", "id": "new", "attributes": {attr: value}}
    async with scene(allow_push_doc=False) as one:
        change = one.change(attr, value)
        as_data = {**change, "kind": "ColumnDataChanged", "data": {"change:value": [script]}}
        for event in (change, one.change(attr, {}), as_data, {"kind": "RootAdded", "model": root}):
            assert "--allow-push-doc" in await one.refused(event)
        del root["attributes"]
        await one.taken({"kind": "RootAdded", "model": root})
    async with scene(allow_push_doc=True) as one:
        await one.taken(one.change(attr, value))


async def test_unknown_attributes_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Regression: Bokeh warns of each of them."""
    async with scene() as one:
        attributes = {f"nonsense{number}": 1 for number in range(1000)}
        root = {"type": "object", "name": "Div", "id": "new", "attributes": attributes}
        await one.taken({"kind": "RootAdded", "model": root})
    assert "nonsense" not in "".join(
        record.message for record in caplog.records if record.levelname == "WARNING"
    )


# --- messages -----------------------------------------------------------------------------------


async def test_each_of_two_requests_with_one_id_is_answered() -> None:
    async with scene() as one:
        slider = one.id()
        contents = [
            json.dumps({"events": [{**one.change("value", value), "model": {"id": slider}}]})
            for value in (5, 6)
        ]
        for content in contents:
            await one.mallory.send_frames(frames(content))
        await one.mallory.roundtrip()
        assert [m.kind for m in one.mallory.messages if m.reqid == "m"] == [Kind.OK, Kind.OK]
        assert named(await one.mallory.pull(), "slider")["attributes"]["value"] == 6


@pytest.mark.parametrize("kind", ["ACK", "OK", "ERROR", "PULL-DOC-REPLY", "SERVER-INFO-REPLY"])
async def test_what_only_a_server_says_does_nothing(kind: str) -> None:
    async with scene() as one:
        before = await one.mallory.pull()
        await one.mallory.send_frames(frames('{"doc":{}}', kind))
        await one.mallory.roundtrip()
        assert await one.mallory.pull() == before


def pushed(title: str = "pushed") -> dict[str, Any]:
    config = {"type": "object", "name": "DocumentConfig", "id": "config", "attributes": {}}
    root = {"type": "object", "name": "Div", "id": "root", "attributes": {"text": title}}
    return {"doc": {"title": title, "version": "3.9.2", "config": config, "roots": [root]}}


@pytest.mark.parametrize(
    ("settings", "headers", "may"),
    [
        ({}, {}, True),
        ({}, {"x-forwarded-for": "1.2.3.4"}, False),
        ({"secret_key": b"secret"}, {}, False),
        ({"allow_push_doc": False}, {}, False),
        ({"allow_push_doc": True, "secret_key": b"secret"}, {"via": "1.1 x"}, True),
    ],
    ids=["of this machine", "through a proxy", "with a secret", "refused", "allowed"],
)
async def test_who_may_replace_the_document(
    settings: Any, headers: dict[str, str], may: bool
) -> None:
    async with (
        scene(**settings) as one,
        one.server.client("/a", one.token, headers=headers) as client,
    ):
        before = await client.pull()
        reply = await client.request(Kind.PUSH_DOC, pushed())
        assert reply.kind is (Kind.OK if may else Kind.ERROR)
        after = await client.pull()
        if may:
            assert after["title"] == "pushed"
        else:
            assert "--allow-push-doc" in reply.content["text"]
            assert after == before


async def test_a_document_that_is_none_is_not_pushed() -> None:
    async with scene() as one:
        before = await one.mallory.pull()
        deep = pushed()
        deep["doc"]["roots"][0]["attributes"]["tags"] = [nested(300)]
        contents: list[Any] = [{}, {"doc": []}, {"doc": {}}, {"doc": pushed()}, deep]
        for content in contents:
            assert (await one.mallory.request(Kind.PUSH_DOC, content)).kind is Kind.ERROR
        assert await one.mallory.pull() == before


async def test_messages_to_a_session_that_has_ended_close_the_connection() -> None:
    async with scene() as one:
        session = one.server.context("/a").sessions[0]
        change = json.dumps({"events": [one.change("value", 3)]})
        async with session.turn():
            await one.mallory.send_frames(frames(change))
            ending = asyncio.create_task(one.server.context("/a").discard(session, "test"))
            await asyncio.sleep(0)
        await ending
        with contextlib.suppress(Exception):
            await one.mallory.send_frames(frames(change))
        await one.mallory.socket.wait_closed()
        assert one.mallory.socket.close_code == 1001
        # The same token makes a new session, without anything of the old one.
        async with one.server.client("/a", one.token) as again:
            assert named(await again.pull(), "slider")["attributes"]["value"] == 1
            session = one.server.context("/a").sessions[-1]
            await one.server.context("/a").discard(session, "test")


@pytest.mark.parametrize("session_id", ["../../etc/passwd", "/", "a/../b", "%2e%2e", "C:\\x", "."])
async def test_a_session_id_is_a_name_and_nothing_else(session_id: str) -> None:
    async with running({"/a": board}) as server:
        response = await server.page("/a", params={"bokeh-session-id": session_id})
        assert response.status_code == 200
        (session,) = server.context("/a").sessions
        assert session.id == session_id


@pytest.mark.parametrize("session_id", ["a\nb", "\x00", "\x1b[2J", "a\u202eb", "x" * 513, "\ud800"])
async def test_a_session_id_with_control_characters_is_refused(session_id: str) -> None:
    async with running({"/a": board}) as server:
        quoted = "".join(f"%{byte:02x}" for byte in session_id.encode("utf-8", "surrogatepass"))
        response = await server.page(f"/a?bokeh-session-id={quoted}")
        # Half a surrogate pair does not get through the decoding of URLs.
        assert response.status_code == (200 if session_id == "\ud800" else 403)
        assert len(server.context("/a").sessions) == (session_id == "\ud800")


# --- sockets ------------------------------------------------------------------------------------


async def test_a_half_open_socket_is_found_by_pings() -> None:
    async with scene(keep_alive_ms=100) as one:
        (session, _) = one.server.context("/a").sessions
        async with RawClient.connect(one.server, one.token) as dead:
            await until(lambda: session.connection_count == 2)
            # It is there and says nothing, as one whose network is gone; the others answer pings.
            await until(lambda: session.connection_count == 1)
            assert await close_code(dead) == 1011
        assert {event.code for event in one.server.events.of(ConnectionClosed)} <= {
            1005,
            1006,
            1011,
        }


def size_of_writes(protocol: Any) -> int:
    """What waits for the client of a connection, of either transport."""
    transport = getattr(protocol, "transport", None) or protocol._transport
    size: int = transport.get_write_buffer_size()
    return size


async def test_pings_of_a_client_that_does_not_read_are_not_answered() -> None:
    """Regression: over ASGI the answers piled up without a bound."""
    async with scene() as one, RawClient.connect(one.server, one.token) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        many = frame(Opcode.PING, b"x" * 125) * 1000
        for _ in range(150):
            await client.send(many)
            await one.alice.roundtrip()
        waiting = [size_of_writes(one) for one in one.server.uvicorn.server_state.connections]
        assert 0 < max(waiting) < 1 << 20


async def test_a_million_tiny_frames_leave_others_their_turns(
    either_transport: WebSocketTransport,
) -> None:
    # The library behind the ASGI transport is ten times as slow, more so when coverage is measured.
    count = 1_000_000 if either_transport is WebSocketTransport.NATIVE else 200_000
    # Bytes that are looked at in one go.
    read = 16 * 1024 if either_transport is WebSocketTransport.NATIVE else CHUNK_BYTES
    async with scene() as one, RawClient.connect(one.server, one.token) as flooder:
        tiny = frame(Opcode.PONG) * 1000

        async def flood() -> None:
            for _ in range(count // 1000):
                await flooder.send(tiny)
            await flooder.send(frame(Opcode.PING, b"the last"))

        flooding = asyncio.create_task(flood())
        answered = asyncio.create_task(pong(flooder))
        turns = 0
        async with asyncio.timeout(50):
            while not answered.done():
                await one.alice.roundtrip()
                turns += 1
        await flooding
        assert await answered == b"the last"
        # Each of the other client's turns takes the loop a few rounds, and a thread one.
        assert turns > len(frame(Opcode.PONG)) * count // read // 24, turns


async def pong(client: RawClient) -> bytes:
    found: Frame | None
    while (found := await client.frame(timeout_s=50)) is not None:  # behind all that was sent
        if found.opcode is Opcode.PONG:
            return bytes(found.data)
    return b""


async def test_messages_without_an_end_do_not_hold_up_others() -> None:
    """Regression: over ASGI each fragment, were it empty, was kept as an object of its own."""
    async with scene() as one, RawClient.connect(one.server, one.token) as client:
        await client.send(message('{"msgid":"m","msgtype":"PATCH-DOC","num_buffers":3}'))
        await client.send(message("{}"))
        await client.send(frame(Opcode.TEXT, b'{"events":[', fin=False))
        for _ in range(20):
            await client.send(frame(Opcode.CONT, b" ", fin=False) * 1000)
            await client.send(frame(Opcode.CONT, b"", fin=False) * 1000)
        await client.send(frame(Opcode.PING, b"?"))
        assert await pong(client) == b"?"
        protocols: list[Any] = list(one.server.uvicorn.server_state.connections)
        assert max(len(getattr(protocol, "frames", ())) for protocol in protocols) <= 1
        await one.alice.roundtrip()
        assert await one.mallory.pull() == one.own
        await client.send(frame(Opcode.CONT, b"]}"))
        await client.send(message('{"id":"b"}') + message(b"", 5))
        await one.alice.roundtrip()
        assert await one.mallory.pull() == one.own
