"""Clients that do not keep up: what they are told, when, and what that costs."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import numpy as np
import pytest
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider

from hyperfocal.document import Missed, Model, encode_document, new_document
from hyperfocal.session import Session
from hyperfocal.telemetry import Telemetry
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from tests.support.peers import Peer


class Bench:
    """A live session with two clients, one of which lags."""

    def __init__(self) -> None:
        self.document = new_document()
        self.slider, self.div = Slider(start=0, end=1000, value=0), Div(text="")
        self.source = ColumnDataSource(data={"x": np.zeros(10)})
        self.box = column(self.slider, self.div)
        self.document.add_root(self.box)
        self.document.add_root(self.source)
        self.session = Session(
            "an-id",
            self.document,
            loop=asyncio.get_running_loop(),
            clock=ManualClock(),
            telemetry=Telemetry(),
        )
        turn = self.session.turns.nowait()
        assert turn is not None
        with turn:
            pass
        self.session.go_live()
        self.quick, self.slow = Peer(), Peer()
        for peer in (self.quick, self.slow):
            self.session.attach(peer)
            self.session.subscribe(peer)
        self.slow.lagging = True

    def turn(self, act: Any, originator: Any = None) -> None:
        turn = self.session.turns.nowait(originator)
        assert turn is not None
        with turn:
            act()

    def say(self, text: str) -> None:
        self.turn(lambda: setattr(self.div, "text", text))

    def catch_up(self) -> None:
        self.slow.lagging = False
        self.session.has_room()


async def test_it_is_told_of_many_turns_in_one_message_with_the_last_values() -> None:
    bench = Bench()
    for number in range(100):
        bench.say(str(number))
    bench.turn(lambda: setattr(bench.slider, "value", 7))
    assert len(bench.quick.messages) == 101
    assert bench.slow.messages == []
    bench.catch_up()
    assert bench.slow.told == [["99", 7]]
    bench.say("more")
    assert bench.slow.told == [["99", 7], ["more"]]
    assert bench.quick.told[-1] == ["more"]


async def test_room_in_the_midst_of_the_turn_that_finds_the_client_lagging_is_not_lost() -> None:
    """Whoever encodes sees a client that lags, it gets room, and only then is that noted."""
    bench = Bench()
    turn = bench.session.turns.nowait()
    assert turn is not None
    turn.enter()
    bench.div.text = "missed"
    note = bench.session.publisher.offer

    def late(said: Any) -> None:
        bench.catch_up()
        note(said)

    bench.session.publisher.offer = late  # type: ignore[method-assign]
    turn.end()
    bench.session.publisher.offer = note  # type: ignore[method-assign]
    await settle()
    assert bench.slow.told == [["missed"]]


async def test_room_while_the_document_is_busy_is_used_when_it_is_free() -> None:
    bench = Bench()
    bench.say("missed")
    turn = bench.session.turns.nowait()
    assert turn is not None
    bench.catch_up()
    await settle()
    assert bench.slow.messages == []
    turn.end()  # which tells it as well
    await settle()
    assert bench.slow.told == [["missed"]]


async def test_rows_stay_rows_while_they_are_few_and_become_the_data_when_they_are_many() -> None:
    bench = Bench()
    stream = lambda: bench.source.stream({"x": [1.0]})  # noqa: E731
    for _ in range(8):
        bench.turn(stream)
    bench.catch_up()
    assert bench.slow.told == [["ColumnsStreamed"] * 8]
    bench.slow.lagging = True
    for _ in range(50):
        bench.turn(stream)
    bench.catch_up()
    assert bench.slow.told[1:] == [["ColumnDataChanged"]]


async def test_models_that_came_meanwhile_are_defined_and_those_that_went_are_not() -> None:
    bench = Bench()
    fresh, gone = Div(text="fresh"), Div(text="gone")
    children: Any = bench.box
    bench.turn(lambda: children.children.append(gone))
    bench.turn(lambda: children.children.append(fresh))
    bench.turn(lambda: children.children.remove(gone))
    bench.turn(lambda: setattr(fresh, "text", "changed"))
    bench.catch_up()
    (message,) = bench.slow.messages
    text = str(message.content)
    assert fresh.id in text
    assert "changed" in text
    assert "gone" not in text


async def test_its_own_request_is_answered_with_everything_before() -> None:
    bench = Bench()
    bench.say("missed")
    descriptor: Any = bench.slider.lookup("value")
    bench.turn(lambda: descriptor.set_from_json(bench.slider, 5, setter=bench.slow), bench.slow)
    assert bench.slow.told == [["missed"]]
    assert bench.quick.told == [["missed"], [5]]


async def test_who_gets_the_whole_document_has_missed_nothing() -> None:
    bench = Bench()
    bench.say("missed")
    bench.session.told_all(bench.slow)
    bench.catch_up()
    assert bench.slow.messages == []


async def test_who_leaves_is_forgotten() -> None:
    bench = Bench()
    bench.say("missed")
    bench.session.detach(bench.slow, lost=True)
    assert not bench.session.publisher.is_behind(bench.slow)
    bench.catch_up()
    assert bench.slow.messages == []


async def test_two_that_lag_miss_different_things() -> None:
    bench = Bench()
    bench.say("one")
    bench.quick.lagging = True
    bench.say("two")
    bench.turn(lambda: setattr(bench.slider, "value", 3))
    bench.catch_up()
    bench.quick.lagging = False
    bench.session.has_room()
    assert bench.slow.told == [["two", 3]]
    assert bench.quick.told == [["one"], ["two", 3]]


async def test_who_has_missed_too_much_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hyperfocal.document.missed._MAX_EVENTS", 20)
    bench = Bench()
    for number in range(30):
        bench.turn(lambda: bench.document.add_root(Div(text=str(number))))  # noqa: B023
    assert bench.slow.gave_up >= 1
    assert bench.quick.gave_up == 0
    assert len(bench.quick.messages) == 30


async def test_what_is_remembered_does_not_grow_with_time() -> None:
    """One megabyte a second is streamed and replaced for a client that reads nothing."""
    bench = Bench()
    rows = np.zeros(125_000)

    def work() -> None:
        bench.source.stream({"x": rows}, rollover=125_000)
        bench.slider.value += 1
        bench.div.text = f"{bench.slider.value}" + "x" * 1000

    bench.quick.offer = lambda frames: None  # type: ignore[method-assign]
    for _ in range(20):
        bench.turn(work)
    tracemalloc.start()
    try:
        for _ in range(60):
            bench.turn(work)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 12e6
    bench.catch_up()
    assert bench.slow.told == [["ColumnDataChanged", 80, "80" + "x" * 1000]]


async def test_progress_of_a_thread_reaches_who_lags_later() -> None:
    bench = Bench()
    turn = bench.session.turns.nowait()
    assert turn is not None
    turn.enter()
    turn.may_last()
    progress = turn.progress
    assert progress is not None

    def work() -> None:
        bench.div.text = "half"

    await asyncio.to_thread(work)
    await settle()
    progress._tick()
    assert bench.quick.told == [["half"]]
    assert bench.slow.told == []
    bench.slider.value = 9
    turn.end()
    assert bench.quick.told == [["half"], [9]]
    bench.catch_up()
    assert bench.slow.told == [["half", 9]]


def test_missed_events_are_tidied() -> None:
    document = new_document()
    div: Model = Div(text="")
    document.add_root(div)
    seen: list[Any] = []
    document.callbacks.on_change(seen.append)
    missed = Missed(document)
    for number in range(1000):
        div.update(text=str(number))
        assert missed.add(seen[-1:], frozenset())
    assert len(missed.events) <= 65
    assert encode_document(document)
