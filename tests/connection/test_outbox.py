from __future__ import annotations

import asyncio

from hyperfocal.connection import CloseRequest, Outbox


def test_frames_leave_in_order_and_wake_the_transport() -> None:
    woken: list[int] = []
    outbox = Outbox(1000, lambda: woken.append(1))
    assert outbox.offer(("a", b"bc"))
    assert outbox.offer(("d",))
    assert outbox.queued_bytes == 4
    frames = outbox.take()
    assert frames == ["a", b"bc", "d"]
    assert outbox.take() == []
    assert outbox.queued_bytes == 4  # on its way, not there yet
    outbox.sent()
    assert outbox.queued_bytes == 0
    assert len(woken) == 2


def test_past_the_bound_the_queue_is_thrown_away_and_the_client_is_to_come_back() -> None:
    outbox = Outbox(10, lambda: None)
    assert outbox.offer(("x" * 6,))
    assert not outbox.offer(("y" * 6,))
    assert outbox.overflowed
    assert outbox.closing is not None
    assert outbox.closing.code == 1013
    assert outbox.take() == []
    assert outbox.offer(("z",))  # ignored: that is known


def test_what_is_on_its_way_counts() -> None:
    outbox = Outbox(10, lambda: None)
    outbox.offer(("x" * 6,))
    frames = outbox.take()
    assert not outbox.offer(("y" * 6,))
    outbox = Outbox(10, lambda: None)
    outbox.offer(("x" * 6,))
    outbox.take()
    outbox.sent()
    assert outbox.offer(("y" * 6,))
    assert frames == ["xxxxxx"]


def test_one_message_larger_than_the_bound_passes_when_nothing_else_waits() -> None:
    outbox = Outbox(10, lambda: None)
    assert outbox.offer(("x" * 1000,))
    assert not outbox.overflowed


def test_the_first_close_request_counts_and_nothing_is_taken_after_it() -> None:
    woken: list[int] = []
    outbox = Outbox(10, lambda: woken.append(1))
    outbox.offer(("last words",))
    outbox.close(1002, "first")
    outbox.close(1009, "second")
    assert outbox.closing == CloseRequest(1002, "first")
    assert outbox.offer(("too late",))
    assert outbox.take() == ["last words"]
    assert len(woken) == 2


async def test_a_client_for_whom_much_waits_lags_and_says_when_it_has_room() -> None:
    room: list[int] = []
    outbox = Outbox(1000, lambda: None)
    outbox.on_room = lambda: room.append(1)
    outbox.offer(("x" * 250,))
    lagged = [outbox.lagging]  # a quarter of the bound is not too much
    outbox.offer(("x",))
    lagged.append(outbox.lagging)
    outbox.take()
    outbox.sent()
    lagged.append(outbox.lagging)
    assert lagged == [False, True, False]
    await asyncio.sleep(0)
    assert room == [1]


async def test_a_client_that_nobody_thought_slow_is_not_asked_about_room() -> None:
    room: list[int] = []
    outbox = Outbox(1000, lambda: None)
    outbox.on_room = lambda: room.append(1)
    outbox.offer(("x" * 900,))
    outbox.take()
    outbox.sent()
    await asyncio.sleep(0)
    assert room == []


def test_the_number_of_frames_has_a_bound_however_small_they_are() -> None:
    outbox = Outbox(1 << 30, lambda: None)
    assert outbox.offer(("",) * 100_001)
    assert not outbox.offer(("",))
    assert outbox.overflowed
