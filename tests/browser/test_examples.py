"""Every example renders, and does what it is there for."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from playwright.async_api import BrowserContext

from tests.browser.conftest import Tab
from tests.support.serving import EXAMPLE_PATHS as PATHS
from tests.support.serving import Process, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def server() -> Generator[Process]:
    with serving(*PATHS) as process:
        yield process


async def test_there_are_at_least_eight_examples() -> None:
    assert len(PATHS) >= 8


@pytest.mark.parametrize("name", [path.stem for path in PATHS])
async def test_an_example_renders_without_a_word_on_the_console(
    server: Process, tab: Tab, name: str
) -> None:
    before = len(server.log)
    await tab.open(f"{server.base}/{name}")
    drawn = await tab.page.locator("canvas, .bk-Slider, .bk-input, .bk-btn").count()
    assert drawn > 0
    await tab.js("await_ = doc.roots(); return await_.length")
    assert tab.problems == []
    complaints = [line for line in server.log[before:] if " INFO " not in line]
    assert complaints == []
    await tab.page.set_viewport_size({"width": 390, "height": 844})  # a phone's
    await tab.page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


async def test_the_index_lists_them_all_and_filters(server: Process, tab: Tab) -> None:
    await tab.page.goto(f"{server.base}/")
    assert await tab.page.locator("a.app").count() == len(PATHS)
    await tab.page.get_by_role("searchbox").fill("wave")
    shown = await tab.page.locator("li:visible").count()
    assert 0 < shown < len(PATHS)
    await tab.page.locator("li:visible a.app").first.click()
    await tab.until("return doc !== undefined")
    assert tab.problems == []


async def test_dragging_a_slider_changes_what_the_plot_shows(server: Process, tab: Tab) -> None:
    await tab.open(f"{server.base}/sliders")
    read = (
        "const s = doc.get_model_by_name('wave'); return Array.from(s.data.y ?? s.get_column('y'))"
    )
    before = await tab.js(read)
    handle = tab.page.locator(".noUi-handle").first
    box = await handle.bounding_box()
    assert box is not None
    await tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await tab.page.mouse.down()
    await tab.page.mouse.move(box["x"] + 90, box["y"] + box["height"] / 2, steps=8)
    await tab.page.mouse.up()
    await tab.until(
        "const s = doc.get_model_by_name('wave'); const y = s.get_column('y'); "
        "return Array.from(y).some((v, i) => Math.abs(v - arg[i]) > 1e-6)",
        before,
    )
    assert tab.problems == []


async def test_streaming_moves(server: Process, tab: Tab) -> None:
    await tab.open(f"{server.base}/streaming")
    source = "doc.all_models ?? doc._all_models"
    find = (
        f"const s = [...({source}).values()].find(m => m.type == 'ColumnDataSource'); "
        "return Math.max(...s.columns().map(c => s.get_column(c).length))"
    )
    last = (
        f"const s = [...({source}).values()].find(m => m.type == 'ColumnDataSource'); "
        "return JSON.stringify(s.columns().map(c => Array.from(s.get_column(c)).at(-1)))"
    )
    assert await tab.js(find) > 0
    before = await tab.js(last)
    await tab.until(last.replace("return ", "return arg != ", 1), before)
    assert tab.problems == []


async def test_two_tabs_on_one_session_stay_in_step(
    server: Process, context: BrowserContext
) -> None:
    first, second = Tab(await context.new_page()), Tab(await context.new_page())
    url = f"{server.base}/sliders?bokeh-session-id=shared-by-two-tabs"
    await first.open(url)
    await second.open(url)
    await first.js("doc.get_model_by_name('amplitude').value = 3.5")
    await second.until("return doc.get_model_by_name('amplitude').value == 3.5")
    await second.js("doc.get_model_by_name('offset').value = -2")
    await first.until("return doc.get_model_by_name('offset').value == -2")
    same = "return JSON.stringify(Array.from(doc.get_model_by_name('wave').get_column('y')))"
    await second.until(same.replace("return ", "return arg == ", 1), await first.js(same))
    assert first.problems == second.problems == []
