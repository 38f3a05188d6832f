"""Requests of clients whose callbacks run in worker threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div, Slider

from hyperfocal.clock import SystemClock
from hyperfocal.connection import Connection, Outbox
from hyperfocal.document import new_document
from hyperfocal.session import Execution, Session, Thresholds
from hyperfocal.telemetry import CallbackFailed, Telemetry
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from hyperfocal.wire import Decoder, Kind, Message, dump_json, encode
from tests.support.serving import Events, until


class Bench:
    """A session with a client, whose callbacks are never quick until the test says so."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events = Events()
        telemetry = Telemetry(self.events)
        limits = Thresholds(5.0)
        self.execution = Execution(2, 0, limits, limits, SystemClock(), telemetry)
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
            execution=self.execution,
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

    def send(self, kind: Kind, content: Any) -> Any:
        pending: Any = None
        for frame in encode(kind, dump_json(content), msgid="c1"):
            assert pending is None
            pending = self.connection.receive(frame)
        return pending

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
        frames = self.outbox.take()
        self.outbox.sent()
        return [message for frame in frames if (message := self.decoder.feed(frame)) is not None]


@pytest.fixture
async def bench() -> Any:
    made = Bench()
    made.read()
    yield made
    made.may_end.set()
    made.execution.close()


async def test_a_callback_runs_in_a_thread_and_the_reply_comes_when_it_has_ended(
    bench: Bench,
) -> None:
    bench.slider.on_change("value", bench.changed)
    pending = bench.move(3)
    assert pending is not None
    await asyncio.to_thread(bench.began.wait, 10)
    assert bench.read() == []
    assert bench.session.turn_nowait() is None
    bench.may_end.set()
    await pending
    assert [message.kind for message in bench.read()] == [Kind.PATCH_DOC, Kind.OK]
    assert bench.threads != [threading.get_ident()]
    assert bench.session.turn_nowait() is not None


@pytest.mark.parametrize("where", ["change", "any change", "event", "any event"])
async def test_whatever_hears_of_a_patch_is_asked_for(bench: Bench, where: str) -> None:
    bench.may_end.set()
    if where == "change":
        bench.slider.on_change("value", bench.changed)
    elif where == "any change":
        bench.document.on_change(lambda event: bench.threads.append(threading.get_ident()))
    elif where == "any event":
        bench.document.on_event("document_ready", bench.clicked)
    if where == "event":
        pending = bench.click()
    elif where == "any event":
        pending = bench.happen("document_ready", [])
    else:
        pending = bench.move(3)
    assert pending is not None
    await pending
    assert [message.kind for message in bench.read()][-1] is Kind.OK
    assert threading.get_ident() not in bench.threads
    assert bench.threads


async def test_a_patch_that_nobody_hears_of_is_applied_at_once(bench: Bench) -> None:
    bench.div.on_change("text", bench.changed)
    assert bench.move(3) is None
    assert [message.kind for message in bench.read()] == [Kind.OK]
    assert bench.slider.value == 3


async def test_a_callback_that_has_proved_quick_is_one_plain_call(bench: Bench) -> None:
    bench.may_end.set()
    bench.slider.on_change("value", bench.changed)
    for value in (1, 2, 3):
        await bench.move(value)
    bench.read()
    assert bench.move(4) is None
    assert [message.kind for message in bench.read()] == [Kind.OK]
    assert bench.threads[-1] == threading.get_ident()
    assert bench.threads[0] != threading.get_ident()


async def test_an_exception_in_a_thread_is_answered_with_an_error(bench: Bench) -> None:
    def fail(attr: str, old: Any, new: Any) -> None:
        bench.div.text = "before"
        raise SystemExit(3)

    bench.slider.on_change("value", fail)
    await bench.move(3)
    patch, error = bench.read()
    assert [event["new"] for event in patch.content["events"]] == ["before"]
    assert error.kind is Kind.ERROR
    assert "SystemExit: 3" in error.content["text"]
    assert len(bench.events.of(CallbackFailed)) == 1


async def test_a_transport_that_goes_away_leaves_the_turn_to_its_end(bench: Bench) -> None:
    bench.slider.on_change("value", bench.changed)
    pending = bench.move(3)
    task = asyncio.ensure_future(pending)
    task.cancel()  # before anybody has awaited it
    bench.connection.closed(1006)
    await asyncio.to_thread(bench.began.wait, 10)
    assert bench.session.turn_nowait() is None
    bench.may_end.set()
    await until(lambda: bench.div.text == "worked")
    await settle()
    turn = bench.session.turn_nowait()
    assert turn is not None


async def test_one_that_waits_for_the_document_goes_on_in_a_thread_too(bench: Bench) -> None:
    bench.slider.on_change("value", bench.changed)
    turn = bench.session.turn_nowait()
    assert turn is not None
    turn.enter()
    pending = asyncio.ensure_future(bench.move(3))
    await settle()
    turn.end()
    await asyncio.to_thread(bench.began.wait, 10)
    pending.cancel()
    await settle()
    assert bench.session.turn_nowait() is None  # the thread still has it
    bench.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await pending
    assert bench.session.turn_nowait() is not None
