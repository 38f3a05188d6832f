"""What applications do in plain callbacks works, again and again, wherever the code runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from hyperfocal.wire import Kind
from tests.support.serving import ROOT, Process, serving, until
from tests.support.visitors import visitor

SERVED = Path(__file__).with_name("served")

#: Often enough for code that is quick to be known for it.
TIMES = 6


@pytest.fixture(scope="module")
def callbacks() -> Generator[Process]:
    with serving(SERVED / "callbacks.py", env={"PYTHONPATH": str(SERVED)}) as server:
        yield server
        assert server.stop(signal.SIGTERM) == 0, server.text


RESULTS = {
    "create_task": "ran",
    "task_of_get_event_loop": "ran",
    "ensure_future": "ran",
    "threadsafe": "ran",
    "threadsafe_result": "given",
    "threadsafe_result_of_current": "given",
    "soon_create_task": "ran",
    "soon": "ran",
    "later": "ran",
    "later_cancelled": "ran",
    "executor": "9",
    "thread_soon_create_task": "ran",
    "thread_result": "given",
    "thread_result_awaited": "['given']",
    "thread_without_loop": "none",
    "asyncio_run_in_thread": "given",
    "own_loop": "given",
    "pool": "[1, 4, 9]",
    "pool_of_processes": "[4, 9]",
    "spawned": "[4, 9]",
    "terminated": "True",
    "interrupted": "True",
    "status_of_process": "7",
    "forked": "7",
    "subprocess_run": "42",
    "subprocess_terminated": "-15",
    "own_server": "200",
    "own_page": "200",
}


#: These wait for the event loop, or are run on it by mistake, and would stop the server for all.
WAIT_FOR_THE_LOOP = {
    "own_server",
    "soon_create_task",
    "thread_result",
    "thread_result_awaited",
    "thread_soon_create_task",
    "threadsafe",
    "threadsafe_result",
    "threadsafe_result_of_current",
}


@pytest.mark.parametrize("name", sorted(RESULTS.keys() - WAIT_FOR_THE_LOOP))
async def test_what_plain_callbacks_do_works_again_and_again(callbacks: Process, name: str) -> None:
    await clicked_again_and_again(callbacks, name)


@pytest.mark.parametrize("name", sorted(WAIT_FOR_THE_LOOP))
async def test_plain_callbacks_may_wait_for_the_loop(name: str) -> None:
    with serving(SERVED / "callbacks.py", env={"PYTHONPATH": str(SERVED)}) as server:
        try:
            await clicked_again_and_again(server, name)
            assert server.stop(signal.SIGTERM) == 0, server.text
        finally:
            server.process.kill()


async def clicked_again_and_again(callbacks: Process, name: str) -> None:
    times = {"spawned": 2, "own_server": 20}.get(name, TIMES)
    async with visitor(callbacks.base, "/callbacks") as person:
        for number in range(1, times + 1):
            reply = await person.click(name)
            assert reply.kind is Kind.OK, (reply.content, callbacks.text)
            shown = await person.text("shown", f"{number}: ")
            assert shown == f"{number}: {RESULTS[name]}", callbacks.text


async def test_what_belongs_to_the_thread_of_a_script_is_usable_in_callbacks() -> None:
    with serving(SERVED / "bound.py") as server:
        async with (
            visitor(server.base, "/bound") as ada,
            visitor(server.base, "/bound") as bob,
        ):
            for number in range(1, 41):
                for person in (ada, bob):
                    assert (await person.click("add")).kind is Kind.OK, server.text
                    await person.text("shown", f"rows {number}, set in the script")
            for person in (ada, bob):
                await person.text("ticked", "rows 40, set in the script")
        assert "Traceback" not in server.text


async def awaited(server: Process) -> None:
    async with (
        visitor(server.base, "/coroutines") as person,
        visitor(server.base, "/coroutines") as other,
    ):
        for _ in range(3):
            await person.click("several")
            await person.text("shown", "plain, first, second")
        await person.click("on_event")
        await person.text("shown", "called on_event")
        await person.set("slider", "value", 5)
        await person.text("shown", "value 0 5 in True")
        await person.text("told", "document heard of 5")
        await person.click("rows")
        await person.text("shown", "rows [4, 5]")
        await person.document_event("document_ready")
        await person.text("ready", "ready")
        reply = await person.click("fails")
        assert reply.kind is Kind.ERROR, server.text
        await person.text("shown", "fails")
        assert "of a coroutine" in server.text
        clicks = asyncio.gather(person.click("begin"), person.click("after"))
        await person.text("order", "begins, ends, after")
        await clicks
        assert person.texts("order")[-1] == "begins, ends, after"
        assert not any(other.texts("shown"))
    assert "never awaited" not in server.text


async def test_coroutine_functions_are_awaited_wherever_callbacks_are_taken() -> None:
    with serving(SERVED / "coroutines.py") as server:
        await awaited(server)


async def test_a_session_that_changes_its_directory_changes_nobody_elses(tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "word.txt").write_text(name)
    path = "/directories?directory="
    with serving(SERVED / "directories.py", cwd=ROOT) as server:
        async with (
            visitor(server.base, f"{path}{tmp_path}/ada") as ada,
            visitor(server.base, f"{path}{tmp_path}/bob") as bob,
        ):
            people = {"ada": ada, "bob": bob}
            for name, person in people.items():
                await person.click("leave")
                await person.text("shown", f"left, {name}")
            for number in range(1, 11):
                for name, person in people.items():
                    assert (await person.click("read")).kind is Kind.OK, server.text
                    await person.text("shown", f"{number}: {name}")
            async with visitor(server.base, f"{path}{tmp_path}/ada") as eve:
                (began,) = eve.texts("began")
                assert began == str(ROOT)
                reply = await eve.click("read")
                assert reply.kind is Kind.ERROR


async def test_nothing_is_imported_on_the_event_loop_while_it_serves() -> None:
    with serving(SERVED / "imports.py") as server:
        async with visitor(server.base, "/imports"):
            pass
        # For this one the head of the page is sent before the rest: the first stream.
        for query in ("watched=1&seconds=0.5", "watched=1"):
            async with visitor(server.base, f"/imports?{query}") as person:
                assert (await person.click("button")).kind is Kind.OK, server.text
                await person.text("shown", "clicked")
    assert "the I/O loop imports" not in server.text


async def test_scripts_that_set_signal_handlers_start_and_are_told_why_nothing_comes_of_it() -> (
    None
):
    with serving(SERVED / "signals.py") as server:
        for _ in range(3):
            async with visitor(server.base, "/signals") as person:
                assert person.texts("shown") == ["began, True"]
                assert (await person.click("button")).kind is Kind.OK, server.text
                await person.text("shown", "clicked")
        assert server.stop(signal.SIGTERM) == 0, server.text
    assert server.text.count("signal.signal(SIGTERM, ") == 2, server.text  # by script and callback
    assert server.text.count("signal.signal(SIGINT, ") == 1
    assert "signals.py, line" in server.text
    assert "Traceback" not in server.text


UNSPEAKABLE = (
    *("silent", "leaves", "endless", "no_text", "huge", "huge_key"),
    *("many", "nested", "chained", "noted"),
)


@pytest.fixture(scope="module")
def unspeakable() -> Generator[Process]:
    with serving(SERVED / "unspeakable.py", SERVED / "bound.py") as server:
        yield server
        assert server.stop(signal.SIGTERM) == 0, server.text[-10_000:]


async def others_notice_nothing(server: Process, log: int) -> None:
    """A session still answers, and the log has grown by some lines at most."""
    async with visitor(server.base, "/unspeakable") as person:
        await person.click("alive")
        await person.text("shown", "alive")
    assert len(server.text) - log < 200_000, server.text[log : log + 5_000]
    assert "a telemetry subscriber failed" not in server.text
    assert "--- Logging error ---" not in server.text


@pytest.mark.parametrize("kind", UNSPEAKABLE)
async def test_an_exception_that_has_no_words_or_too_many_costs_its_session_a_line_in_the_log(
    unspeakable: Process, kind: str
) -> None:
    log = len(unspeakable.text)
    async with visitor(unspeakable.base, "/unspeakable") as person:
        for _ in range(2):
            for send in (
                person.click(f"click {kind}"),
                person.set(f"slide {kind}", "value", 5),
                person.click(f"soon {kind}"),
            ):
                reply = await send
                assert len(str(reply.content)) < 20_000
            await person.click("alive")
            await person.text("shown", "alive")
    # Clicks, changes and ticks are each told once for each time.
    await until(lambda: unspeakable.text.count("raise make()", log) >= 5)
    await others_notice_nothing(unspeakable, log)


@pytest.mark.parametrize("kind", UNSPEAKABLE)
async def test_a_script_that_raises_one_has_a_page_that_says_so(
    unspeakable: Process, kind: str
) -> None:
    log = len(unspeakable.text)
    async with httpx.AsyncClient(timeout=20) as http:
        url = f"{unspeakable.base}/unspeakable?where=building&kind={kind}"
        page = await http.get(url)
    assert page.status_code == 500
    assert len(page.text) < 20_000
    assert "building a document failed" in unspeakable.text[log:]
    await others_notice_nothing(unspeakable, log)


@pytest.mark.parametrize("name", ["dive", "unwritable"])
async def test_deep_tracebacks_and_values_without_words_are_told_within_bounds(
    unspeakable: Process, name: str
) -> None:
    log = len(unspeakable.text)
    async with visitor(unspeakable.base, "/unspeakable") as person:
        await person.click(name)
        await person.click("alive")
        await person.text("shown", "alive")
    await others_notice_nothing(unspeakable, log)
