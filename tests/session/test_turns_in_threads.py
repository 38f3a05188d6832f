"""Turns whose code runs in worker threads, and what clients see while they last."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bokeh.document.events import ModelChangedEvent
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider

from hyperfocal.document import new_document
from hyperfocal.engine import ThreadedEngine
from hyperfocal.labels import session_label
from hyperfocal.publishing.progress import INTERVAL_S
from hyperfocal.session import Session, current_turn
from hyperfocal.telemetry import CallbackFailed, EncodingFailed, Telemetry, TurnLong
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from tests.support.engines import Gate, Steps, threaded
from tests.support.peers import Peer
from tests.support.serving import Events, until


class Bench:
    """A live session whose plain code runs in threads, on a clock that is moved by hand."""

    def __init__(self, engine: ThreadedEngine, **changes: Any) -> None:
        self.clock = ManualClock()
        self.events = Events()
        telemetry = Telemetry(self.events)
        self.document = new_document()
        self.slider, self.div = Slider(start=0, end=100, value=0), Div(text="")
        self.source = ColumnDataSource(data={"x": [0]})
        self.document.add_root(column(self.slider, self.div))
        self.document.add_root(self.source)
        self.session = Session(
            "an-id",
            self.document,
            loop=asyncio.get_running_loop(),
            clock=self.clock,
            telemetry=telemetry,
            engine=engine,
            **changes,
        )
        turn = self.session.turns.nowait()
        assert turn is not None
        with turn:
            pass
        self.session.go_live()

    def peer(self) -> Peer:
        peer = Peer()
        self.session.attach(peer)
        self.session.subscribe(peer)
        return peer

    def say(self, text: str) -> Callable[[], None]:
        return lambda: setattr(self.div, "text", text)

    async def beat(self) -> None:
        """Let the time pass after which clients are told what there is to tell."""
        await self.clock.advance(INTERVAL_S)


@pytest.fixture
async def engine() -> AsyncGenerator[ThreadedEngine]:
    async with threaded() as engine:
        yield engine


@asynccontextmanager
async def running(bench: Bench, *steps: Callable[[], Any]) -> AsyncGenerator[Steps]:
    """A turn of the session that takes these steps in a thread, and is known to last."""
    code = Steps(*steps)
    task = asyncio.create_task(bench.session.with_locked_document(code))
    await until(lambda: bench.session.turns.now and bench.session.turns.now.progress)
    try:
        yield code
    finally:
        code.finish()
        await task


# --- turns ------------------------------------------------------------------------------------


async def test_the_document_is_the_threads_alone_and_the_event_loop_goes_on(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    async with running(bench) as code:
        assert bench.session.turns.nowait() is None
        waiting = asyncio.create_task(bench.session.with_locked_document(lambda doc: "next"))
        await settle()
        assert not waiting.done()
        await code.step()
        assert await waiting == "next"


async def test_curdoc_and_the_turn_are_those_of_the_session(engine: ThreadedEngine) -> None:
    bench, other = Bench(engine), Bench(engine)
    seen: list[Any] = []

    def look() -> None:
        turn = current_turn()
        seen.append((curdoc(), turn and turn.document, threading.get_ident()))

    async with running(bench, look) as one, running(other, look) as two:
        await one.step()
        await two.step()
    assert [(document, of_turn) for document, of_turn, _ in seen] == [
        (bench.document, bench.document),
        (other.document, other.document),
    ]
    assert threading.get_ident() not in {thread for _, _, thread in seen}
    assert curdoc() not in (bench.document, other.document)


async def test_what_code_in_a_thread_raises_and_gives_reaches_its_caller(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)

    def fail(_: object) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        await bench.session.with_locked_document(fail)
    assert await bench.session.with_locked_document(lambda doc: doc) is bench.document

    def make() -> Any:
        async def later() -> str:
            return f"{threading.get_ident()}"

        return later()

    assert await bench.session.with_locked_document(lambda doc: make()) == str(
        threading.get_ident()
    )


async def test_session_callbacks_run_in_threads_one_after_the_other(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    order: list[str] = []
    ended = threading.Event()

    def add(name: str) -> Callable[[], None]:
        def callback() -> None:
            order.append(f"{name} begins")
            assert threading.current_thread() is not threading.main_thread()
            assert curdoc() is bench.document
            order.append(f"{name} ends")
            if name == "c":
                ended.set()

        return callback

    async with bench.session.turn():
        for name in "abc":
            bench.document.add_next_tick_callback(add(name))
    await until(ended.is_set)
    assert order == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_a_session_callback_that_fails_in_a_thread_is_reported_and_lets_go(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)

    def fail() -> None:
        raise SystemExit(3)

    async with bench.session.turn():
        bench.document.add_next_tick_callback(fail)
    await until(lambda: bench.events.of(CallbackFailed))
    (failed,) = bench.events.of(CallbackFailed)
    assert isinstance(failed.error, SystemExit)
    await settle()
    assert bench.session.turns.nowait() is not None


async def test_a_turn_that_goes_on_for_long_is_told_once(engine: ThreadedEngine) -> None:
    bench = Bench(engine, warn_long_turn_s=10.0)
    async with running(bench):
        await bench.clock.advance(9.9)
        assert not bench.events.of(TurnLong)
        await bench.clock.advance(0.2)
        (told,) = bench.events.of(TurnLong)
        assert (told.session, told.seconds) == (session_label("an-id"), 10.0)
        await bench.clock.advance(60)
    await bench.clock.advance(60)
    assert len(bench.events.of(TurnLong)) == 1


async def test_a_turn_that_ends_in_time_is_not_told(engine: ThreadedEngine) -> None:
    bench = Bench(engine, warn_long_turn_s=10.0)
    async with running(bench):
        await bench.clock.advance(9)
    await bench.clock.advance(60)
    assert not bench.events.of(TurnLong)


# --- progress of code in threads -----------------------------------------------------------------


async def test_what_a_thread_changes_is_seen_while_it_still_runs(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    first, second = bench.peer(), bench.peer()
    async with running(bench, bench.say("10 %"), bench.say("20 %")) as code:
        await code.step()
        assert first.told == []  # a quick callback is told in one message
        await bench.beat()
        assert first.told == second.told == [["10 %"]]
        await code.step()
        await bench.beat()
        assert first.told == second.told == [["10 %"], ["20 %"]]
    assert first.told == second.told == [["10 %"], ["20 %"]]  # and nothing twice


async def test_the_end_tells_what_was_not_told_before(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    change = lambda: setattr(bench.slider, "value", 5)  # noqa: E731
    async with running(bench, bench.say("10 %"), bench.say("20 %"), change) as code:
        await code.step()
        await bench.beat()
        await code.step()
        await code.step()
    assert peer.told == [["10 %"], ["20 %", 5]]


async def test_changes_between_two_messages_are_told_in_one_with_their_last_values(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    async with running(bench, *(bench.say(str(number)) for number in range(20))) as code:
        for _ in range(20):
            await code.step()
        await bench.beat()
        assert peer.told == [["19"]]
    assert peer.told == [["19"]]


async def test_at_most_20_messages_a_second(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    async with running(bench, *(bench.say(str(number)) for number in range(100))) as code:
        for _ in range(100):
            await code.step()
            await bench.clock.advance(0.01)
    assert 15 <= len(peer.messages) <= 21
    assert peer.told[-1] == ["99"]


async def test_models_that_come_on_the_way_are_defined_once_and_before_they_are_used(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    fresh = Div(text="fresh")
    async with running(
        bench,
        lambda: bench.document.add_root(fresh),
        lambda: setattr(fresh, "text", "changed"),
    ) as code:
        await code.step()
        await bench.beat()
        await code.step()
        await bench.beat()
    added, changed = (one.content["events"] for one in peer.messages)
    assert added[0]["model"]["id"] == fresh.id
    assert added[0]["model"]["attributes"]["text"] == "fresh"
    assert changed[0]["model"] == {"id": fresh.id}
    assert changed[0]["new"] == "changed"


async def test_rows_that_are_streamed_are_told_once_each(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    stream = lambda: bench.source.stream({"x": [1, 2]})  # noqa: E731
    async with running(bench, stream, stream, stream) as code:
        await code.step()
        await bench.beat()
        await code.step()
        await code.step()
        await bench.beat()
    rows = [
        dict(event["data"]["entries"])["x"]
        for one in peer.messages
        for event in one.content["events"]
    ]
    assert rows == [[1, 2], [1, 2], [1, 2]]
    assert list(bench.source.data["x"]) == [0, 1, 2, 1, 2, 1, 2]


async def test_who_has_made_a_change_does_not_hear_of_it(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    one, other = bench.peer(), bench.peer()

    def change() -> None:
        bench.slider.update()
        descriptor = bench.slider.lookup("value")
        descriptor.set_from_json(bench.slider, 7, setter=one)  # type: ignore[arg-type]
        bench.div.text = "seven"

    async with running(bench, change) as code:
        await code.step()
        await bench.beat()
        assert (one.told, other.told) == ([["seven"]], [[7, "seven"]])
    assert (one.told, other.told) == ([["seven"]], [[7, "seven"]])


async def test_held_changes_wait_for_the_end_of_the_hold(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    async with running(
        bench,
        lambda: bench.document.hold("combine"),
        bench.say("held"),
        bench.document.unhold,
    ) as code:
        await code.step()
        await code.step()
        await bench.beat()
        assert peer.told == []
        await code.step()
        await bench.beat()
        assert peer.told == [["held"]]


async def test_nothing_is_told_of_a_document_that_is_in_the_middle_of_a_change(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    fresh = Div(text="fresh")

    def begin() -> None:
        bench.document.models._push_freeze()
        bench.document.add_root(fresh)

    def end() -> None:
        bench.document.models._pop_freeze()
        bench.div.text = "whole"

    async with running(bench, begin, end) as code:
        await code.step()
        await bench.beat()
        assert peer.messages == []
        await code.step()
        await bench.beat()
        (message,) = peer.messages
        assert [event["kind"] for event in message.content["events"]] == [
            "RootAdded",
            "ModelChanged",
        ]


async def test_encoding_on_the_way_has_a_credit(
    engine: ThreadedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that changes much is not slowed down by telling of it."""
    bench = Bench(engine)
    peer = bench.peer()
    encoded: list[float] = []
    so_far = bench.session.publisher.so_far

    def costly(*args: Any) -> Any:
        encoded.append(bench.clock.monotonic())
        bench.clock.set(bench.clock.monotonic() + 0.004)
        return so_far(*args)

    monkeypatch.setattr(bench.session.publisher, "so_far", costly)
    async with running(bench, *(bench.say(str(number)) for number in range(40))) as code:
        for _ in range(40):
            await code.step()
        assert len(encoded) <= 4
        await bench.clock.advance(1.0)
        assert len(peer.messages) == 1
    assert peer.told[-1] == ["39"]


async def test_what_cannot_be_encoded_waits_for_the_end_and_is_reported_once(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    columns: Any = bench.source.data

    def break_it() -> None:
        dict.__setitem__(columns, "x", object())
        bench.source.trigger("data", None, columns)

    async with running(bench, bench.say("fine"), break_it) as code:
        await code.step()
        await code.step()
        await bench.beat()
        assert peer.messages == []
    assert peer.told == [["fine"]]
    assert [failed.what for failed in bench.events.of(EncodingFailed)] == ["ColumnDataSource.data"]


async def test_a_client_that_leaves_meanwhile_is_told_nothing_more(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    stays, leaves = bench.peer(), bench.peer()
    async with running(bench, bench.say("1"), bench.say("2")) as code:
        await code.step()
        await bench.beat()
        bench.session.detach(leaves, lost=True)
        await code.step()
        await bench.beat()
    assert stays.told == [["1"], ["2"]]
    assert leaves.told == [["1"]]


async def test_what_was_changed_before_a_turn_was_known_to_last_is_seen_while_it_sleeps(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    gate = Gate()

    def work(_: Any) -> None:
        bench.div.text = "early"
        bench.source.data = {"x": [1, 2]}
        gate()

    task = asyncio.create_task(bench.session.with_locked_document(work))
    await until(lambda: bench.session.turns.now and bench.session.turns.now.progress)
    progress = bench.session.turns.now.progress  # type: ignore[union-attr]
    await until(lambda: progress._ready)  # type: ignore[union-attr]
    await bench.beat()
    assert peer.told == [["early", "ColumnDataChanged"]]
    gate.may_end.set()
    await task
    assert peer.told == [["early", "ColumnDataChanged"]]


async def test_a_look_that_finds_the_thread_elsewhere_than_before_is_worth_nothing(
    engine: ThreadedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    async with running(bench) as code:
        progress = bench.session.turns.now.progress  # type: ignore[union-attr]
        assert progress is not None
        bench.session.publisher.changes.add(
            ModelChangedEvent(bench.document, bench.slider, "value", 0)
        )
        monkeypatch.setattr("hyperfocal.publishing.progress._stack", lambda thread: object())
        await asyncio.to_thread(progress.peek)
        await bench.beat()
        assert peer.told == []
        monkeypatch.undo()
        await asyncio.to_thread(progress.peek)
        await bench.beat()
        assert peer.told == [[0]]
        await code.step()


# --- progress of code that awaits -------------------------------------------------------------


async def test_what_async_code_changes_is_seen_at_its_awaits(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    go = asyncio.Event()

    async def work(_: Any) -> None:
        for number in range(3):
            bench.div.text = str(number)
            await go.wait()
            go.clear()

    task = asyncio.create_task(bench.session.with_locked_document(work))
    await until(lambda: bench.div.text == "0")
    assert peer.told == []
    await bench.beat()
    assert peer.told == [["0"]]
    go.set()
    await bench.beat()
    assert peer.told == [["0"], ["1"]]
    go.set()
    await settle()
    go.set()
    await task
    assert peer.told == [["0"], ["1"], ["2"]]


async def test_an_async_session_callback_shows_its_progress_too(engine: ThreadedEngine) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    go = asyncio.Event()

    async def work() -> None:
        bench.div.text = "half"
        await go.wait()
        bench.div.text = "whole"

    callback: Any = work
    async with bench.session.turn():
        bench.document.add_next_tick_callback(callback)
    await until(lambda: bench.div.text == "half")
    await bench.beat()
    assert peer.told == [["half"]]
    go.set()
    await settle()
    assert peer.told == [["half"], ["whole"]]


async def test_code_that_lasts_and_then_awaits_is_seen_at_its_awaits(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    go, begun, may_go_on = asyncio.Event(), threading.Event(), threading.Event()

    async def rest() -> None:
        bench.div.text = "first await"
        await go.wait()
        go.clear()
        bench.div.text = "second await"
        await go.wait()

    def work(_: Any) -> Any:
        bench.div.text = "in a thread"
        begun.set()
        may_go_on.wait()
        return rest()

    task = asyncio.create_task(bench.session.with_locked_document(work))
    await until(begun.is_set)
    turn = bench.session.turns.now
    assert turn is not None
    await until(lambda: turn.progress)
    progress = turn.progress
    assert progress is not None
    may_go_on.set()
    await until(lambda: bench.div.text == "first await")
    await asyncio.to_thread(progress.peek)  # by a thread that was asked before
    assert progress._ready is None
    await bench.beat()
    assert peer.told[-1] == ["first await"]
    go.set()
    await until(lambda: bench.div.text == "second await")
    await bench.beat()
    assert peer.told[-1] == ["second await"]
    go.set()
    await task
    assert peer.told[-1] == ["second await"]


async def test_a_thread_that_async_code_starts_is_not_encoded_by_another(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    peer = bench.peer()
    steps = Steps(bench.say("1"), bench.say("2"))
    encoders: list[int] = []
    so_far = bench.session.publisher.so_far

    def noted(*args: Any) -> Any:
        encoders.append(threading.get_ident())
        return so_far(*args)

    publisher: Any = bench.session.publisher
    publisher.so_far = noted

    async def work(_: Any) -> None:
        await asyncio.to_thread(steps)

    task = asyncio.create_task(bench.session.with_locked_document(work))
    await settle()
    await steps.step()
    await bench.beat()
    assert peer.told == [["1"]]
    await steps.step()
    await bench.beat()
    assert peer.told == [["1"], ["2"]]
    await steps.step()
    await task
    assert encoders
    assert threading.get_ident() not in encoders
    assert peer.told == [["1"], ["2"]]


async def test_a_caller_that_goes_before_its_coroutine_has_begun_leaves_the_document_free(
    engine: ThreadedEngine,
) -> None:
    bench = Bench(engine)
    gate = Gate()
    begun: list[str] = []

    async def rest() -> None:
        begun.append("rest")

    def slow(document: object) -> Any:
        gate()
        return rest()

    caller = asyncio.ensure_future(bench.session.with_locked_document(slow))
    await gate.until_begun()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.may_end.set()
    async with asyncio.timeout(5):
        assert await bench.session.with_locked_document(lambda _: "free") == "free"
    assert not begun
