"""A page whose session is gone says that it begins anew, and what that means."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from bokeh.embed import server_document
from playwright.async_api import BrowserContext

from hyperfocal.telemetry import BegunAfresh
from tests.browser.conftest import Tab
from tests.cluster.conftest import APP
from tests.support.applications import tiny
from tests.support.proxy import Proxy
from tests.support.serving import running, serving, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NOTICE = "#hyperfocal-afresh"


def named(name: str) -> str:
    return f"doc.get_model_by_name('{name}')"


async def test_the_page_of_an_application_that_crashed(
    context: BrowserContext, tmp_path: Path
) -> None:
    for name in ("app", "other"):
        (tmp_path / f"{name}.py").write_text(APP)
    with serving("--isolate", tmp_path / "app.py", tmp_path / "other.py") as server:
        tab, other = [Tab(await context.new_page()) for _ in range(2)]
        await tab.open(f"{server.base}/app")
        await other.open(f"{server.base}/other")
        pid = await tab.js(f"return {named('pid')}.text")
        other_pid = await other.js(f"return {named('pid')}.text")
        await tab.js(f"{named('order')}.value = 'mine'")
        await tab.until(f"return {named('echo')}.text == '{pid} mine'")
        await tab.js(f"{named('order')}.value = 'crash'")

        # The page comes back by itself, to a fresh session, and says so.
        await tab.page.locator(NOTICE).wait_for()
        assert await tab.page.locator(NOTICE).get_attribute("role") == "alert"
        assert "what you have entered before is gone" in await tab.page.inner_text(NOTICE)
        await tab.until(f"return !['', '{pid}'].includes({named('pid')}.text)")
        assert await tab.js(f"return {named('order')}.value") == ""
        await tab.js(f"{named('order')}.value = 'again'")
        await tab.until(f"return {named('echo')}.text.endsWith(' again')")
        await tab.page.get_by_role("button", name="Close").click()
        await tab.page.locator(NOTICE).wait_for(state="detached")

        # The other application's page has noticed nothing.
        await other.js(f"{named('order')}.value = 'still there'")
        await other.until(f"return {named('echo')}.text == '{other_pid} still there'")
        assert other.problems == []
        assert await other.page.locator(NOTICE).count() == 0


async def test_a_session_that_lives_is_come_back_to_without_a_word_and_one_that_is_gone_is_not(
    tab: Tab,
) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running({"/a": tiny}))
        proxy = await stack.enter_async_context(Proxy.to(int(server.base.rpartition(":")[2])))
        await tab.open(f"http://127.0.0.1:{proxy.port}/a")
        context = server.context("/a")
        (session,) = context.sessions
        for gone in (False, True):
            proxy.cut()
            await until(lambda: not context.sessions[0].connection_count)
            if gone:
                await context.discard(session, "in this test")
            proxy.mend()
            await until(lambda: any(one.connection_count for one in context.sessions))
            await tab.page.get_by_text("Client connect was reestablished").wait_for()
            if not gone:
                await tab.js("return doc.roots().length")
                assert await tab.page.locator(NOTICE).count() == 0
        await tab.page.locator(NOTICE).wait_for()
        assert context.sessions != [session]
        assert len(server.events.of(BegunAfresh)) == 1


async def test_an_application_that_is_embedded_says_so_too(tab: Tab) -> None:
    async with running({"/a": tiny}, websocket_origins=("*",)) as server:
        context = server.context("/a")
        script = server_document(f"{server.base}/a")
        body = f"<!DOCTYPE html><body>{script}</body>".encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\ncontent-type: text/html\r\n\r\n"

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head.encode() + body)
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as elsewhere:
            await tab.open(f"http://127.0.0.1:{elsewhere.sockets[0].getsockname()[1]}/page")
        (session,) = context.sessions
        await context.discard(session, "in this test")
        await tab.page.locator(NOTICE).wait_for()
        assert "what you have entered before is gone" in await tab.page.inner_text(NOTICE)
