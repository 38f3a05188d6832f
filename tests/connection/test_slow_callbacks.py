"""Requests of clients whose callbacks take their time, in threads or on a loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div, Slider

from hyperfocal.connection import Connection, Outbox
from hyperfocal.document import new_document
from hyperfocal.engine import ThreadedEngine
from hyperfocal.session import Session
from hyperfocal.telemetry import CallbackFailed, Telemetry
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from hyperfocal.wire import Decoder, Kind, Message, dump_json, encode, unpacked
from tests.support.engines import threaded
from tests.support.serving import Events, until


class Bench:
    """A session with a client, on an engine with threads."""

    def __init__(self, engine: ThreadedEngine) -> None:
        self.clock = ManualClock()
        self.events = Events()
        telemetry = Telemetry(self.events)
        self.document = new_document()
        self.slider, self.div, self.button = Slider(start=0, end=9, value=0), Div(), Button()
        self.button.on_event("button_click", self.clicked)
        self.document.add_root(column(self.slider, self.div, self.button))
        self.session = Session(
            "an-id",
            self.document,
            loop=asyncio.get_running_loop(),
            clock=self.clock,
            telemetry=telemetry,
            engine=engine,
        )
        self.session.go_live()
        self.outbox = Outbox(1 << 20, lambda: None)
        self.connection = Connection(self.session, self.outbox, telemetry=telemetry)
        self.connection.open()
        self.decoder = Decoder()
        self.began, self.may_end = threading.Event(), threading.Event()
        self.threads: list[int] = []

    def changed(self, attr: str, old: Any, new: Any) -> None:
        """A callback that takes as long as the test wants."""
        self.work()

    def clicked(self, event: Any) -> None:
        """The same, for events."""
        self.work()

    def work(self) -> None:
        self.threads.append(threading.get_ident())
        self.began.set()
        assert self.may_end.wait(10)
        self.div.text = "worked"

    def send(self, kind: Kind, content: Any) -> list[BaseException | None]:
        done: list[BaseException | None] = []
        self.connection.receive(encode(kind, dump_json(content), msgid="c1"), done.append)
        return done

    def move(self, value: int) -> Any:
        model = {"id": self.slider.id}
        event = {"kind": "ModelChanged", "model": model, "attr": "value", "new": value}
        return self.send(Kind.PATCH_DOC, {"events": [event]})

    def click(self) -> Any:
        return self.happen("button_click", [["model", {"id": self.button.id}]])

    def happen(self, name: str, entries: list[Any]) -> Any:
        values = {"type": "map", "entries": entries}
        event = {"type": "event", "name": name, "values": values}
        message = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}
        return self.send(Kind.PATCH_DOC, {"events": [message]})

    def read(self) -> list[Message]:
        frames = list(unpacked(self.outbox.take()))
        self.outbox.sent()
        return [message for frame in frames if (message := self.decoder.feed(frame)) is not None]


@pytest.fixture
async def bench() -> Any:
    async with threaded() as engine:
        made = Bench(engine)
        made.read()
        yield made
        made.may_end.set()


async def test_a_callback_runs_in_a_thread_and_the_reply_comes_when_it_has_ended(
    bench: Bench,
) -> None:
    bench.slider.on_change("value", bench.changed)
    done = bench.move(3)
    await until(bench.began.is_set)
    assert bench.read() == []
    assert not done
    assert bench.session.turns.nowait() is None
    bench.may_end.set()
    await until(lambda: done)
    assert [message.kind for message in bench.read()] == [Kind.PATCH_DOC, Kind.OK]
    assert bench.threads != [threading.get_ident()]
    await until(lambda: not bench.session.turns.mailbox.busy)


@pytest.mark.parametrize("where", ["change", "any change", "event", "any event"])
async def test_whatever_hears_of_a_patch_runs_in_a_thread(bench: Bench, where: str) -> None:
    bench.may_end.set()
    if where == "change":
        bench.slider.on_change("value", bench.changed)
    elif where == "any change":
        bench.document.on_change(lambda event: bench.threads.append(threading.get_ident()))
    elif where == "any event":
        bench.document.on_event("document_ready", bench.clicked)
    if where == "event":
        done = bench.click()
    elif where == "any event":
        done = bench.happen("document_ready", [])
    else:
        done = bench.move(3)
    await until(lambda: done)
    assert [message.kind for message in bench.read()][-1] is Kind.OK
    assert threading.get_ident() not in bench.threads
    assert bench.threads


async def test_an_exception_in_a_thread_is_answered_with_an_error(bench: Bench) -> None:
    def fail(attr: str, old: Any, new: Any) -> None:
        bench.div.text = "before"
        raise SystemExit(3)

    bench.slider.on_change("value", fail)
    done = bench.move(3)
    await until(lambda: done)
    patch, error = bench.read()
    assert [event["new"] for event in patch.content["events"]] == ["before"]
    assert error.kind is Kind.ERROR
    assert "SystemExit: 3" in error.content["text"]
    assert len(bench.events.of(CallbackFailed)) == 1


async def test_a_transport_that_goes_away_leaves_the_turn_to_its_end(bench: Bench) -> None:
    bench.slider.on_change("value", bench.changed)
    bench.move(3)
    await until(bench.began.is_set)
    bench.connection.closed(1006)
    assert bench.session.turns.nowait() is None
    bench.may_end.set()
    await until(lambda: bench.div.text == "worked")
    await until(lambda: not bench.session.turns.mailbox.busy)


async def test_messages_of_several_clients_and_reads_keep_their_order(bench: Bench) -> None:
    seen: list[Any] = []
    bench.slider.on_change("value", lambda attr, old, new: seen.append(new))
    model = {"id": bench.slider.id}
    frames: list[Any] = []
    for value in range(1, 7):
        event = {"kind": "ModelChanged", "model": model, "attr": "value", "new": value}
        frames += encode(Kind.PATCH_DOC, dump_json({"events": [event]}), msgid=f"m{value}")
    done: list[BaseException | None] = []
    # As a socket may deliver them: pieces that end anywhere.
    for begin, end in ((0, 1), (1, 8), (8, 12), (12, 18)):
        bench.connection.receive(frames[begin:end], done.append)
    await until(lambda: len(done) == 4)
    assert done == [None] * 4
    assert seen == [1, 2, 3, 4, 5, 6]
    replies = [message.reqid for message in bench.read() if message.kind is Kind.OK]
    assert replies == [f"m{value}" for value in range(1, 7)]


# --- async callbacks ------------------------------------------------------------------------------


async def test_an_async_callback_is_awaited_in_the_turn_of_the_change(bench: Bench) -> None:
    go = asyncio.Event()

    async def changed(attr: str, old: Any, new: Any) -> None:
        bench.div.text = "half"
        await go.wait()
        bench.div.text = f"done {new}"

    callback: Any = changed
    bench.slider.on_change("value", callback)
    done = bench.move(3)
    await until(lambda: bench.div.text == "half")
    await settle()
    assert bench.session.turns.nowait() is None
    assert not [message for message in bench.read() if message.kind is Kind.OK]
    go.set()
    await until(lambda: done)
    *patches, reply = bench.read()
    assert reply.kind is Kind.OK
    told = [event["new"] for patch in patches for event in patch.content["events"]]
    assert told[-1] == "done 3"


async def test_an_async_callback_of_an_event_is_awaited_too(bench: Bench) -> None:
    async def clicked(event: Any) -> None:
        await asyncio.sleep(0)
        bench.div.text = event.event_name

    callback: Any = clicked
    bench.button.on_event("button_click", callback)
    bench.may_end.set()
    done = bench.click()
    await until(lambda: done)
    assert bench.div.text == "button_click"


async def test_an_async_callback_that_fails_is_answered_with_an_error(bench: Bench) -> None:
    async def fails(attr: str, old: Any, new: Any) -> None:
        await asyncio.sleep(0)
        raise LookupError("nothing there")

    callback: Any = fails
    bench.slider.on_change("value", callback)
    done = bench.move(3)
    await until(lambda: done)
    (error,) = bench.read()
    assert error.kind is Kind.ERROR
    assert "LookupError" in error.content["text"]
    assert len(bench.events.of(CallbackFailed)) == 1
    await until(lambda: not bench.session.turns.mailbox.busy)
