"""Several tabs of one session: a progress bar that all watch, a slider that all move."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div, Slider
from playwright.async_api import BrowserContext

from hyperfocal.publishing.conflicts import QUIET_S
from tests.browser.conftest import Tab
from tests.support.proxy import Proxy
from tests.support.serving import running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

_STEPS = 25
_BAR = (
    "<div style='width:300px;background:#ddd'>"
    "<div style='width:{0}%;background:#2563eb;color:white'>{0}&nbsp;%</div></div>"
)


def working(doc: Document) -> None:
    """A button that starts plain work with a progress bar; a slider has nothing to do with it."""
    start, bar = Button(label="Start", name="start"), Div(text=_BAR.format(0), name="bar")
    slider, echo = Slider(start=0, end=100, value=0, name="slider"), Div(text="", name="echo")
    slider.on_change("value", lambda attr, old, new: setattr(echo, "text", f"got {new}"))

    def work(event: Any) -> None:
        start.disabled = True
        for step in range(1, _STEPS + 1):
            time.sleep(5 / _STEPS)
            bar.text = _BAR.format(100 * step // _STEPS)
        start.disabled = False

    start.on_click(work)
    doc.add_root(column(start, bar, slider, echo))


#: Notes each percentage that the page shows.
_WATCH = (
    "window.seen = []; const bar = doc.get_model_by_name('bar');"
    "bar.properties.text.change.connect(() => "
    "  seen.push(Number(/(\\d+)&nbsp;%/.exec(bar.text)[1])))"
)


async def test_the_bar_moves_while_the_callback_runs_and_a_second_tab_watches(
    context: BrowserContext,
) -> None:
    async with running({"/work": working}) as server:
        one, two, other = [Tab(await context.new_page()) for _ in range(3)]
        url = f"{server.base}/work?bokeh-session-id=shared"
        await one.open(url)
        await two.open(url)
        await other.open(f"{server.base}/work")
        for tab in (one, two):
            await tab.js(_WATCH)
        await one.page.get_by_role("button", name="Start").click()
        for tab in (one, two):
            await tab.until("return seen.length >= 3")
            assert (await tab.js("return seen[seen.length - 1]")) < 90
            assert await tab.page.get_by_role("button", name="Start").is_disabled()
        # Somebody else's session does not feel it.
        await other.js("doc.get_model_by_name('slider').value = 42")
        await other.until("return doc.get_model_by_name('echo').text == 'got 42'")
        assert (await one.js("return seen[seen.length - 1]")) < 90
        for tab in (one, two):
            await tab.until("return seen[seen.length - 1] == 100")
            seen = await tab.js("return seen")
            assert seen == sorted(seen)
            assert len(seen) >= 10
            await tab.until("return !doc.get_model_by_name('start').disabled")
            assert tab.problems == []
        assert len(server.context("/work").sessions) == 2


def fought_over(doc: Document) -> None:
    """A slider that the application moves while people do, from start to stop."""
    slider = Slider(start=0, end=100_000, value=0, name="slider")
    start, stop = Button(label="Start", name="start"), Button(label="Stop", name="stop")
    moving: list[Any] = []

    def move() -> None:
        slider.value = (slider.value * 7 + 13) % 50_000

    start.on_click(lambda event: moving.append(doc.add_periodic_callback(move, 15)))
    stop.on_click(lambda event: doc.remove_periodic_callback(moving.pop()))
    doc.add_root(column(slider, start, stop))


#: Moves the slider every few milliseconds for so long, each tab in a range of its own.
_FIGHT = (
    "const slider = doc.get_model_by_name('slider'); let count = 0;"
    "window.over = new Promise(done => { const timer = setInterval(() => {"
    "  slider.value = arg + (++count); "
    "  if (count == 150) { clearInterval(timer); done() } }, 10) })"
)


async def test_a_tab_whose_change_crossed_the_servers_ends_up_with_what_the_server_holds(
    context: BrowserContext,
) -> None:
    async with running({"/fight": fought_over}) as server:
        port = int(server.base.rpartition(":")[2])
        async with Proxy.to(port) as proxy:
            far, near = Tab(await context.new_page()), Tab(await context.new_page())
            await far.open(f"http://127.0.0.1:{proxy.port}/fight?bokeh-session-id=shared")
            await near.open(f"{server.base}/fight?bokeh-session-id=shared")
            (session,) = server.context("/fight").sessions
            slider: Any = session.document.get_model_by_name("slider")
            proxy.hold()
            await near.js("doc.get_model_by_name('slider').value = 11")
            await until(lambda: slider.value == 11)  # and on its way to the far tab
            await far.js("doc.get_model_by_name('slider').value = 22")
            await until(lambda: slider.value == 22)
            proxy.release()
            for tab in (far, near):
                await tab.until("return doc.get_model_by_name('slider').value == 22")
            await asyncio.sleep(QUIET_S)  # the far tab has had the 11 by now, and more
            for tab in (far, near):
                await tab.until("return doc.get_model_by_name('slider').value == 22")
                assert tab.problems == []
            assert slider.value == 22


async def test_two_tabs_and_a_callback_that_fight_over_a_slider_end_up_equal(
    context: BrowserContext,
) -> None:
    async with running({"/fight": fought_over}) as server:
        tabs = [Tab(await context.new_page()) for _ in range(2)]
        for tab in tabs:
            await tab.open(f"{server.base}/fight?bokeh-session-id=shared")
        await tabs[0].page.get_by_role("button", name="Start").click()
        for number, tab in enumerate(tabs):
            await tab.js(_FIGHT, 60_000 + 20_000 * number)
        await tabs[0].page.get_by_role("button", name="Stop").click(delay=200)
        for tab in tabs:
            await tab.page.evaluate("window.over")
        (session,) = server.context("/fight").sessions
        slider: Any = session.document.get_model_by_name("slider")
        await asyncio.sleep(QUIET_S + 0.5)  # in which nothing moves any more
        held = slider.value
        for tab in tabs:
            await tab.until("return doc.get_model_by_name('slider').value == arg", held)
            assert tab.problems == []
        assert slider.value == held
