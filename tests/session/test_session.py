from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from bokeh.document import without_document_lock
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider

from hyperfocal.document import new_document
from hyperfocal.errors import OutsideTurnError, SessionGoneError, TurnReentryError
from hyperfocal.labels import session_label
from hyperfocal.session import ExpiryRules, Lifetime, Session, current_turn
from hyperfocal.telemetry import CallbackFailed, EncodingFailed, Telemetry
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from hyperfocal.wire import Frame, unpacked
from tests.support.peers import Peer
from tests.support.serving import Events


class Bench:
    """A live session with a slider and a Div, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events = Events()
        self.document = new_document()
        self.slider, self.div = Slider(start=0, end=100, value=0), Div(text="")
        self.document.add_root(column(self.slider, self.div))
        self.session = Session(
            "an-id",
            self.document,
            loop=asyncio.get_running_loop(),
            clock=self.clock,
            telemetry=Telemetry(self.events),
            rules=ExpiryRules(unused_s=15, lost_s=600),
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


# --- turns -----------------------------------------------------------------------------------


async def test_a_turn_is_exclusive_and_in_order() -> None:
    bench = Bench()
    order: list[str] = []
    gate = asyncio.Event()

    async def work(name: str) -> None:
        async with bench.session.turn():
            order.append(f"{name} begins")
            await gate.wait()
            order.append(f"{name} ends")

    tasks = [asyncio.create_task(work(name)) for name in "abc"]
    await settle()
    assert order == ["a begins"]
    assert bench.session.turns.nowait() is None
    gate.set()
    await asyncio.gather(*tasks)
    assert order == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_curdoc_is_the_document_within_a_turn_also_after_an_await() -> None:
    one, other = Bench(), Bench()
    outside = curdoc()

    async def look(bench: Bench) -> None:
        async with bench.session.turn():
            for _ in range(5):
                assert curdoc() is bench.document
                await asyncio.sleep(0)

    await asyncio.gather(look(one), look(other), look(one))
    assert curdoc() is outside


async def test_a_turn_that_raises_still_tells_its_changes_and_lets_go() -> None:
    bench = Bench()
    peer = bench.peer()

    def fail(_: object) -> None:
        bench.div.text = "before"
        raise ValueError("after")

    with pytest.raises(ValueError, match="after"):
        await bench.session.with_locked_document(fail)
    assert [event["new"] for event in peer.events] == ["before"]
    assert bench.session.turns.nowait() is not None


async def test_one_message_per_turn_and_audience() -> None:
    bench = Bench()
    first, second = bench.peer(), bench.peer()
    async with bench.session.turn(first) as turn:
        for number in range(200):
            bench.slider.value = number / 2
        bench.div.text = "done"
        turn.flush()
    for peer in (first, second):
        assert len(peer.messages) == 1
        assert [event["new"] for event in peer.events] == [99.5, "done"]


async def test_a_client_that_has_not_pulled_is_told_nothing() -> None:
    bench = Bench()
    peer = Peer()
    bench.session.attach(peer)
    await bench.session.with_locked_document(lambda _: setattr(bench.div, "text", "x"))
    assert peer.messages == []


async def test_a_value_without_a_json_form_does_not_take_the_others_with_it() -> None:
    bench = Bench()
    peer = bench.peer()
    async with bench.session.turn():
        bench.div.text = "fine"
        bench.slider.tags = [object()]
        bench.slider.value = 7
    assert [event["new"] for event in peer.events] == ["fine", 7]
    (failed,) = bench.events.of(EncodingFailed)
    assert "can't serialize" in str(failed.error)
    assert bench.session.turns.nowait() is not None


async def test_many_values_without_a_json_form_are_one_line_of_the_log() -> None:
    """Regression: each change had its own, with a traceback: 22 MB for a message of 29 KB."""
    bench = Bench()
    peers = [bench.peer(), bench.peer()]
    async with bench.session.turn():
        for number in range(50):
            bench.document.add_root(Div(tags=[object()], name=f"{number}"))
        bench.slider.tags = [object()]
        bench.div.text = "fine"
    for peer in peers:
        assert [event["new"] for event in peer.events] == ["fine"]
    (failed,) = bench.events.of(EncodingFailed)
    assert failed.others == 50
    assert failed.cause is None
    assert len(failed.words()) < 500


async def test_changing_the_document_outside_of_a_turn_raises_what_bokeh_users_know() -> None:
    bench = Bench()
    with pytest.raises(RuntimeError, match="_pending_writes should be non-None") as caught:
        bench.slider.value = 3
    assert isinstance(caught.value, OutsideTurnError)
    assert "Slider.value" in str(caught.value)
    assert "add_next_tick_callback" in str(caught.value)


async def test_other_code_cannot_change_the_document_in_the_middle_of_a_turn() -> None:
    bench = Bench()

    async def outsider() -> None:
        bench.slider.value = 3

    other = asyncio.create_task(outsider())
    async with bench.session.turn():
        with pytest.raises(OutsideTurnError):
            await other
        bench.slider.value = 4
        await asyncio.create_task(insider(bench))
        await asyncio.get_running_loop().run_in_executor(None, setattr, bench.slider, "value", 6)
    assert bench.slider.value == 6


async def insider(bench: Bench) -> None:
    """A task that the turn has started."""
    bench.slider.value = 5


# --- with_locked_document --------------------------------------------------------------------


async def test_it_gives_back_what_the_function_or_its_awaitable_gives() -> None:
    bench = Bench()

    async def slow(document: object) -> str:
        await asyncio.sleep(0)
        return "slow"

    assert await bench.session.with_locked_document(lambda doc: doc is bench.document) is True
    assert await bench.session.with_locked_document(slow) == "slow"
    assert await bench.session.with_document_locked(lambda a, b: a + b, 1, b=2) == 3


async def test_asking_again_within_the_turn_is_refused_instead_of_waiting_for_ever() -> None:
    bench = Bench()

    async def again(document: object) -> None:
        await bench.session.with_locked_document(lambda _: None)

    with pytest.raises(TurnReentryError, match=session_label("an-id")):
        await bench.session.with_locked_document(again)
    assert await bench.session.with_locked_document(lambda _: "free again") == "free again"


async def test_asking_again_through_gather_is_refused_too() -> None:
    bench = Bench()

    async def again(document: object) -> None:
        await asyncio.gather(bench.session.with_locked_document(lambda _: None))

    with pytest.raises(TurnReentryError):
        await asyncio.wait_for(bench.session.with_locked_document(again), 5)


async def wait_in_group(coroutine: Coroutine[Any, Any, Any]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(coroutine)


async def nested(coroutine: Coroutine[Any, Any, Any]) -> None:
    async def inner() -> None:
        await asyncio.create_task(coroutine)

    await asyncio.create_task(inner())


async def later(coroutine: Coroutine[Any, Any, Any]) -> None:
    task = asyncio.create_task(coroutine)
    await settle()
    await task


@pytest.mark.parametrize(
    "wait",
    [
        asyncio.gather,
        lambda coroutine: asyncio.wait_for(coroutine, 30),
        asyncio.shield,
        wait_in_group,
        nested,
        later,
        lambda coroutine: wait_and_raise(asyncio.create_task(coroutine)),
    ],
)
async def test_it_is_refused_however_the_turn_waits_for_it(wait: Any) -> None:
    bench = Bench()

    async def again(document: object) -> None:
        await wait(bench.session.with_locked_document(lambda _: None))

    with pytest.raises((TurnReentryError, ExceptionGroup)) as caught:
        await asyncio.wait_for(bench.session.with_locked_document(again), 10)
    if isinstance(caught.value, ExceptionGroup):
        assert isinstance(caught.value.exceptions[0], TurnReentryError)
    assert await bench.session.with_locked_document(lambda _: "free again") == "free again"


async def wait_and_raise(task: asyncio.Task[Any]) -> None:
    await asyncio.wait({task})
    task.result()


async def test_going_through_another_session_and_back_is_refused_too() -> None:
    one, other = Bench(), Bench()

    async def back(document: object) -> None:
        await one.session.with_locked_document(lambda _: None)

    async def there(document: object) -> None:
        await other.session.with_locked_document(back)

    with pytest.raises(TurnReentryError):
        await asyncio.wait_for(one.session.with_locked_document(there), 10)


async def test_a_callback_that_raises_cancelled_error_lets_go_of_the_document() -> None:
    bench = Bench()

    def broken() -> None:
        raise asyncio.CancelledError

    bench.document.add_next_tick_callback(broken)
    await settle()
    assert bench.session.turns.nowait() is not None
    assert len(bench.events.of(CallbackFailed)) == 1


async def test_a_task_that_the_turn_starts_and_does_not_await_gets_its_own_turn() -> None:
    bench = Bench()
    started: list[asyncio.Task[Any]] = []

    async def start(document: object) -> str:
        coroutine = bench.session.with_locked_document(lambda _: "later")
        started.append(asyncio.create_task(coroutine))
        await settle()
        assert not started[0].done()
        return "first"

    assert await bench.session.with_locked_document(start) == "first"
    assert await asyncio.wait_for(started[0], 5) == "later"


async def test_another_session_may_be_asked_from_within_a_turn() -> None:
    one, other = Bench(), Bench()

    async def ask(document: object) -> Any:
        found = await other.session.with_locked_document(lambda doc: doc)
        assert curdoc() is one.document
        return found

    assert await one.session.with_locked_document(ask) is other.document


async def test_it_is_a_no_op_on_a_destroyed_session_also_for_those_who_wait() -> None:
    bench = Bench()
    called: list[int] = []
    async with bench.session.turn():
        bench.session.begin_closing()
        destroying = asyncio.create_task(bench.session.destroy())
        await settle()
        waiting = asyncio.create_task(bench.session.with_locked_document(called.append))  # type: ignore[arg-type]
        await settle()
    await destroying
    assert await waiting is None
    assert await bench.session.with_locked_document(called.append) is None  # type: ignore[arg-type]
    assert called == []
    assert bench.session.destroyed
    with pytest.raises(SessionGoneError):
        bench.session.turns.nowait()


# --- session callbacks -----------------------------------------------------------------------


async def test_a_next_tick_callback_runs_as_a_turn() -> None:
    bench = Bench()
    peer = bench.peer()
    seen: list[Any] = []

    def tick() -> None:
        seen.append((curdoc() is bench.document, current_turn() is not None))
        bench.div.text = "ticked"

    bench.document.add_next_tick_callback(tick)
    assert seen == []
    await settle()
    assert seen == [(True, True)]
    assert [event["new"] for event in peer.events] == ["ticked"]
    assert bench.document.session_callbacks == []


async def test_a_callback_waits_for_the_turn_that_runs() -> None:
    bench = Bench()
    seen: list[str] = []
    async with bench.session.turn():
        bench.document.add_next_tick_callback(lambda: seen.append("tick"))
        await settle()
        seen.append("turn ends")
    await settle()
    assert seen == ["turn ends", "tick"]


async def test_an_async_callback_holds_the_document_across_its_awaits() -> None:
    bench = Bench()
    gate = asyncio.Event()
    seen: list[str] = []

    async def slow() -> None:
        seen.append("begins")
        await gate.wait()
        assert curdoc() is bench.document
        bench.div.text = "slow"
        seen.append("ends")

    bench.document.add_next_tick_callback(slow)  # type: ignore[arg-type]
    await settle()
    later = asyncio.create_task(bench.session.with_locked_document(lambda _: seen.append("later")))
    await settle()
    assert seen == ["begins"]
    gate.set()
    await later
    assert seen == ["begins", "ends", "later"]


async def test_timeout_and_periodic_callbacks_run_and_can_be_removed() -> None:
    bench = Bench()
    seen: list[str] = []
    periodic = bench.document.add_periodic_callback(lambda: seen.append("beat"), 100)
    bench.document.add_timeout_callback(lambda: seen.append("timeout"), 250)
    gone = bench.document.add_timeout_callback(lambda: seen.append("never"), 260)
    bench.document.remove_timeout_callback(gone)
    await bench.clock.advance(0.35)
    assert seen == ["beat", "beat", "timeout", "beat"]
    bench.document.remove_periodic_callback(periodic)
    await bench.clock.advance(1)
    assert len(seen) == 4
    with pytest.raises(ValueError, match="already"):
        bench.document.remove_periodic_callback(periodic)


async def test_a_raising_callback_is_reported_with_its_name_and_a_periodic_one_stays() -> None:
    bench = Bench()
    peer = bench.peer()

    def broken() -> None:
        bench.div.text += "x"
        raise ZeroDivisionError("oh")

    bench.document.add_periodic_callback(broken, 100)
    await bench.clock.advance(0.25)
    failures = bench.events.of(CallbackFailed)
    assert len(failures) == 2
    assert "broken" in failures[0].callback
    assert failures[0].session == session_label("an-id")
    assert [event["new"] for event in peer.events] == ["x", "xx"]


async def test_sys_exit_in_a_callback_is_an_error_of_the_application() -> None:
    bench = Bench()

    def leave() -> None:
        raise SystemExit(3)

    async def leave_later() -> None:
        await asyncio.sleep(0)
        raise SystemExit(4)

    bench.document.add_next_tick_callback(leave)
    bench.document.add_next_tick_callback(leave_later)  # type: ignore[arg-type]
    await settle()
    assert len(bench.events.of(CallbackFailed)) == 2


async def test_callbacks_can_be_added_from_a_thread() -> None:
    bench = Bench()
    ran = asyncio.Event()
    threads: list[int] = []

    def tick() -> None:
        threads.append(threading.get_ident())
        ran.set()

    await asyncio.to_thread(bench.document.add_next_tick_callback, tick)
    await asyncio.wait_for(ran.wait(), 5)
    assert threads == [threading.get_ident()]


async def test_an_unlocked_callback_runs_beside_a_turn_and_cannot_touch_the_document() -> None:
    bench = Bench()
    errors: list[BaseException] = []
    done: list[str] = []

    @without_document_lock
    async def unlocked() -> None:
        await asyncio.sleep(0)
        for touch in (lambda: curdoc().roots, lambda: setattr(bench.slider, "value", 5)):
            try:
                touch()
            except (AttributeError, RuntimeError) as error:
                errors.append(error)

        def locked() -> None:
            bench.slider.value = 6
            done.append("through next tick")

        curdoc().add_next_tick_callback(locked)

    async with bench.session.turn():
        bench.document.add_next_tick_callback(unlocked)  # type: ignore[arg-type]
        await settle()
        assert "add_next_tick_callback' may be used safely" in str(errors[0])
        assert isinstance(errors[1], OutsideTurnError)
        assert done == []
    await settle()
    assert done == ["through next tick"]
    assert bench.events.of(CallbackFailed) == []


async def test_context_variables_of_whoever_added_a_callback_reach_it() -> None:
    bench = Bench()
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []
    variable.set("mine")
    bench.document.add_next_tick_callback(lambda: seen.append(variable.get()))
    await settle()
    assert seen == ["mine"]


async def test_callbacks_added_before_the_session_is_live_wait_for_it() -> None:
    document = new_document()
    ran: list[str] = []
    document.add_next_tick_callback(lambda: ran.append("early"))
    session = Session(
        "a",
        document,
        loop=asyncio.get_running_loop(),
        clock=ManualClock(),
        telemetry=Telemetry(),
    )
    document.add_next_tick_callback(lambda: ran.append("building"))
    await settle()
    assert ran == []
    session.go_live()
    await settle()
    assert ran == ["early", "building"]


# --- clients and expiry ----------------------------------------------------------------------


async def test_when_it_is_due() -> None:
    bench = Bench()
    now = bench.clock.monotonic
    assert not bench.session.is_due(now() + 14.9)
    assert bench.session.is_due(now() + 15)
    peer = bench.peer()
    assert not bench.session.is_due(now() + 10_000)
    bench.session.detach(peer, lost=False)
    assert bench.session.is_due(now() + 15)
    peer = bench.peer()
    bench.session.detach(peer, lost=True)
    assert not bench.session.is_due(now() + 599)
    assert bench.session.is_due(now() + 600)


async def test_one_who_was_lost_is_waited_for_though_another_closes() -> None:
    bench = Bench()
    first, second = Peer(), Peer()
    bench.session.attach(first, "page-1")
    bench.session.attach(second, "page-2")
    bench.session.detach(first, "page-1", lost=True)
    bench.session.detach(second, "page-2", lost=False)
    now = bench.clock.monotonic()
    assert not bench.session.is_due(now + 599)
    bench.session.attach(first, "page-1")
    bench.session.detach(first, "page-1", lost=False)
    assert bench.session.is_due(now + 15)


async def test_it_is_never_due_while_a_turn_runs() -> None:
    bench = Bench()
    async with bench.session.turn():
        assert not bench.session.is_due(bench.clock.monotonic() + 10_000)
    assert bench.session.is_due(bench.clock.monotonic() + 10_000)


async def test_turns_that_follow_each_other_closely_do_not_keep_it_for_ever() -> None:
    bench = Bench()
    later = bench.clock.monotonic() + 10_000
    async with bench.session.turn():
        assert not bench.session.is_due(later)
        assert not bench.session.is_due(later)  # the same turn goes on
    async with bench.session.turn():
        peer = bench.peer()
        assert not bench.session.is_due(later)  # somebody is there
        bench.session.detach(peer, lost=False)
        assert not bench.session.is_due(later)
    async with bench.session.turn():
        assert bench.session.is_due(later)


async def test_jobs_that_wait_at_each_look_do_not_keep_it_for_ever() -> None:
    bench = Bench()
    later = bench.clock.monotonic() + 10_000
    mailbox = bench.session.turns.mailbox
    mailbox.try_hold()
    assert not bench.session.is_due(later)  # a turn is at its end
    first: list[None] = []
    mailbox.post(lambda: first.append(None))
    mailbox.post(mailbox.release)
    assert not bench.session.is_due(later)
    assert not bench.session.is_due(later)  # the same waits for a thread
    mailbox.take()
    assert bench.session.is_due(later)


async def test_blocking_and_requesting_expiration() -> None:
    bench = Bench()
    bench.session.block_expiration()
    bench.session.block_expiration()
    assert bench.session.expiration_blocked
    assert bench.session.expiration_blocked_count == 2
    assert not bench.session.is_due(bench.clock.monotonic() + 10_000)
    bench.session.unblock_expiration()
    bench.session.request_expiration()
    assert not bench.session.is_due(bench.clock.monotonic())
    bench.session.unblock_expiration()
    assert bench.session.expiration_requested
    assert bench.session.is_due(bench.clock.monotonic())
    with pytest.raises(RuntimeError, match="more often"):
        bench.session.unblock_expiration()


async def test_no_client_can_join_a_session_that_is_closing() -> None:
    bench = Bench()
    bench.session.begin_closing()
    with pytest.raises(SessionGoneError, match="reload the page"):
        bench.session.attach(Peer())
    assert bench.session.lifetime is Lifetime.CLOSING


async def test_a_page_is_new_once() -> None:
    bench = Bench()
    assert not bench.session.note_page("p")
    assert bench.session.note_page("p")
    assert not bench.session.note_page("q")


async def test_messages_are_json_in_three_text_frames() -> None:
    bench = Bench()
    raw_frames: list[Frame] = []

    class Raw:
        def offer(self, frames: tuple[Frame, ...]) -> None:
            raw_frames.extend(unpacked(frames))

        lagging = False

        def give_up(self) -> None:
            raise AssertionError

        def end(self, reason: str) -> None:
            raise AssertionError(reason)

    raw = Raw()
    bench.session.attach(raw)
    bench.session.subscribe(raw)
    await bench.session.with_locked_document(lambda _: setattr(bench.slider, "value", 3))
    header, metadata, content = (json.loads(frame) for frame in raw_frames)
    assert header["msgtype"] == "PATCH-DOC"
    assert metadata == {}
    assert content["events"][0]["attr"] == "value"
