"""One timer tells all connections when to ping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hyperfocal.web.heartbeat import Heartbeat


class Member:
    def __init__(self, act: Callable[[], Any] = lambda: None) -> None:
        self.beats = 0
        self.act = act

    def beat(self) -> None:
        self.beats += 1
        self.act()


class Timers:
    """Stands for the event loop's timers: nothing fires by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self._call_later)

    def _call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        entry = (delay, callback)
        self.due.append(entry)
        timers = self

        class Handle:
            def cancel(self) -> None:
                timers.due.remove(entry)

        return Handle()

    async def fire(self) -> None:
        (_, callback) = self.due.pop(0)
        callback()
        for _ in range(10):
            await asyncio.sleep(0)


async def test_all_members_are_told_with_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    timers, heart = Timers(monkeypatch), Heartbeat(37.0)
    members = [Member() for _ in range(200)]
    for member in members:
        heart.add(member)
    assert [delay for delay, _ in timers.due] == [37.0]
    await timers.fire()
    assert {member.beats for member in members} == {1}
    await timers.fire()
    assert {member.beats for member in members} == {2}
    assert len(timers.due) == 1


async def test_others_get_the_loop_between_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    timers, heart = Timers(monkeypatch), Heartbeat(1.0)
    members = [Member() for _ in range(200)]
    for member in members:
        heart.add(member)
    (_, beat) = timers.due.pop(0)
    beat()
    assert 0 < sum(member.beats for member in members) < 200


async def test_a_member_that_leaves_is_told_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    timers, heart = Timers(monkeypatch), Heartbeat(1.0)
    late = Member()
    early = Member(lambda: heart.discard(late))
    heart.add(early)
    heart.add(late)
    await timers.fire()
    assert (early.beats, late.beats) == (1, 0)
    heart.discard(early)
    heart.discard(early)
    assert timers.due == []
    heart.add(late)
    assert len(timers.due) == 1


async def test_without_an_interval_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    timers, heart = Timers(monkeypatch), Heartbeat(None)
    member = Member()
    heart.add(member)
    heart.discard(member)
    assert timers.due == []
