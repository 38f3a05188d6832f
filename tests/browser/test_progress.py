"""A plain callback of five seconds: its progress bar moves while it runs, in every tab."""

from __future__ import annotations

import time
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div, Slider
from playwright.async_api import BrowserContext

from tests.browser.conftest import Tab
from tests.support.serving import running

pytestmark = pytest.mark.browser

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
