"""The index page in a real browser: filter, keyboard, what is said, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from hyperfocal.application import load_all
from tests.browser.conftest import Tab
from tests.support.serving import running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NAMES = ("sliders", "selection", "streaming", "table", "clock", "board", "image", "events")
SCRIPT = "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div())\n"
SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 9'><rect width='16' height='9'/></svg>"
)


@pytest.fixture
def scripts(tmp_path: Path) -> list[str]:
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / "table.svg").write_text(SVG)
    paths = [tmp_path / f"{name}.py" for name in NAMES]
    for path in paths:
        path.write_text(f'"""The {path.stem}.\n\nAn <em>example</em> with data."""\n{SCRIPT}')
    return [str(path) for path in paths]


async def test_many_applications_are_filtered_and_opened_by_the_keyboard(
    tab: Tab, scripts: list[str]
) -> None:
    async with running({**load_all(scripts)}) as server:
        page = tab.page
        await page.goto(f"{server.base}/")
        cards = page.get_by_role("link")
        assert await cards.count() == len(NAMES)
        assert await page.get_by_role("heading", level=2).count() == len(NAMES)
        await tab.until("return [...document.images].every(image => image.naturalWidth > 0)")

        await page.keyboard.press("/")
        box = page.get_by_role("searchbox", name="Filter")
        assert await box.evaluate("box => box === document.activeElement && box.value") == ""
        await page.keyboard.type("EXAMPLE s")
        assert await page.get_by_role("status").text_content() == "4 of 8 applications"
        names = await page.locator("h2:visible").all_text_contents()
        assert names == ["The sliders", "The selection", "The streaming", "The events"]
        await box.fill("nothing of the kind")
        assert await page.get_by_text("No application matches.").is_visible()
        assert await page.get_by_role("status").text_content() == "0 of 8 applications"
        await page.keyboard.press("Escape")
        assert await page.locator("h2:visible").count() == len(NAMES)
        await box.fill("table")
        await page.keyboard.press("ArrowDown")
        assert await page.evaluate("document.activeElement.pathname") == "/table"
        await box.fill("select")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{server.base}/selection")
        await tab.until("return doc?.is_idle")
        assert tab.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_legible_in_both_schemes_and_fits_small_screens(
    context: BrowserContext, scripts: list[str], scheme: str
) -> None:
    async with running({**load_all(scripts)}) as server:
        tab = Tab(await context.new_page())
        await tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await tab.page.set_viewport_size({"width": 360, "height": 640})
        await tab.page.goto(f"{server.base}/")
        ratios = await tab.page.evaluate(CONTRASTS)
        assert len(ratios) > 4
        assert min(ratios) >= 4.5, ratios
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await tab.page.evaluate(wide)
        assert tab.problems == []


#: The contrast (WCAG 2) of each text with what is behind it.
CONTRASTS = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("h1, h2, p, label")].map(node => {
    const [a, b] = [parse(getComputedStyle(node).color), behind(node)].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
}"""
