"""Panel applications, unmodified: everything is served from here, and nothing complains."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from bokeh.embed import server_document
from playwright.async_api import Browser, BrowserContext, Route, async_playwright, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout
from tornado.web import create_signed_value

from tests.browser.conftest import ARGUMENTS, Tab, chromium
from tests.support.proxy import Proxy
from tests.support.serving import Process, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HERE = Path(__file__).parent / "panel_apps"
#: What the applications import.
MODULES = {"panel_tasks", "parts"}
POOL = HERE / "pool.py"
APPLICATIONS = sorted(path for path in HERE.glob("*.py") if path.stem not in MODULES | {"pool"})
#: Panel's own copies. It is not imported here, because that would change the pages of other tests.
BUNDLED = Path(str(find_spec("panel").origin)).parent / "dist" / "bundled"  # type: ignore[union-attr]
MATERIAL = "material-components-web@7.0.0"
SECRET = "a secret of Panel's own"
AFRESH = "#hyperfocal-afresh"

expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def server() -> Generator[Process]:
    environment = {"PANEL_COOKIE_SECRET": SECRET}
    with serving(
        "--allow-websocket-origin", "localhost:*", *APPLICATIONS, env=environment
    ) as process:
        yield process
        # Sessions end here at the latest, with their hooks.
        assert process.stop() == 0
        assert complaints(process) == []


@pytest.fixture
def pool() -> Generator[Process]:
    """A server of its own: Panel has its threads for all applications of a process."""
    with serving(POOL) as process:
        yield process
        assert process.stop() == 0
        assert complaints(process) == []


def port_of(process: Process) -> int:
    return int(process.base.rpartition(":")[2])


@asynccontextmanager
async def blog(script: str) -> AsyncGenerator[str]:
    """A site of somebody else's, whose pages all show this."""
    body = f"<!doctype html><link rel=icon href='data:,'><h1>A post</h1>{script}".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        yield f"http://localhost:{listening.sockets[0].getsockname()[1]}"


def complaints(process: Process) -> list[str]:
    return [line for line in process.log if "ERROR" in line or "Traceback" in line]


class PanelTab(Tab):
    """A tab, and what one sees in it: locators look into shadow roots."""

    base = ""

    async def show(self, name: str, query: str = "") -> None:
        await self.open(f"{self.base}/{name}{query}")

    async def sees(self, text: str | re.Pattern[str]) -> None:
        """Wait until this is to be read somewhere."""
        await expect(self.page.get_by_text(text, exact=isinstance(text, str)).first).to_be_visible()

    async def click(self, name: str) -> None:
        """Click the button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def number(self, word: str) -> int:
        """The number that is to be read after a word."""
        text = await self.page.get_by_text(re.compile(rf"^{word} \d+$")).first.text_content()
        assert text is not None
        return int(text.split()[-1])

    async def move(self, handle: int = 0) -> None:
        """Move a slider by one step."""
        await self.page.locator(".noUi-handle").nth(handle).press("ArrowRight")

    async def styled(self, selector: str, **styles: str) -> None:
        """Wait until the first such element is styled like this."""
        for name, value in styles.items():
            css = name.replace("_", "-")
            await expect(self.page.locator(selector).first).to_have_css(css, value)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncGenerator[Browser]:
    """One for all tests here; each has a profile of its own in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncGenerator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 1200, "height": 900})
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def panel(context: BrowserContext, server: Process) -> AsyncGenerator[PanelTab]:
    """A tab that ends without a complaint.

    Some templates ask for fonts and for a style sheet of other servers, whoever serves them.
    """

    async def no_fonts(route: Route) -> None:
        await route.fulfill(content_type="text/css", body="")

    async def from_disk(route: Route) -> None:
        await route.fulfill(path=BUNDLED / route.request.url.partition("/npm/")[2])

    await context.route("https://fonts.googleapis.com/**", no_fonts)
    await context.route(f"https://cdn.jsdelivr.net/npm/{MATERIAL}/**", from_disk)
    tab = PanelTab(await context.new_page())
    tab.base = server.base
    yield tab
    assert tab.problems == []


async def test_there_are_at_least_twelve_applications() -> None:
    assert len(APPLICATIONS) >= 12


async def test_widgets_bound_functions_and_buttons(panel: PanelTab) -> None:
    await panel.show("basics")
    assert await panel.page.title() == "The basics"
    await panel.sees("la la la")
    await panel.move()
    await panel.sees("la la la la")
    await panel.page.locator("input[type=text]").fill("do")
    await panel.page.locator("input[type=text]").press("Enter")
    await panel.sees("do do do do")
    await panel.click("Count")
    await panel.sees("clicked 1 times")
    await expect(panel.page.locator(".katex-html .mfrac")).to_have_count(1)


async def test_the_location_follows_a_widget_and_leads_it(panel: PanelTab) -> None:
    await panel.show("place", "?level=7")
    await panel.sees(re.compile(r"at first: /place \?level=7 localhost"))
    await panel.sees("level 7")
    await panel.move()
    await panel.sees("level 8")
    await panel.page.wait_for_url("**/place?level=8")
    await panel.page.evaluate("location.hash = 'there'")
    await panel.sees("hash #there")


async def test_onload_callbacks_and_deferred_content(panel: PanelTab) -> None:
    await panel.show("loading")
    await panel.sees(re.compile(r"plain: loaded, \w+, True"))
    await panel.sees("async: loaded")
    await panel.sees("deferred: loaded")


async def test_periodic_callbacks_tick_and_stop(panel: PanelTab) -> None:
    await panel.show("periodic")
    await panel.sees(re.compile(r"^plain ([5-9]|\d\d+)$"))
    await panel.sees(re.compile(r"^async ([5-9]|\d\d+)$"))
    await panel.sees("limited 3")
    await panel.click("Running")
    await panel.sees("running False")
    plain, later = await panel.number("plain"), await panel.number("async")
    await panel.sees(re.compile("|".join(rf"^async {later + more}$" for more in range(10, 99))))
    assert await panel.number("plain") <= plain + 2  # which were on their way
    assert await panel.number("limited") == 3


async def test_execute_threads_and_scheduled_tasks(panel: PanelTab) -> None:
    await panel.show("tasks")
    await panel.click("Go")
    for text in ("execute: done", "execute async: done", "thread: done"):
        await panel.sees(text)
    await panel.sees(re.compile(r"task: ([3-9]|\d\d+) runs"))


async def test_what_is_known_of_a_visitor_and_what_all_share(
    panel: PanelTab, server: Process
) -> None:
    user = create_signed_value(SECRET, "user", "ada").decode()
    cookies: Any = [
        {"name": "flavour", "value": "vanilla", "url": server.base},
        {"name": "user", "value": user, "url": server.base},
    ]
    await panel.page.context.add_cookies(cookies)
    await panel.page.set_extra_http_headers({"X-Colour": "blue"})
    await panel.show("visitor", "?name=ada&theme=dark")
    for text in ("argument: ada", "cookie: vanilla", "header: blue", "user: ada", "theme: dark"):
        await panel.sees(text)
    await panel.sees("session: True")
    await panel.sees("base: / '' /visitor")
    visit = await panel.number("visit:")
    await panel.show("visitor")
    await panel.sees("argument: nobody")
    await panel.sees(f"visit: {visit + 1}")


async def test_a_table_is_edited_patched_and_streamed_to(panel: PanelTab) -> None:
    await panel.show("table")
    cell = panel.page.locator(".tabulator-cell[tabulator-field=price]")
    await cell.first.click()
    await panel.sees("clicked: price 0")
    editor = panel.page.locator(".tabulator-cell input")
    while True:  # what is said of the click moves the table, which closes the editor
        try:
            await editor.fill("5", timeout=1000)
            await editor.press("Enter", timeout=1000)
            break
        except PlaywrightTimeout:
            await cell.first.click()
    await panel.sees("edited: price 0 1 5 10")
    await panel.click("Raise prices")
    await expect(cell).to_have_text(["15", "12", "13"])
    await panel.click("Add a fruit")
    await expect(cell).to_have_text(["15", "12", "13", "7"])
    await panel.page.locator(".tabulator-cell[tabulator-field=fruit]").nth(1).click()
    await panel.sees("selected: [1]")


async def test_files_come_in_and_go_out(panel: PanelTab) -> None:
    await panel.show("upload")
    page = panel.page
    text: Any = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x" * 12}
    await page.locator("input[type=file][accept='.txt']").set_input_files(text)
    await panel.sees("input: a.txt 12 bytes")
    data: Any = {"name": "b.bin", "mimeType": "application/octet-stream", "buffer": b"x" * 2500}
    await page.locator("input.filepond--browser").set_input_files(data)
    await panel.sees("dropper: b.bin 2500 bytes")
    async with page.expect_download() as download:
        await page.get_by_text("Download table.csv").click()
    path = await (await download.value).path()
    assert path.read_text() == "a,b\n1,2\n"


async def test_plotly_and_vega_tell_what_is_selected(panel: PanelTab) -> None:
    await panel.show("charts")
    page = panel.page
    await page.locator(".plotly .bars .point").nth(1).hover(force=True)
    box = await page.locator(".plotly .bars .point").nth(1).bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await panel.sees("plotly: b")
    await page.locator(".mark-symbol path").nth(1).click()
    await panel.sees("vega: [{'x': 2}]")
    await panel.click("More")
    await expect(page.locator(".mark-symbol path")).to_have_count(3 + 4)


async def test_async_callbacks_change_the_document_as_they_go(panel: PanelTab) -> None:
    await panel.show("asynchronous")
    await panel.sees("double: 2")
    await panel.sees("counted: 1")
    await panel.click("Start")
    await panel.sees("row 4")
    await panel.sees("done: yes")
    await panel.page.locator("input").fill("7")
    await panel.page.locator("input").press("Enter")
    await panel.sees("double: 14")
    await panel.sees("counted: 7")


async def test_callbacks_in_threads_of_panels(panel: PanelTab, pool: Process) -> None:
    panel.base = pool.base
    await panel.show("pool")
    await panel.click("First")
    await panel.sees("first: waiting")
    await panel.click("Second")
    await panel.sees("first: done in ThreadPoolExecutor-0")
    await panel.sees("second: done in ThreadPoolExecutor-0")


async def test_a_fast_template(panel: PanelTab) -> None:
    await panel.show("fast")
    assert await panel.page.title() == "A fast list"
    await panel.styled("#header-design-provider", background_color="rgb(160, 19, 70)")
    await panel.sees("size 4")
    await panel.move()
    await panel.sees("size 5")
    await expect(panel.page.get_by_text("the details")).to_be_hidden()
    await panel.click("Details")
    await expect(panel.page.get_by_text("the details")).to_be_visible()
    await panel.page.locator("#pn-closeModal").click()
    await panel.click("Notify")
    await panel.sees("well done")


async def test_a_material_template(panel: PanelTab) -> None:
    await panel.show("material")
    await panel.styled("#header", background_color="rgb(0, 114, 181)")
    await panel.styled(".mdc-top-app-bar", display="flex")
    await panel.move()
    await panel.sees("size 4.1")


async def test_a_bootstrap_template_by_name(panel: PanelTab) -> None:
    await panel.show("bootstrap")
    await panel.styled("body", background_color="rgb(33, 37, 41)")
    await panel.styled("#sidebar", display="block")
    await panel.move()
    await panel.sees("size 5")


async def test_custom_components_with_code_in_scripts_and_files(panel: PanelTab) -> None:
    await panel.show("component")
    await panel.page.locator("button.inline").click()
    await panel.sees("inline 1")
    await panel.sees("python: 1 clicked 0 0")
    await expect(panel.page.locator("[data-said=thanks]")).to_have_count(1)
    await panel.page.locator("button.from-file").click()
    await panel.styled("button.from-file", color="rgb(1, 2, 3)")
    await panel.page.get_by_role("button", name="html").click()
    await panel.sees("python: 1 clicked 1 1")
    await panel.click("Reset")
    await panel.sees("inline 0")
    await panel.sees("file 0")


async def test_files_of_components_with_a_process_for_each_application(panel: PanelTab) -> None:
    """The process that accepts connections has not loaded the component."""
    with serving("--isolate", HERE / "component.py") as process:
        panel.base = process.base
        await panel.show("component")
        await panel.page.locator("button.from-file").click()
        await panel.styled("button.from-file", color="rgb(1, 2, 3)")
        await panel.sees("python: 0 nothing 1 0")
        assert process.stop() == 0
        assert complaints(process) == []


async def test_a_component_of_anywidgets(panel: PanelTab) -> None:
    await panel.show("anywidget")
    await panel.page.locator("button.anywidget").click()
    await panel.sees("anywidget 1")
    await panel.sees("python: 1")


async def test_react_components_with_a_bundle(panel: PanelTab) -> None:
    await panel.show("react")
    await panel.click("Count")
    await panel.sees("clicked 1 la")
    await panel.page.locator("input[type=text]").fill("do")
    await panel.page.locator("input[type=text]").press("Enter")
    await panel.sees("clicked 1 do")


async def test_streams_of_holoviews_reach_python(panel: PanelTab) -> None:
    await panel.show("streams")
    figures = panel.page.locator(".bk-Figure")
    await expect(figures).to_have_count(4)
    box = await figures.first.bounding_box()
    assert box is not None
    await panel.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await panel.sees(re.compile(r"^tap: \d"))
    await panel.sees("ranges: -0.17 2.17")
    await panel.page.mouse.down()
    await panel.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=5)
    await panel.page.mouse.up()
    await panel.sees(re.compile(r"^ranges: [0-9]\.\d\d [2-9]\.\d\d$"))
    curves = (
        "const sources = [...doc._all_models.values()].filter(m => m.type == 'ColumnDataSource');"
        "return sources.some(source => {const d = source.data; %s})"
    )
    await panel.move()
    await panel.until(curves % "return d.x?.length == 50 && Math.abs(d.y[0] - Math.sin(.1)) < .02")
    await panel.click("Send")
    await panel.until(curves % "return d.y?.length == 4 && d.y[0] == 3")


async def test_one_slow_callback_is_shown_and_stops_nobody_else(
    panel: PanelTab, context: BrowserContext, server: Process
) -> None:
    await panel.show("busy")
    await panel.click("Slow")
    await panel.sees("result: under way")
    await expect(panel.page.locator(".pn-loading")).to_have_count(1)
    other = PanelTab(await context.new_page())
    other.base = server.base
    await other.show("release")
    await other.click("Release")
    await panel.sees("result: there")
    await expect(panel.page.locator(".pn-loading")).to_have_count(0)
    assert other.problems == []


async def test_what_is_held_leaves_as_one(panel: PanelTab) -> None:
    messages: list[str] = []

    def note(frame: str | bytes) -> None:
        if isinstance(frame, str) and '"ModelChanged"' in frame and '"value"' in frame:
            messages.append(frame)

    panel.page.on("websocket", lambda socket: socket.on("framereceived", note))
    await panel.show("busy")
    messages.clear()
    await panel.click("Swap")
    await panel.sees("left 12 right 11")
    values = [re.findall(r'"attr":"value","new":(\d+)', message) for message in messages]
    assert [one for one in values if one] == [["12", "11"]]


async def test_a_page_comes_back_to_its_session_and_to_another_server(panel: PanelTab) -> None:
    """With ``reconnect=True``. The other server has the same secret, and has made no page yet."""
    page, toast = panel.page, panel.page.locator(".notyf__reconnect")
    secret = {"BOKEH_SECRET_KEY": "of both servers"}
    application = ("--allow-websocket-origin", "localhost:*", HERE / "reconnect.py")
    with serving(*application, env=secret) as first, serving(*application, env=secret) as second:
        async with Proxy.to(port_of(first)) as proxy:
            panel.base = f"http://localhost:{proxy.port}"
            await panel.show("reconnect")
            await panel.click("Add")
            await panel.sees("1 times la")

            proxy.cut()
            await panel.sees(re.compile("^Server connection lost. Attempting to reconnect in"))
            proxy.mend()
            await panel.sees("Connection with server was re-established.")
            await panel.click("Add")
            await panel.sees("2 times la")
            assert await page.locator(AFRESH).count() == 0

            await expect(toast).to_have_count(0)
            proxy.cut()
            proxy.mend(port_of(second))
            await panel.sees(re.compile("This page begins anew"))
            await panel.sees("0 times la")
            await panel.click("Add")
            await panel.sees("1 times la")
            await panel.styled(".bk-btn", cursor="pointer")
    assert all("ebsocket" in one.lower() for one in panel.problems), panel.problems
    panel.problems.clear()


async def test_an_embedded_page_that_begins_anew_says_so(panel: PanelTab) -> None:
    secret = {"BOKEH_SECRET_KEY": "of both servers"}
    application = ("--allow-websocket-origin", "localhost:*", HERE / "reconnect.py")
    with serving(*application, env=secret) as first, serving(*application, env=secret) as second:
        async with (
            Proxy.to(port_of(first)) as proxy,
            blog(server_document(f"http://localhost:{proxy.port}/reconnect")) as address,
        ):
            await panel.open(f"{address}/posts/today")
            await panel.sees("0 times la")
            await panel.page.wait_for_load_state("networkidle")
            proxy.cut()
            proxy.mend(port_of(second))
            await panel.page.locator(AFRESH).wait_for()
            await panel.styled(".bk-btn", cursor="pointer")
            await panel.click("Add")
            await panel.sees("1 times la")
    assert all("ebsocket" in one.lower() for one in panel.problems), panel.problems
    panel.problems.clear()


async def test_an_application_in_a_page_of_another_origin(panel: PanelTab, server: Process) -> None:
    async with blog(server_document(f"{server.base}/basics")) as address:
        await panel.open(f"{address}/posts/today")
        await panel.click("Count")
        await panel.sees("clicked 1 times")
        # By style sheets of this server, which are elsewhere as seen from the page.
        await panel.styled(".bk-btn", cursor="pointer")
