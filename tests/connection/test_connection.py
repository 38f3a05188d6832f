from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider

from hyperfocal.connection import Connection, Outbox
from hyperfocal.document import new_document
from hyperfocal.errors import PeerError, SessionGoneError
from hyperfocal.session import Session
from hyperfocal.telemetry import (
    CallbackFailed,
    ConnectionClosed,
    ConnectionOpened,
    OutboxOverflowed,
    PatchRefused,
    Telemetry,
)
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from hyperfocal.wire import Buffer, Decoder, Kind, Message, dump_json, encode, unpacked
from tests.support.serving import Events


class Peer:
    """Both ends of one connection, in memory."""

    def __init__(self, bench: Bench, **options: Any) -> None:
        options.setdefault("may_push", True)
        self.outbox = Outbox(options.pop("max_bytes", 1 << 20), lambda: None)
        self.connection = Connection(
            bench.session,
            self.outbox,
            telemetry=Telemetry(bench.events),
            versions={"bokeh": "3.9", "server": "3.9"},
            **options,
        )
        self.decoder = Decoder()
        self.seen: list[Message] = []
        self.numbers = 0
        self.connection.open()

    def send(
        self, kind: Kind, content: Any = None, buffers: tuple[Buffer, ...] = ()
    ) -> tuple[str, list[BaseException | None]]:
        """A request; gives its id, and what is said when it has been carried out."""
        self.numbers += 1
        msgid = f"c{self.numbers}"
        done: list[BaseException | None] = []
        frames = encode(kind, dump_json(content or {}), msgid=msgid, buffers=buffers)
        self.connection.receive(frames, done.append)
        return msgid, done

    def read(self) -> list[Message]:
        """What has come since the last look."""
        frames = list(unpacked(self.outbox.take()))
        self.outbox.sent()
        new = [message for frame in frames if (message := self.decoder.feed(frame)) is not None]
        self.seen += new
        return new

    def ask(self, kind: Kind, content: Any = None, buffers: tuple[Buffer, ...] = ()) -> Message:
        """A request that is answered at once; gives its reply, the last message."""
        msgid, done = self.send(kind, content, buffers)
        assert done == [None]
        reply = self.read()[-1]
        assert reply.reqid == msgid
        return reply

    def set(self, model: Any, attr: str, value: Any) -> Message:
        return self.ask(Kind.PATCH_DOC, {"events": [changed(model, attr, value)]})

    def pull(self) -> dict[str, Any]:
        doc: dict[str, Any] = self.ask(Kind.PULL_DOC_REQ).content["doc"]
        return doc


def changed(model: Any, attr: str, value: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": value}


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events = Events()
        self.document = new_document()
        self.slider = Slider(start=0, end=100, value=0)
        self.div = Div(text="0")
        self.source = ColumnDataSource(data={"x": [1, 2, 3]})
        self.slider.on_change("value", lambda attr, old, new: setattr(self.div, "text", str(new)))
        self.layout = column(self.slider, self.div)
        self.layout.tags = [self.source]
        self.document.add_root(self.layout)
        self.session = Session(
            "an-id",
            self.document,
            loop=asyncio.get_running_loop(),
            clock=self.clock,
            telemetry=Telemetry(self.events),
        )
        turn = self.session.turns.nowait()
        assert turn is not None
        with turn:
            pass
        self.session.go_live()

    def peer(self, *, pulled: bool = True, **options: Any) -> Peer:
        peer = Peer(self, **options)
        if pulled:
            peer.pull()
        return peer


async def test_the_server_speaks_first() -> None:
    bench = Bench()
    peer = bench.peer(pulled=False)
    (message,) = peer.read()
    assert message.kind is Kind.ACK
    assert bench.session.connection_count == 1
    assert len(bench.events.of(ConnectionOpened)) == 1


async def test_a_pull_gives_the_document_and_then_changes() -> None:
    bench = Bench()
    peer = bench.peer(pulled=False)
    await bench.session.with_locked_document(lambda _: setattr(bench.div, "text", "early"))
    assert [message.kind for message in peer.read()] == [Kind.ACK]
    doc = peer.pull()
    assert "early" in json.dumps(doc)
    await bench.session.with_locked_document(lambda _: setattr(bench.div, "text", "late"))
    (patch,) = peer.read()
    assert patch.content["events"][0]["new"] == "late"


async def test_changes_that_a_callback_made_come_before_the_ok() -> None:
    bench = Bench()
    peer = bench.peer()
    msgid, _ = peer.send(Kind.PATCH_DOC, {"events": [changed(bench.slider, "value", 7)]})
    patch, reply = peer.read()
    assert patch.kind is Kind.PATCH_DOC
    assert [(event["attr"], event["new"]) for event in patch.content["events"]] == [("text", "7")]
    assert (reply.kind, reply.reqid) == (Kind.OK, msgid)


async def test_nobody_hears_an_echo_and_everybody_else_hears_it_once() -> None:
    bench = Bench()
    first, second, third = bench.peer(), bench.peer(), bench.peer()
    first.set(bench.slider, "value", 9)
    attrs = [
        event["attr"]
        for m in first.seen
        if m.kind is Kind.PATCH_DOC
        for event in m.content["events"]
    ]
    assert attrs == ["text"]
    for other in (second, third):
        (patch,) = other.read()
        assert [(e["attr"], e["new"]) for e in patch.content["events"]] == [
            ("value", 9), ("text", "9"),
        ]  # fmt: skip


async def test_a_value_that_the_server_corrects_reaches_everybody() -> None:
    bench = Bench()

    def clamp(attr: str, old: float, new: float) -> None:
        if new > 50:
            bench.slider.value = 50

    bench.slider.on_change("value", clamp)
    first, second = bench.peer(), bench.peer()
    first.set(bench.slider, "value", 80)
    for peer in (first, second):
        peer.read()
        values = [
            event["new"]
            for message in peer.seen
            if message.kind is Kind.PATCH_DOC
            for event in message.content["events"]
            if event["attr"] == "value"
        ]
        assert values == [50]


async def test_a_callback_that_raises_is_answered_with_error_and_the_change_stays() -> None:
    bench = Bench()

    def broken(attr: str, old: float, new: float) -> None:
        bench.div.text = "half way"
        raise LookupError("secret path /etc")

    bench.slider.on_change("value", broken)
    peer, other = bench.peer(), bench.peer()
    reply = peer.set(bench.slider, "value", 5)
    assert reply.kind is Kind.ERROR
    assert "LookupError" in reply.content["text"]
    assert reply.content["traceback"] is None
    assert bench.slider.value == 5
    (patch,) = other.read()
    assert {event["attr"]: event["new"] for event in patch.content["events"]} == {
        "text": "half way", "value": 5,
    }  # fmt: skip
    assert peer.set(bench.div, "text", "goes on").kind is Kind.OK
    assert len(bench.events.of(CallbackFailed)) == 1


async def test_a_traceback_reaches_the_client_in_development_mode_only() -> None:
    bench = Bench()

    def broken(attr: str, old: float, new: float) -> None:
        raise ZeroDivisionError

    bench.slider.on_change("value", broken)
    reply = bench.peer(dev=True).set(bench.slider, "value", 5)
    assert "ZeroDivisionError" in reply.content["traceback"]
    assert "test_connection.py" in reply.content["traceback"]


async def test_a_callback_that_raises_cancelled_error_is_answered_like_any_other() -> None:
    bench = Bench()

    def broken(attr: str, old: float, new: float) -> None:
        raise asyncio.CancelledError

    bench.slider.on_change("value", broken)
    peer = bench.peer()
    assert peer.set(bench.slider, "value", 5).kind is Kind.ERROR
    assert peer.set(bench.div, "text", "goes on").kind is Kind.OK


async def test_a_patch_with_a_bad_later_event_changes_nothing() -> None:
    bench = Bench()
    peer, other = bench.peer(), bench.peer()
    for bad in (
        changed(bench.slider, "value", "not a number"),
        {"kind": "ModelChanged", "model": {"id": "nobody"}, "attr": "value", "new": 1},
        {"kind": "Nonsense"},
        17,
    ):
        reply = peer.ask(Kind.PATCH_DOC, {"events": [changed(bench.slider, "value", 33), bad]})
        assert reply.kind is Kind.ERROR
        assert bench.slider.value == 0
        assert bench.div.text == "0"
    assert other.read() == []
    assert len(bench.events.of(PatchRefused)) == 4
    assert peer.set(bench.slider, "value", 1).kind is Kind.OK


async def test_a_second_client_gets_full_definitions_of_what_only_the_first_has_seen() -> None:
    """Regression: today's server encodes by what the first client knows."""
    bench = Bench()
    first = bench.peer()
    new = Div(text="new here", name="fresh")
    await bench.session.with_locked_document(lambda _: bench.layout.children.append(new))
    (patch,) = first.read()
    assert "new here" in dump_json(patch.content["events"])
    second = bench.peer()
    another = Div(text="newer still")

    def both(_: object) -> None:
        bench.layout.children = [bench.slider, new, another]

    await bench.session.with_locked_document(both)
    for peer in (first, second):
        (patch,) = peer.read()
        children = patch.content["events"][0]["new"]
        assert [child.get("name") for child in children] == [None, None, "Div"]
        assert children[1] == {"id": new.id}


async def test_models_that_a_client_brings_are_defined_for_the_others_alone() -> None:
    bench = Bench()
    first, second = bench.peer(), bench.peer()
    made = {"type": "object", "name": "Div", "id": "from-js", "attributes": {"text": "made in JS"}}
    children = [{"id": bench.slider.id}, {"id": bench.div.id}, made]
    assert first.set(bench.layout, "children", children).kind is Kind.OK
    assert [m.kind for m in first.seen][-1] is Kind.OK
    assert all(message.kind is not Kind.PATCH_DOC for message in first.seen)
    (patch,) = second.read()
    assert "made in JS" in dump_json(patch.content)
    await bench.session.with_locked_document(
        lambda doc: setattr(doc.get_model_by_id("from-js"), "text", "changed")  # type: ignore[arg-type]
    )
    for peer in (first, second):
        (patch,) = peer.read()
        assert patch.content["events"] == [
            {"kind": "ModelChanged", "model": {"id": "from-js"}, "attr": "text", "new": "changed"}
        ]


async def test_a_page_that_comes_back_gets_its_arrays_inline() -> None:
    import numpy as np

    bench = Bench()
    await bench.session.with_locked_document(
        lambda _: setattr(bench.source, "data", {"x": np.arange(100.0)})
    )
    first = bench.peer(pulled=False, page="page-1")
    assert len(first.ask(Kind.PULL_DOC_REQ).buffers) == 1
    again = bench.peer(pulled=False, page="page-1")
    reply = again.ask(Kind.PULL_DOC_REQ)
    assert reply.buffers == ()
    assert '"ndarray"' in dump_json(reply.content)
    other = bench.peer(pulled=False, page="page-2")
    assert len(other.ask(Kind.PULL_DOC_REQ).buffers) == 1


async def test_a_request_waits_while_somebody_else_has_the_document() -> None:
    bench = Bench()
    peer = bench.peer()
    async with bench.session.turn():
        _, done = peer.send(Kind.PATCH_DOC, {"events": [changed(bench.slider, "value", 3)]})
        await settle()
        assert bench.slider.value == 0
        assert not done
    assert done == [None]
    assert bench.slider.value == 3
    assert peer.read()[-1].kind is Kind.OK


async def test_server_info_and_what_a_server_does_not_take() -> None:
    bench = Bench()
    peer = bench.peer()
    info = peer.ask(Kind.SERVER_INFO_REQ)
    assert info.kind is Kind.SERVER_INFO_REPLY
    assert info.content["version_info"]["bokeh"] == "3.9"
    assert peer.ask(Kind.PULL_DOC_REPLY).kind is Kind.ERROR
    for silent in (Kind.OK, Kind.ERROR, Kind.ACK):
        peer.send(silent)
        assert peer.read() == []


async def test_a_pushed_document_takes_the_place_of_the_other() -> None:
    from bokeh.document import Document

    bench = Bench()
    peer, other = bench.peer(), bench.peer()
    pushed = Document()
    pushed.add_root(Div(text="pushed"))
    pushed.title = "pushed too"
    reply = peer.ask(Kind.PUSH_DOC, {"doc": pushed.to_json(deferred=False)})
    assert reply.kind is Kind.OK
    assert bench.document.title == "pushed too"
    assert [type(root).__name__ for root in bench.document.roots] == ["Div"]
    (patch,) = other.read()
    assert "pushed" in dump_json(patch.content)
    assert peer.ask(Kind.PUSH_DOC, {"doc": {"roots": 3}}).kind is Kind.ERROR
    assert bench.document.title == "pushed too"
    assert len(bench.document.roots) == 1


async def test_frames_that_make_no_message_raise_and_go_on_raising() -> None:
    bench = Bench()
    peer = bench.peer()
    done: list[BaseException | None] = []
    peer.connection.receive(('{"msgid": "1", "msgtype": "PATCH-DOC"}',), done.append)
    for frame in (b"binary", '{"msgid": "2", "msgtype": "PULL-DOC-REQ"}'):
        peer.connection.receive((frame,), done.append)
    assert done[0] is None
    for error in done[1:]:
        assert isinstance(error, PeerError)
        assert error.close_code == 1003


async def test_a_client_that_does_not_read_holds_nobodys_turn() -> None:
    """Regression: today's server awaits the socket while it holds the document's lock."""
    bench = Bench()
    stuck, reading = bench.peer(max_bytes=10_000), bench.peer(max_bytes=10_000)
    for number in range(100):
        async with asyncio.timeout(5), bench.session.turn():
            bench.div.text = str(number) * 300
        reading.read()
    assert bench.session.publisher.is_behind(stuck.connection)
    assert stuck.outbox.queued_bytes < 10_000
    assert not bench.events.of(OutboxOverflowed)
    for _ in range(100):  # it asks, and reads nothing
        stuck.send(Kind.PULL_DOC_REQ)
    assert stuck.outbox.overflowed
    assert not reading.outbox.overflowed
    assert len(bench.events.of(OutboxOverflowed)) == 1
    assert bench.document.session_callbacks == []


@pytest.mark.parametrize(
    ("code", "lifetime_s"), [(1000, 15), (1001, 15), (1005, 600), (1006, 600), (1013, 600)]
)
async def test_how_a_connection_ends_decides_how_long_its_session_waits(
    code: int, lifetime_s: int
) -> None:
    bench = Bench()
    peer = bench.peer()
    peer.connection.closed(code)
    peer.connection.closed(1006)  # said once
    assert bench.session.connection_count == 0
    assert not bench.session.is_due(bench.clock.monotonic() + lifetime_s - 0.1)
    assert bench.session.is_due(bench.clock.monotonic() + lifetime_s)
    (closed,) = bench.events.of(ConnectionClosed)
    assert closed.code == code


async def test_a_document_that_cannot_be_encoded_is_answered_with_error() -> None:
    bench = Bench()
    peer = bench.peer(pulled=False)
    peer.read()
    async with bench.session.turn():
        bench.slider.tags = [object()]
    reply = peer.ask(Kind.PULL_DOC_REQ)
    assert reply.kind is Kind.ERROR
    assert "can't serialize" in reply.content["text"]
    async with bench.session.turn():
        bench.slider.tags = []
    assert peer.ask(Kind.PULL_DOC_REQ).kind is Kind.PULL_DOC_REPLY


async def test_a_session_that_is_gone_ends_the_connection() -> None:
    bench = Bench()
    peer = bench.peer()
    bench.session.begin_closing()
    await bench.session.destroy()
    assert peer.outbox.closing is not None
    assert peer.outbox.closing.code == 1001
    _, (error,) = peer.send(Kind.PULL_DOC_REQ)
    assert isinstance(error, SessionGoneError)


async def test_binary_buffers_from_a_client_become_arrays() -> None:
    import numpy as np

    bench = Bench()
    peer = bench.peer()
    array = np.array([1.5, 2.5])
    data = {
        "type": "map",
        "entries": [
            ["x", {"type": "ndarray", "array": {"type": "bytes", "data": {"id": "b1"}},
                   "shape": [2], "dtype": "float64", "order": "little"}]
        ],
    }  # fmt: skip
    event = {
        "kind": "ColumnDataChanged", "model": {"id": bench.source.id}, "attr": "data", "data": data,
    }  # fmt: skip
    reply = peer.ask(Kind.PATCH_DOC, {"events": [event]}, (Buffer("b1", array.tobytes()),))
    assert reply.kind is Kind.OK
    assert bench.source.data["x"].tolist() == [1.5, 2.5]  # type: ignore[union-attr]
