"""Applications in pages of other origins, as ``bokeh.embed`` puts them there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bokeh
import pytest
import pytest_asyncio
import uvicorn
from bokeh.document import Document
from bokeh.embed import server_document, server_session
from bokeh.layouts import column
from bokeh.models.widgets import Div, Slider
from playwright.async_api import BrowserContext
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from hyperfocal.config import SessionIds
from hyperfocal.telemetry import ConnectionRefused
from tests.browser.conftest import Tab
from tests.support.applications import tiny
from tests.support.nginx import behind_nginx
from tests.support.serving import bound, running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SECRET = "known to both processes"


def visitor(doc: Document) -> None:
    """Tells what it knows of its visitor, and has a slider with a callback."""
    request: Any = doc.session_context.request  # type: ignore[union-attr]
    about = {
        "arguments": {key: [one.decode() for one in v] for key, v in request.arguments.items()},
        "cookies": dict(request.cookies),
        "flavour": request.headers.get("x-flavour"),
    }
    slider = Slider(start=0, end=100, value=0, name="visits")
    heard = Div(text="0", name="heard")
    slider.on_change("value", lambda attr, old, new: setattr(heard, "text", f"heard {new}"))
    doc.add_root(column(Div(text=json.dumps(about), name="about"), slider, heard))


class Blog:
    """A web server of somebody else. A post is made when it is asked for."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.post: Callable[[], str] = str

    def url(self, host: str = "localhost") -> str:
        """Where the post is. With another host it is another site; the port is another anyway."""
        return f"http://{host}:{self._port}/post"

    async def answer(self, request: Request) -> HTMLResponse:
        return HTMLResponse(
            f"<!doctype html><link rel=icon href='data:,'><h1>Post</h1>{self.post()}"
        )


@pytest_asyncio.fixture(loop_scope="module")
async def blog() -> AsyncGenerator[Blog]:
    blog: list[Blog] = []

    async def answer(request: Request) -> HTMLResponse:
        return await blog[0].answer(request)

    app = Starlette(routes=[Route("/post", answer)])
    async with bound(uvicorn.Config(app, log_config=None, lifespan="off", ws="none")) as port:
        blog.append(Blog(port))
        yield blog[0]


def signed_ids(count: int) -> list[str]:
    """Session ids that a program with the secret, and without a server, has made."""
    program = (
        "from bokeh.util.token import generate_session_id\n"
        f"for _ in range({count}): print(generate_session_id())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "BOKEH_SECRET_KEY": SECRET, "BOKEH_SIGN_SESSIONS": "yes"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return told.stdout.split()


async def show(tab: Tab, url: str, documents: int = 1) -> None:
    """Open a page and wait until so many documents are shown in it."""
    await tab.page.goto(url)
    await tab.until(
        "const docs = window.Bokeh?.documents ?? [];"
        "return docs.length == arg && docs.every(doc => doc.is_idle && doc.roots().length > 0)",
        documents,
    )


FIND = "const find = name => Bokeh.documents.map(d => d.get_model_by_name(name)).find(m => m);"


async def move(tab: Tab, slider: str, value: int, div: str, text: str) -> None:
    """Set a slider, and wait until its callback has said so."""
    await tab.js(f"{FIND} find('{slider}').value = arg", value)
    await tab.until(f"{FIND} return find('{div}').text == arg", text)


async def about(tab: Tab) -> Any:
    return json.loads(await tab.js(f"{FIND} return find('about').text"))


@asynccontextmanager
async def two(**settings: Any) -> AsyncGenerator[Any]:
    settings.setdefault("websocket_origins", ("localhost:*",))
    async with running({"/a": tiny, "/deep/visitor": visitor}, **settings) as server:
        yield server


async def test_two_applications_in_one_page_with_arguments(tab: Tab, blog: Blog) -> None:
    async with two() as server:
        blog.post = lambda: (
            server_document(f"{server.base}/a")
            + "<hr>"
            + server_document(
                f"{server.base}/deep/visitor", arguments={"word": "café & co", "n": "5"}
            )
        )
        await show(tab, blog.url(), 2)
        await move(tab, "slider", 3, "div", "3")
        await move(tab, "visits", 7, "heard", "heard 7")
        assert (await about(tab))["arguments"] == {"word": ["café & co"], "n": ["5"]}
        assert await tab.page.locator("[role=alert]").count() == 0
        assert await tab.page.title() != "Bokeh Application"
        assert tab.problems == []


async def test_sessions_whose_ids_another_process_has_signed(
    context: BrowserContext, blog: Blog
) -> None:
    first, second = signed_ids(2)
    settings = {"session_ids": SessionIds.EXTERNAL_SIGNED, "secret_key": SECRET.encode()}
    async with two(**settings) as server:
        blog.post = lambda: "<hr>".join(
            server_session(session_id=one, url=f"{server.base}{path}")  # type: ignore[arg-type]
            for one, path in ((first, "/a"), (second, "/deep/visitor"))
        )
        tab, other = Tab(await context.new_page()), Tab(await context.new_page())
        await show(tab, blog.url(), 2)
        await show(other, blog.url(), 2)
        await move(tab, "slider", 3, "div", "3")
        # Both pages are in the same two sessions.
        await other.until(f"{FIND} return find('div').text == '3'")
        await move(other, "visits", 7, "heard", "heard 7")
        await tab.until(f"{FIND} return find('visits').value == 7")
        for path, session_id in (("/a", first), ("/deep/visitor", second)):
            (session,) = server.context(path).sessions
            assert session.id == session_id
        assert tab.problems + other.problems == []


async def test_a_session_id_that_nobody_has_signed_says_so_in_its_place(
    tab: Tab, blog: Blog
) -> None:
    async with two(session_ids=SessionIds.EXTERNAL_SIGNED, secret_key=SECRET.encode()) as server:
        forged = signed_ids(1)[0][:-3] + "abc"
        blog.post = lambda: (
            server_session(session_id=forged, url=f"{server.base}/a")  # type: ignore[arg-type]
            + server_document(f"{server.base}/a")
        )
        await tab.page.goto(blog.url())
        alerts = tab.page.locator("[role=alert]")
        await tab.until("return document.querySelectorAll('[role=alert]').length == 2")
        assert set(await alerts.all_inner_texts()) == {
            "the session id's signature is missing or wrong",
            "this server takes only sessions with a signed id made elsewhere",
        }
        assert server.context("/a").sessions == []


async def test_headers_of_the_embedding_page_reach_the_application(tab: Tab, blog: Blog) -> None:
    async with two() as server:
        blog.post = lambda: server_document(
            f"{server.base}/deep/visitor", headers={"X-Flavour": "oat"}
        )
        await show(tab, blog.url())
        assert (await about(tab))["flavour"] == "oat"
        assert tab.problems == []


@pytest.mark.parametrize("with_credentials", [True, False])
async def test_cookies_come_along_where_the_page_asks_for_it(
    context: BrowserContext, blog: Blog, with_credentials: bool
) -> None:
    async with two(websocket_origins=("127.0.0.1:*",)) as server:
        await context.add_cookies([{"name": "size", "value": "3", "url": server.base}])
        blog.post = lambda: server_document(
            f"{server.base}/deep/visitor", with_credentials=with_credentials
        )
        tab = Tab(await context.new_page())
        # Another origin, and not another site: to those browsers would not send the cookie.
        await show(tab, blog.url("127.0.0.1"))
        assert (await about(tab))["cookies"] == ({"size": "3"} if with_credentials else {})
        assert tab.problems == []


async def test_bokehjs_of_the_page_itself_is_used_where_it_says_so(tab: Tab, blog: Blog) -> None:
    async with two() as server:
        names = ("bokeh", "bokeh-widgets", "bokeh-tables", "bokeh-gl", "bokeh-mathjax")
        own = "".join(f"<script src='{server.base}/static/js/{n}.min.js'></script>" for n in names)
        asked: list[str] = []
        tab.page.on("request", lambda request: asked.append(request.url))
        blog.post = lambda: own + server_document(f"{server.base}/a", resources=None)
        await show(tab, blog.url())
        await move(tab, "slider", 3, "div", "3")
        assert len([url for url in asked if "/static/js/" in url]) == len(names)
        assert tab.problems == []


async def test_a_page_whose_origin_is_refused_says_why_and_what_to_do(tab: Tab, blog: Blog) -> None:
    async with two(websocket_origins=("elsewhere.example",)) as server:
        blog.post = lambda: server_document(f"{server.base}/a")
        await tab.page.goto(blog.url())
        alert = tab.page.locator("[role=alert]")
        host = blog.url().split("/")[2]
        reason = (
            f"origin http://{host} is not allowed; allow it with --allow-websocket-origin={host}"
        )
        await alert.wait_for()
        assert await alert.inner_text() == f"This page may not show the application: {reason}."
        await until(lambda: server.events.of(ConnectionRefused))
        assert server.events.of(ConnectionRefused)[0].reason == reason
        await until(lambda: any("websocket" in one.lower() for one in tab.problems))
        assert await alert.count() == 1


async def test_a_page_whose_origin_a_proxy_vouches_for_shows_the_application(
    tab: Tab, blog: Blog
) -> None:
    """The autoload script was asked for past the proxy, with the page's own origin."""
    async with two(websocket_origins=("elsewhere.example",)) as server:
        server.site.visits.check_origin = _once(server.site.visits.check_origin)
        blog.post = lambda: server_document(f"{server.base}/a")
        await show(tab, blog.url())
        await tab.until("return document.querySelectorAll('[role=alert]').length == 0")
        await move(tab, "slider", 3, "div", "3")


def _once(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """The check, for autoload scripts only."""
    return lambda scope: check(scope) if scope["type"] == "http" else None


@pytest.mark.parametrize("strips", [True, False], ids=["strips", "keeps"])
async def test_relative_urls_in_a_page_beside_which_a_proxy_has_the_server(
    tab: Tab, tmp_path: Path, strips: bool
) -> None:
    applications = {"/a": tiny, "/deep/visitor": visitor}
    async with behind_nginx(tmp_path, applications, strips=strips) as proxied:
        embedded = "".join(
            server_document(f"/dash{path}", relative_urls=True, arguments={"n": "5"})
            for path in applications
        )
        page = f"<!doctype html><link rel=icon href='data:,'><h1>Post</h1>{embedded}"
        (proxied.html / "post.html").write_text(page)
        await show(tab, f"{proxied.origin}/post.html", 2)
        await move(tab, "slider", 3, "div", "3")
        await move(tab, "visits", 7, "heard", "heard 7")
        assert (await about(tab))["arguments"] == {"n": ["5"]}
        assert tab.problems == []


@pytest.mark.parametrize("mode", ["inline", "server", "server-dev"])
async def test_bokehjs_comes_from_where_the_variable_says(
    context: BrowserContext, blog: Blog, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("BOKEH_RESOURCES", mode)
    async with two(websocket_origins=("localhost:*", "127.0.0.1:*")) as server:
        blog.post = lambda: server_document(f"{server.base}/a")
        for url in (f"{server.base}/a", blog.url()):
            tab = Tab(await context.new_page())
            await show(tab, url)
            await move(tab, "slider", 3, "div", "3")
            asked = await tab.js("return performance.getEntriesByType('resource').map(e => e.name)")
            assert any("/static/js/" in one for one in asked) is (mode != "inline")
            assert tab.problems == []


async def test_bokehjs_comes_from_the_cdn_where_the_variable_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BOKEH_RESOURCES", "cdn")
    url = f"https://cdn.bokeh.org/bokeh/release/bokeh-{bokeh.__version__}.min.js"
    async with two() as server:
        page = await server.page("/a")
        assert f'src="{url}"' in page.text
        script = await server.page("/a/autoload.js?bokeh-autoload-element=here")
        for text in (page.text, script.text):
            assert url in text
            assert "static/js/" not in text
