"""What becomes of a session when its tab goes, or its network does."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import figure
from playwright.async_api import BrowserContext

from hyperfocal.telemetry import ConnectionClosed, SessionDestroyed
from tests.browser.conftest import Tab
from tests.support.applications import tiny
from tests.support.proxy import Proxy
from tests.support.serving import running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def living(doc: Document) -> None:
    """A plot of arrays and a count that change by themselves, and a slider with a callback."""
    source = ColumnDataSource(data={"x": np.arange(20.0), "y": np.zeros(20)}, name="source")
    count, echo = Div(text="0", name="count"), Div(text="", name="echo")
    slider = Slider(start=0, end=100, value=0, name="slider")
    slider.on_change("value", lambda attr, old, new: setattr(echo, "text", f"got {new}"))

    def beat() -> None:
        number = int(count.text) + 1
        count.text = str(number)
        source.data = {"x": np.arange(20.0), "y": np.full(20, float(number))}

    doc.add_periodic_callback(beat, 500)
    plot = figure(width=300, height=200)
    plot.line("x", "y", source=source)
    doc.add_root(column(slider, count, echo, plot))


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_a_page_comes_back_with_everything_after_45_seconds_without_a_network(
    tab: Tab,
) -> None:
    async with running({"/a": living}) as server:
        port = int(server.base.rpartition(":")[2])
        async with Proxy.to(port) as proxy:
            await tab.open(f"http://127.0.0.1:{proxy.port}/a")
            await tab.until("return Number(doc.get_model_by_name('count').text) >= 2")
            await tab.js("doc.get_model_by_name('slider').value = 42")
            await tab.until("return doc.get_model_by_name('echo').text == 'got 42'")
            before = int(await tab.js("return doc.get_model_by_name('count').text"))
            assert tab.problems == []

            proxy.cut()
            await asyncio.sleep(45)  # the length of the outage is what is tested
            (session,) = server.context("/a").sessions
            assert session.connection_count == 0
            assert int(await tab.js("return doc.get_model_by_name('count').text")) <= before + 2
            proxy.mend()
            # BokehJS has tried at 0, 2, 6, 14 and 30 seconds; from then on the person has to ask.
            await tab.page.get_by_text("Try", exact=True).click()

            await tab.until("return Number(doc.get_model_by_name('count').text) > arg", before + 80)
            await until(lambda: session.connection_count == 1)
            assert server.context("/a").sessions == [session]
            assert await tab.js("return doc.get_model_by_name('slider').value") == 42
            assert await tab.js("return doc.get_model_by_name('echo').text") == "got 42"
            # The arrays are there, and they go on changing.
            y = "Array.from(doc.get_model_by_name('source').get_column('y'))"
            await tab.until(f"const y = {y}; return y.length == 20 && y[0] > arg", before + 82)
            await tab.js("doc.get_model_by_name('slider').value = 7")
            await tab.until("return doc.get_model_by_name('echo').text == 'got 7'")
            lost = [p for p in tab.problems if "buffer" in p or "uncaught" in p]
            assert lost == []


@pytest.mark.timeout(90)
async def test_a_page_comes_back_by_itself_after_a_short_cut(tab: Tab) -> None:
    async with running({"/a": living}) as server:
        port = int(server.base.rpartition(":")[2])
        async with Proxy.to(port) as proxy:
            await tab.open(f"http://127.0.0.1:{proxy.port}/a")
            await tab.until("return Number(doc.get_model_by_name('count').text) >= 1")
            proxy.cut()
            await until(lambda: proxy.refused >= 1)
            before = int(await tab.js("return doc.get_model_by_name('count').text"))
            proxy.mend()
            await tab.until("return Number(doc.get_model_by_name('count').text) > arg", before + 3)
            y = "Array.from(doc.get_model_by_name('source').get_column('y'))"
            await tab.until(f"const y = {y}; return y.length == 20 && y[0] > arg", before + 4)
            assert len(server.context("/a").sessions) == 1
            (closed, *_) = server.events.of(ConnectionClosed)
            assert closed.code not in (1000, 1001)


async def test_closing_the_tab_expires_the_session(context: BrowserContext) -> None:
    tab = Tab(await context.new_page())
    async with running(
        {"/a": tiny},
        unused_session_lifetime_ms=300,
        check_unused_sessions_ms=50,
    ) as server:
        await tab.open(f"{server.base}/a")
        (session,) = server.context("/a").sessions
        await asyncio.sleep(1)  # longer than the unused lifetime: a client is there
        assert server.context("/a").sessions == [session]
        await tab.page.close()
        await until(lambda: not server.context("/a").sessions)
        assert server.events.of(ConnectionClosed)[0].code in (1000, 1001)
        assert server.events.of(SessionDestroyed)[0].why == "unused"


async def test_an_embedded_application_works_in_a_page_of_another_origin(
    context: BrowserContext,
) -> None:
    from bokeh.embed import server_document

    tab = Tab(await context.new_page())
    async with running({"/a": tiny}, websocket_origins=("localhost:*",)) as server:
        # Another origin, though of this machine: Chromium keeps pages of the web from local ones.
        page = server_document(f"{server.base}/a", arguments={"n": "5"})
        body = f"<!doctype html><link rel=icon href='data:,'><h1>A post</h1>{page}".encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"

        async def blog(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
            writer.close()

        listening = await asyncio.start_server(blog, "127.0.0.1", 0)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            await tab.open(f"http://localhost:{port}/")
        await tab.js("doc.get_model_by_name('slider').value = 3")
        await tab.until("return doc.get_model_by_name('div').text == '3'")
        (session,) = server.context("/a").sessions
        assert session.context.request.arguments == {"n": [b"5"]}
        assert tab.problems == []


async def test_an_application_that_fails_is_said_in_its_page(tab: Tab) -> None:
    def broken(doc: Document) -> None:
        raise RuntimeError("inner details")

    async with running({"/a": broken}) as server:
        await tab.page.goto(f"{server.base}/a")
        assert await tab.page.get_by_role("heading").inner_text() == (
            "This application could not be started"
        )
        assert "inner details" not in await tab.page.content()


async def test_a_callback_that_raises_leaves_the_page_working(tab: Tab) -> None:
    def fragile(doc: Document) -> None:
        slider = Slider(start=0, end=100, value=0, name="slider")
        div = Div(text="", name="div")

        def changed(attr: str, old: int, new: int) -> None:
            if new == 13:
                raise ValueError("unlucky")
            div.text = f"fine {new}"

        slider.on_change("value", changed)
        doc.add_root(column(slider, div))

    async with running({"/a": fragile}) as server:
        await tab.open(f"{server.base}/a")
        await tab.js("doc.get_model_by_name('slider').value = 13")
        await until(lambda: tab.problems)
        assert "ERROR reply" in tab.problems[0]
        assert "Traceback" not in tab.problems[0]
        await tab.js("doc.get_model_by_name('slider').value = 14")
        await tab.until("return doc.get_model_by_name('div').text == 'fine 14'")
