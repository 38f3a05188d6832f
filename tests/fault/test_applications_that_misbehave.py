"""What one application does is not felt by the others, nor by its own other sessions."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div, Slider

from hyperfocal.telemetry import BuildFailed, ConnectionRefused, LoopBlocked, TurnLong
from hyperfocal.testing import WireClient, page_token
from hyperfocal.wire import Kind
from tests.support.applications import tiny
from tests.support.serving import Process, running, serving, until

EXITS = """
import asyncio, sys
from bokeh.io import curdoc
from bokeh.models import Div
async def leave(): {how}
asyncio.get_running_loop().create_task(leave())
curdoc().add_root(Div(text="still here"))
"""


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("sys.exit(3)", "asked the process to end (SystemExit(3))"),
        ("raise KeyboardInterrupt", "asked the process to end (KeyboardInterrupt())"),
        ("asyncio.get_running_loop().stop()", "stopped the event loop"),
    ],
)
def test_a_task_of_an_application_that_exits_is_not_the_end_of_the_server(
    tmp_path: Path, how: str, said: str
) -> None:
    script = tmp_path / "exits.py"
    script.write_text(EXITS.format(how=how))
    with serving(script) as server:
        for _ in range(3):
            assert httpx.get(f"{server.base}/exits").status_code == 200
        assert server.stop(signal.SIGTERM) == 0
    assert server.text.count(said) == 3
    assert server.text.endswith("Stopped\n")


STUCK = """
import time
from bokeh.io import curdoc
def stuck():
    print("stuck", flush=True)
    while True: time.sleep(0.01)
curdoc().add_timeout_callback(stuck, 500)
"""


def said(server: Process, what: str) -> None:
    deadline = time.monotonic() + 20
    while what not in server.text:
        assert server.process.poll() is None
        assert time.monotonic() < deadline, server.text
        time.sleep(0.01)


def test_a_thread_that_is_stuck_does_not_keep_a_signal_from_ending_the_server(
    tmp_path: Path,
) -> None:
    script = tmp_path / "stuck.py"
    script.write_text(STUCK)
    with serving(script) as server:
        httpx.get(f"{server.base}/stuck")
        said(server, "stuck\n")
        assert httpx.get(f"{server.base}/health", timeout=5).status_code == 200
        assert server.stop(signal.SIGTERM, timeout=30) == 0


HANGS = """
import time
while True: time.sleep(0.01)
"""


async def test_pages_of_builds_that_hang_are_answered_when_the_server_ends(tmp_path: Path) -> None:
    script = tmp_path / "hangs.py"
    script.write_text(HANGS)
    with serving(script) as server:
        async with httpx.AsyncClient(timeout=30) as client:
            pages = [asyncio.create_task(client.get(f"{server.base}/hangs")) for _ in range(4)]
            while (await client.get(f"{server.base}/health")).json()["threads"]["running"] < 4:
                await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*pages)
        assert [answer.status_code for answer in answers] == [503] * 4
        assert {answer.headers["retry-after"] for answer in answers} == {"5"}
        assert server.process.wait(30) == 0
    assert "did not end within" not in server.text


class Gate:
    """Code that stays where it is until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.leave.wait(20)


def with_slider(gate: Gate) -> Callable[[Document], None]:
    """An application whose slider's callback stays in the gate while it is moved to 2."""

    def modify(doc: Document) -> None:
        slider, div = Slider(start=0, end=9, value=0, name="slider"), Div(text="0", name="div")

        def moved(attr: str, old: Any, new: Any) -> None:
            if new == 2:
                div.text = "waiting"
                gate()
            div.text = str(new)

        slider.on_change("value", moved)
        doc.add_root(slider)
        doc.add_root(div)

    return modify


def slider_of(doc: Any) -> str:
    (slider,) = (root["id"] for root in doc["roots"] if root["name"] == "Slider")
    return str(slider)


def news(client: WireClient) -> list[Any]:
    return [event["new"] for event in client.patches()]


async def test_a_callback_that_waits_is_felt_by_nobody_else_and_shows_its_progress() -> None:
    gate = Gate()
    async with (
        running(with_slider(gate)) as server,
        server.client() as slow,
        server.client() as quick,
    ):
        mine, others = slider_of(await slow.pull()), slider_of(await quick.pull())
        moving = asyncio.create_task(slow.set(mine, "value", 2))
        await asyncio.to_thread(gate.entered.wait, 20)
        for value in (3, 4, 5):
            assert (await quick.set(others, "value", value)).kind is Kind.OK
        assert news(quick) == ["3", "4", "5"]
        await until(lambda: news(slow) == ["waiting"])
        assert not moving.done()
        gate.leave.set()
        assert (await moving).kind is Kind.OK
        assert news(slow) == ["waiting", "2"]


async def test_a_document_that_takes_its_time_delays_no_other_page() -> None:
    gate = Gate()

    def slow(doc: Document) -> None:
        gate()
        tiny(doc)

    async with running({"/slow": slow, "/tiny": tiny}) as server:
        page = asyncio.create_task(server.page("/slow", timeout=30))
        await asyncio.to_thread(gate.entered.wait, 20)
        async with server.client("/tiny") as client:
            await client.pull()
        assert not page.done()
        gate.leave.set()
        assert (await page).status_code == 200


async def test_a_document_that_takes_too_long_gives_an_error_and_leaves_no_session() -> None:
    gate = Gate()

    def slow(doc: Document) -> None:
        gate()
        tiny(doc)

    async with running(slow, build_timeout_ms=50) as server:
        response = await server.page(timeout=20)
        assert response.status_code == 500
        (failed,) = server.events.of(BuildFailed)
        assert "longer than 0.05 s (--build-timeout)" in str(failed.error)
        assert server.context().sessions == []
        gate.leave.set()


async def test_visitors_beyond_the_queue_are_asked_to_come_back() -> None:
    gate = Gate()

    def slow(doc: Document) -> None:
        gate()

    async with running(slow, build_threads=1, build_queue=1) as server:
        pages = [asyncio.create_task(server.page(timeout=30)) for _ in range(2)]
        await asyncio.to_thread(gate.entered.wait, 20)
        await until(lambda: server.site.builds.waiting == 1)
        page = await server.page()
        assert page.status_code == 503
        assert int(page.headers["retry-after"]) > 0
        assert "come back" in page.text
        script = await server.page("/autoload.js?bokeh-autoload-element=here")
        assert (script.status_code, "Retry-After" in script.headers) == (503, True)
        assert "busy" in script.text
        token = server.site.visits.tokens.issue("new", {}, {})
        with pytest.raises(Exception, match="503"):
            async with WireClient.connect(f"{server.ws}/ws", token):
                """Not reached."""
        assert len(server.events.of(ConnectionRefused)) == 3
        gate.leave.set()
        assert [(await one).status_code for one in pages] == [200, 200]
        assert (await server.page()).status_code == 200
        assert page_token((await server.page()).text)


async def test_code_that_blocks_the_event_loop_is_named_with_its_stack() -> None:
    blocked = threading.Event()

    def modify(doc: Document) -> None:
        div = Div(text="")
        doc.add_root(div)

        async def blocks() -> None:
            assert blocked.wait(20)  # as a careless person might
            div.text = "done"

        callback: Any = blocks
        doc.add_next_tick_callback(callback)

    async with running(modify, warn_blocked_ms=50) as server:
        release = threading.Timer(20, blocked.set)

        def told(event: Any) -> None:
            if isinstance(event, LoopBlocked):
                blocked.set()

        server.site.telemetry.subscribe(told)
        await server.page()
        await until(lambda: server.events.of(LoopBlocked))
        release.cancel()
        (event,) = server.events.of(LoopBlocked)[:1]
        assert "blocks" in event.callback
        assert "test_applications_that_misbehave.py:" in event.callback
        assert not event.is_io
        assert "as a careless person might" in event.stack


async def test_a_callback_that_holds_its_document_for_long_is_named() -> None:
    gate = Gate()
    async with (
        running(with_slider(gate), warn_long_turn_ms=20) as server,
        server.client() as client,
    ):
        slider = slider_of(await client.pull())
        moving = asyncio.create_task(client.set(slider, "value", 2))
        await until(lambda: server.events.of(TurnLong))
        (told,) = server.events.of(TurnLong)
        assert "test_applications_that_misbehave.py:" in told.callback
        assert told.stack
        gate.leave.set()
        assert (await moving).kind is Kind.OK
