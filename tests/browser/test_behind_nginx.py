"""Pages behind a real nginx, which strips a prefix or keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bokeh.document import Document

from hyperfocal.auth.passwords import hash_password
from hyperfocal.telemetry import ConnectionClosed, ConnectionOpened
from tests.browser.conftest import Tab
from tests.support.applications import arrays, tiny
from tests.support.nginx import behind_nginx
from tests.support.serving import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

both_ways = pytest.mark.parametrize("strips", [True, False], ids=["strips", "keeps"])
IDLE = "() => window.Bokeh?.documents?.length > 0 && Bokeh.documents.every(doc => doc.is_idle)"


def plots(doc: Document) -> None:
    """Arrays in a plot."""
    arrays(doc)


@both_ways
async def test_from_the_start_page_to_an_application_that_works(
    tab: Tab, tmp_path: Path, strips: bool
) -> None:
    two = {"/a": tiny, "/deep/plots": plots}
    async with behind_nginx(tmp_path, two, strips=strips) as proxied:
        for name, check in (("slider", "find('div').text == '7'"), ("plot", "find('source')")):
            await tab.page.goto(f"{proxied.base}/")
            title = "A slider" if name == "slider" else "Arrays in"
            await tab.page.get_by_text(title).click()
            await tab.page.wait_for_function(IDLE)
            await tab.js("doc.get_model_by_name('slider').value = 7")
            find = "const find = name => doc.get_model_by_name(name);"
            await tab.until(f"{find} return {check}")
        y = "Array.from(doc.get_model_by_name('source').get_column('y'))"
        await tab.until(f"return {y}[2] == 14")
        assert tab.problems == []


@both_ways
async def test_a_login_leads_to_the_page_that_was_asked_for(
    tab: Tab, tmp_path: Path, strips: bool
) -> None:
    file = tmp_path / "passwords"
    file.write_text(f"ada:{hash_password('right')}\n")
    async with behind_nginx(
        tmp_path, {"/deep/a": tiny}, strips=strips, password_file=str(file)
    ) as proxied:
        await tab.page.goto(f"{proxied.base}/deep/a?x=1")
        assert tab.page.url.startswith(f"{proxied.base}/login?")
        await tab.page.get_by_label("Name").fill("ada")
        await tab.page.get_by_label("Password").fill("right")
        await tab.page.get_by_role("button", name="Log in").click()
        await tab.page.wait_for_function(IDLE)
        assert tab.page.url == f"{proxied.base}/deep/a?x=1"
        assert tab.problems == []


async def test_a_page_whose_websocket_nginx_cut_comes_back_by_itself(
    tab: Tab, tmp_path: Path
) -> None:
    async with behind_nginx(
        tmp_path, {"/a": tiny}, strips=True, more="proxy_read_timeout 1s;"
    ) as proxied:
        events = proxied.server.events
        await tab.open(f"{proxied.base}/a")
        await tab.js("doc.get_model_by_name('slider').value = 42")
        await tab.until("return doc.get_model_by_name('div').text == '42'")
        (session,) = proxied.server.context("/a").sessions
        # It is cut again and again, and always learns what it has missed.
        for cuts in (1, 2):
            await until(lambda cuts=cuts: len(events.of(ConnectionClosed)) >= cuts)  # type: ignore[misc]
            async with session.turn() as turn:
                model: Any = turn.document.get_model_by_name("div")
                model.text = f"missed {cuts}"
            await tab.until("return doc.get_model_by_name('div').text == arg", f"missed {cuts}")
        assert len(events.of(ConnectionOpened)) > 1
        assert await tab.js("return doc.get_model_by_name('slider').value") == 42
        assert proxied.server.context("/a").sessions == [session]
        assert [one for one in tab.problems if "uncaught" in one] == []


async def test_a_page_that_rests_is_not_cut_while_the_server_pings(
    tab: Tab, tmp_path: Path
) -> None:
    async with behind_nginx(
        tmp_path, {"/a": tiny}, strips=False, more="proxy_read_timeout 2s;", keep_alive_ms=500
    ) as proxied:
        await tab.open(f"{proxied.base}/a")
        await tab.page.wait_for_timeout(3000)  # the length of the rest is what is tested
        await tab.js("doc.get_model_by_name('slider').value = 42")
        await tab.until("return doc.get_model_by_name('div').text == '42'")
        assert len(proxied.server.events.of(ConnectionOpened)) == 1
        assert tab.problems == []
