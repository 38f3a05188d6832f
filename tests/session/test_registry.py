from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hyperfocal.clock import SystemClock
from hyperfocal.document import new_document
from hyperfocal.errors import BusyError
from hyperfocal.session import Session, SessionRegistry, registry
from hyperfocal.telemetry import Telemetry
from hyperfocal.testing.clock import settle


def session(session_id: str = "a") -> Session:
    made = Session(
        session_id,
        new_document(),
        loop=asyncio.get_running_loop(),
        clock=SystemClock(),
        telemetry=Telemetry(),
    )
    made.go_live()
    return made


class Bench:
    def __init__(self) -> None:
        self.destroyed: list[tuple[Session, str]] = []
        self.gate = asyncio.Event()
        self.builds = 0
        self.failure: Exception | None = None
        self.registry = SessionRegistry(self.destroy)

    async def destroy(self, session: Session, why: str) -> None:
        self.destroyed.append((session, why))

    async def build(self) -> Session:
        self.builds += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return session()


async def test_many_simultaneous_callers_share_one_build() -> None:
    bench = Bench()
    tasks = [asyncio.create_task(bench.registry.get_or_create("a", bench.build)) for _ in range(20)]
    await settle()
    assert bench.registry.knows("a")
    bench.gate.set()
    made = await asyncio.gather(*tasks)
    assert len({id(one) for one in made}) == 1
    assert bench.builds == 1
    assert bench.registry.get("a") is made[0]
    assert await bench.registry.get_or_create("a", bench.build) is made[0]


async def test_a_failure_reaches_every_waiter_and_the_next_call_tries_afresh() -> None:
    bench = Bench()
    bench.failure = RuntimeError("no")
    tasks = [asyncio.create_task(bench.registry.get_or_create("a", bench.build)) for _ in range(5)]
    await settle()
    bench.gate.set()
    results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == ["no"] * 5
    assert not bench.registry.knows("a")
    bench.failure = None
    assert (await bench.registry.get_or_create("a", bench.build)).id == "a"
    assert bench.builds == 2


async def test_a_cancelled_waiter_cancels_nobody_else() -> None:
    bench = Bench()
    first, second = (
        asyncio.create_task(bench.registry.get_or_create("a", bench.build)) for _ in range(2)
    )
    await settle()
    first.cancel()
    await settle()
    bench.gate.set()
    assert (await second).id == "a"
    assert first.cancelled()
    assert bench.builds == 1


async def test_a_build_whose_waiters_have_all_gone_is_finished_and_kept() -> None:
    bench = Bench()
    only = asyncio.create_task(bench.registry.get_or_create("a", bench.build))
    await settle()
    only.cancel()
    await settle()
    bench.gate.set()
    await settle()
    assert bench.registry.get("a") is not None


async def test_a_failure_that_nobody_waits_for_is_silent() -> None:
    bench = Bench()
    bench.failure = RuntimeError("nobody listens")
    problems: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, info: problems.append(info))
    only = asyncio.create_task(bench.registry.get_or_create("a", bench.build))
    await settle()
    only.cancel()
    bench.gate.set()
    await settle()
    assert problems == []
    assert not bench.registry.knows("a")


async def test_a_session_is_discarded_once() -> None:
    bench = Bench()
    bench.gate.set()
    made = await bench.registry.get_or_create("a", bench.build)
    await asyncio.gather(*(bench.registry.discard(made, "because") for _ in range(3)))
    assert bench.destroyed == [(made, "because")]
    later = await bench.registry.get_or_create("a", bench.build)
    assert later is not made
    await bench.registry.discard(made, "again")
    assert bench.registry.get("a") is later


async def test_close_waits_for_builds_and_discards_everything() -> None:
    bench = Bench()
    waiting = asyncio.create_task(bench.registry.get_or_create("a", bench.build))
    await settle()
    closing = asyncio.create_task(bench.registry.close("shutdown"))
    await settle()
    assert not closing.done()
    bench.gate.set()
    await closing
    assert [why for _, why in bench.destroyed] == ["shutdown"]
    assert (await waiting).id == "a"
    assert len(bench.registry) == 0


async def test_close_calls_builds_off_that_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_BUILDS_END_S", 0.01)
    bench = Bench()
    waiting = asyncio.create_task(bench.registry.get_or_create("a", bench.build))
    await settle()
    await asyncio.wait_for(bench.registry.close("the end"), 5)
    with pytest.raises(BusyError, match="about to end"):
        await waiting
    assert not bench.registry.knows("a")


async def test_no_session_begins_once_the_end_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_BUILDS_END_S", 0.01)
    bench = Bench()
    waiting = [asyncio.create_task(bench.registry.get_or_create("a", bench.build)) for _ in "12"]
    await settle()
    bench.registry.begin_closing()
    with pytest.raises(BusyError, match="about to end"):
        await bench.registry.get_or_create("b", bench.build)
    waiting[1].cancel()  # who goes by themselves is not told anything
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [BusyError, asyncio.CancelledError]
    assert bench.builds == 1


async def test_a_session_that_takes_its_time_to_go_delays_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.gate.set()
    first = await bench.registry.get_or_create("a", bench.build)

    async def build_second() -> Session:
        return session("b")

    second = await bench.registry.get_or_create("b", build_second)
    monkeypatch.setattr(Session, "is_due", lambda self, now: True)
    slow = asyncio.Event()

    async def destroy(session: Session, why: str) -> None:
        if session is first:
            await slow.wait()
        await bench.destroy(session, why)

    bench.registry._destroy = destroy
    sweep = asyncio.create_task(bench.registry.expire(0.0))
    await settle()
    assert [one for one, _ in bench.destroyed] == [second]
    assert not bench.registry.knows("a")
    slow.set()
    assert await sweep == 2
