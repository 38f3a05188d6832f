"""What clients are told again, because their changes may have crossed those of others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider

from hyperfocal.document import new_document
from hyperfocal.publishing.conflicts import JOURNEY_S, QUIET_S
from hyperfocal.session import Session
from hyperfocal.telemetry import Telemetry
from hyperfocal.testing import ManualClock
from tests.support.peers import Peer


class Bench:
    """A live session with two clients, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.document = new_document()
        self.slider, self.div = Slider(start=0, end=100, value=0), Div(text="")
        self.source = ColumnDataSource(data={"x": [0]})
        self.box = column(self.slider, self.div)
        self.document.add_root(self.box)
        self.document.add_root(self.source)
        self.session = Session(
            "an-id",
            self.document,
            loop=asyncio.get_running_loop(),
            clock=self.clock,
            telemetry=Telemetry(),
        )
        self.turn(lambda: None)
        self.session.go_live()
        self.one, self.other = Peer(), Peer()
        for peer in (self.one, self.other):
            self.session.attach(peer)
            self.session.subscribe(peer)

    def turn(self, act: Any, originator: Any = None) -> None:
        turn = self.session.turns.nowait(originator)
        assert turn is not None
        with turn:
            act()

    def work(self, value: int) -> None:
        """The application sets the slider."""
        self.turn(lambda: setattr(self.slider, "value", value))

    def drag(self, value: int, client: Any = None) -> None:
        """A client sets the slider."""
        client = client or self.one
        descriptor: Any = self.slider.lookup("value")
        self.turn(lambda: descriptor.set_from_json(self.slider, value, setter=client), client)

    async def quiet(self) -> list[list[Any]]:
        """What the client is told while nobody does anything."""
        self.one.messages.clear()
        await self.clock.advance(QUIET_S)
        return self.one.told


async def test_a_client_that_may_have_crossed_the_application_is_told_again() -> None:
    bench = Bench()
    bench.work(1)
    bench.drag(2)
    assert bench.one.told == [[1]]  # which it may take for the latest
    assert await bench.quiet() == [[2]]
    assert await bench.quiet() == []
    assert bench.other.told == [[1], [2]]


async def test_a_client_that_may_have_crossed_another_is_told_again() -> None:
    bench = Bench()
    bench.drag(1, bench.other)
    bench.drag(2)
    assert await bench.quiet() == [[2]]


async def test_a_callback_that_corrects_is_told_once_more() -> None:
    bench = Bench()
    bench.slider.on_change("value", lambda attr, old, new: setattr(bench.slider, "value", 50))
    bench.drag(70)
    assert bench.one.told == [[50]]
    assert await bench.quiet() == [[50]]


async def test_who_is_alone_with_a_property_is_told_nothing() -> None:
    bench = Bench()
    for value in range(1, 20):
        bench.drag(value)
    assert await bench.quiet() == []
    assert not bench.session._conflicts._crossed


async def test_what_was_long_ago_has_arrived() -> None:
    bench = Bench()
    bench.work(1)
    await bench.clock.advance(JOURNEY_S + 0.1)
    bench.drag(2)
    assert await bench.quiet() == []


async def test_somebody_who_goes_on_is_left_alone_until_they_stop() -> None:
    bench = Bench()
    bench.work(1)
    for value in range(2, 12):
        bench.drag(value)
        await bench.clock.advance(QUIET_S / 2)
    assert bench.one.told == [[1]]
    assert await bench.quiet() == [[11]]


async def test_being_told_again_may_be_crossed_as_well() -> None:
    bench = Bench()
    bench.work(1)
    bench.drag(2)
    await bench.clock.advance(JOURNEY_S - 1)  # told again on the way
    assert bench.one.told == [[1], [2]]
    await bench.clock.advance(JOURNEY_S / 2)
    bench.drag(3)  # 44 s after the application, 43 s after being told again
    assert await bench.quiet() == []
    bench.work(4)
    bench.drag(5)
    await bench.clock.advance(QUIET_S)
    await bench.clock.advance(JOURNEY_S - QUIET_S)
    bench.drag(6)  # too late to have crossed the 4, but not the 5 that it was told again
    assert await bench.quiet() == [[6]]


async def test_rows_that_may_have_crossed_are_told_as_the_whole_data() -> None:
    bench = Bench()
    bench.turn(lambda: bench.source.stream({"x": [1]}))
    stream: Any = bench.source.data
    bench.turn(
        lambda: stream._stream(bench.document, bench.source, {"x": [2]}, setter=bench.one),
        bench.one,
    )
    assert await bench.quiet() == [["ColumnDataChanged"]]
    entries = bench.one.messages[0].content["events"][0]["data"]["entries"]
    assert entries == [["x", [0, 1, 2]]]


async def test_the_title_counts() -> None:
    bench = Bench()
    bench.turn(lambda: setattr(bench.document, "title", "one"))
    client: Any = bench.one
    bench.turn(lambda: bench.document.set_title("two", client), bench.one)
    assert await bench.quiet() == [["TitleChanged"]]
    assert bench.one.messages[0].content["events"][0]["title"] == "two"


@pytest.mark.parametrize("why", ["gone", "pulled", "model gone", "session gone"])
async def test_there_is_not_always_something_to_tell(why: str) -> None:
    bench = Bench()
    bench.work(1)
    bench.drag(2)
    if why == "gone":
        bench.session.detach(bench.one, lost=True)
    elif why == "pulled":
        bench.session.told_all(bench.one)
    elif why == "model gone":
        box: Any = bench.box
        bench.turn(lambda: box.children.remove(bench.slider))
    else:
        bench.session.begin_closing()
        await bench.session.destroy()
    assert await bench.quiet() == []


async def test_one_that_lags_is_told_when_it_has_room() -> None:
    bench = Bench()
    bench.work(1)
    bench.drag(2)
    bench.one.lagging = True
    assert await bench.quiet() == []
    bench.one.lagging = False
    bench.session.has_room()
    assert bench.one.told == [[2]]


async def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyperfocal.publishing.conflicts._MAX_SUBJECTS", 10)
    bench = Bench()
    divs = [Div(text="") for _ in range(30)]
    bench.turn(lambda: bench.document.add_root(column(*divs)))
    for div in divs:
        bench.turn(lambda: setattr(div, "text", "changed"))  # noqa: B023
        await bench.clock.advance(JOURNEY_S)
    assert len(bench.session._conflicts._changed) <= 22


async def test_what_somebody_changed_who_has_gone_may_still_cross() -> None:
    """Found by the simulation: the memory of a change went with the client that had made it."""
    bench = Bench()
    bench.drag(5, bench.other)
    bench.session.detach(bench.other, lost=False)
    bench.drag(7, bench.one)  # made before it heard of the 5, as far as anybody knows
    before = len(bench.one.messages)
    await bench.clock.advance(2 * QUIET_S)
    assert bench.one.told[before:] == [[7]]
