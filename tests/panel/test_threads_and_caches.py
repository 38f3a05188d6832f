"""Panel's state, holds and caches in threads, with a real server and visitors."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from hyperfocal.wire import Kind
from tests.support.serving import Process, serving, until
from tests.support.visitors import Visitor, visitor

SERVED = Path(__file__).with_name("served")
ENV = {"PYTHONPATH": str(SERVED)}
TIMES = 4

TOLD = {
    "thread": "[True]",
    "thread_of_thread": "[True]",
    "thread_afterwards": "True",
    "shared_executor": "[True, True, True]",
    "to_thread": "True",
    "execute": "executed",
    "execute_scheduled": "executed True",
    "execute_coroutine": "executed True",
    "schedule": "a task ran",
}
CHANGED = {
    "changes": "changed",
    "hold_in_thread": "held",
    "hold_in_thread_afterwards": "held",
    "unlocked_in_thread": "unlocked",
    "unlocked": "unlocked",
    "hold": "held",
    "periodic": "periodic True",
}


#: Not where Panel runs callbacks in its pool of threads: nor does ``panel serve`` know there.
NOT_IN_A_POOL = {"thread", "thread_of_thread", "shared_executor", "schedule"}


@pytest.fixture(scope="module")
def without_pool() -> Generator[Process]:
    with serving(SERVED / "threads.py", env=ENV) as server:
        yield server
        assert server.stop(signal.SIGTERM) == 0, server.text


@pytest.fixture(scope="module")
def with_pool() -> Generator[Process]:
    with serving(SERVED / "threads.py", env={**ENV, "PANEL_NUM_THREADS": "2"}) as server:
        yield server
        assert server.stop(signal.SIGTERM) == 0, server.text


@pytest.fixture(params=["without_pool", "with_pool"])
def threads(request: pytest.FixtureRequest) -> Process:
    server: Process = request.getfixturevalue(request.param)
    return server


@asynccontextmanager
async def opened(server: Process, path: str) -> AsyncGenerator[Visitor]:
    async with visitor(server.base, path) as person:
        await person.document_event("document_ready")
        yield person


async def said(person: Visitor, wanted: str) -> None:
    """Wait until some model has a text that contains this."""

    def came() -> bool:
        return any(
            wanted in str(change["new"])
            for change in person.client.patches()
            if change["kind"] == "ModelChanged" and change["attr"] == "text"
        )

    await until(came)


@pytest.mark.parametrize("name", TOLD)
async def test_the_session_is_known_wherever_its_code_runs(
    without_pool: Process, name: str
) -> None:
    await known(without_pool, name)


@pytest.mark.parametrize("name", sorted(TOLD.keys() - NOT_IN_A_POOL))
async def test_the_session_is_known_in_the_threads_of_panels_pool(
    with_pool: Process, name: str
) -> None:
    await known(with_pool, name)


async def known(threads: Process, name: str) -> None:
    async with opened(threads, "/threads") as ada, opened(threads, "/threads") as bob:
        for number in range(1, TIMES + 1):
            for person in (ada, bob):
                assert (await person.click(name)).kind is Kind.OK, threads.text
            for person in (ada, bob):
                text = await person.text("told", f"{number}: ")
                assert text == f"{number}: {TOLD[name]}", threads.text


@pytest.mark.parametrize("name", CHANGED)
async def test_changes_reach_the_browser_whatever_thread_makes_them(
    threads: Process, name: str
) -> None:
    async with opened(threads, "/threads") as ada, opened(threads, "/threads") as bob:
        for number in range(1, TIMES + 1):
            for person in (ada, bob):
                assert (await person.click(name)).kind is Kind.OK, threads.text
            for person in (ada, bob):
                await said(person, f"{CHANGED[name]} {number}")


async def test_generators_go_on_to_their_end_and_onload_callbacks_run(threads: Process) -> None:
    async with opened(threads, "/threads") as person:
        for wanted in ("an async generator has ended True", "a generator has ended True"):
            await said(person, wanted)
        for wanted in ("plain True", "async True", "thread True"):
            await person.text("loaded", wanted)


@asynccontextmanager
async def three() -> AsyncGenerator[tuple[Process, list[Visitor]]]:
    """A server and three visitors, with a fourth who opens the gate."""
    with serving(SERVED / "caches.py", env=ENV) as server:
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(opened(server, "/caches")) for _ in range(4)]
            yield server, people
        assert server.stop(signal.SIGTERM) == 0, server.text


async def all_at_once(people: list[Visitor], name: str) -> str:
    """Three click at the same moment, and the gate is opened; gives what was said of it."""
    clicks = [asyncio.ensure_future(person.click(name)) for person in people[:3]]
    await asyncio.wait(clicks, timeout=1)
    await people[3].click("open_gate")
    said = await people[3].text("told", "opened for")
    await asyncio.gather(*clicks)
    return said


async def test_what_three_ask_for_at_once_is_computed_once() -> None:
    async with three() as (server, people):
        await all_at_once(people, "ask")
        texts = [await person.text("told", "asked") for person in people[:3]]
        assert len(set(texts)) == 1, (texts, server.text)
        assert sorted(int(word) for word in texts[0].split() if word.isdigit()) == [1, 2, 3]


async def test_those_who_wait_are_counted_once() -> None:
    async with three() as (server, people):
        said = await all_at_once(people, "ask_once")
        assert said == "opened for 1", server.text
        assert {await person.text("told", "once") for person in people[:3]} == {"once once 1"}


async def test_the_failure_of_the_first_is_nobody_elses() -> None:
    async with three() as (server, people):
        await all_at_once(people, "ask_one_that_fails")
        texts = sorted([await person.text("told", "got") for person in people[:3]])
        assert texts == ["got the first fails", "got value done", "got value done"], server.text


async def test_caches_of_a_session_are_its_own() -> None:
    async with three() as (server, people):
        for person in people:
            assert (await person.click("ask_own")).kind is Kind.OK
        texts = [await person.text("told", "own") for person in people]
        assert texts == [f"own own {number} True" for number in (1, 2, 3, 4)], server.text
