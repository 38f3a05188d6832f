"""Pages whose head is sent while their document is still being built."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div

from hyperfocal.document import forget_models
from hyperfocal.telemetry import BuildFailed
from hyperfocal.testing import WireClient, page_token
from tests.support.serving import Running, running, until


class App:
    """An application that waits for the test, from the second document on."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)
        self.act: Callable[[Document], None] = lambda document: None
        self._waits = False

    def __call__(self, document: Document) -> None:
        """Build a document."""
        document.title = "The title of somebody"
        if self._waits:
            self.entered.release()
            assert self.leave.acquire(timeout=20)
            self.act(document)
        self._waits = True
        document.add_root(Div(text="here I am"))


class Page:
    """A page that is being read."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self._pieces = response.aiter_text()
        self.text = ""

    async def read(self, until: str) -> str:
        """Read on until this has come. Gives all that has come so far."""
        async with asyncio.timeout(20):
            while until not in self.text:
                self.text += await anext(self._pieces)
        return self.text

    async def rest(self) -> str:
        async for piece in self._pieces:
            self.text += piece
        return self.text


@asynccontextmanager
async def opening(server: Running, app: App | None = None) -> AsyncGenerator[Page]:
    async with server.http.stream("GET", f"{server.base}/", timeout=30) as response:
        if app is not None:
            assert await asyncio.to_thread(app.entered.acquire, True, 20)
        yield Page(response)


@asynccontextmanager
async def visited(app: App, **changes: Any) -> AsyncGenerator[Running]:
    """A server of an application whose page somebody has seen."""
    async with running(app, **changes) as server:
        assert (await server.page()).status_code == 200
        yield server
        for _ in range(10):
            app.leave.release()


async def test_the_head_comes_first_and_the_rest_when_the_document_is_there() -> None:
    app = App()
    async with visited(app) as server, opening(server, app) as page:
        assert page.status == 200
        head = await page.read("<body>")
        assert "static/js/bokeh.min.js" in head
        assert "root.Bokeh" not in head
        app.leave.release()
        text = await page.rest()
        assert text.startswith(head)
        assert text.rstrip().endswith("</html>")
        async with WireClient.connect(f"{server.ws}/ws", page_token(text)) as client:
            document = await client.pull()
        assert document["roots"][0]["attributes"]["text"] == "here I am"
        assert document["roots"][0]["id"] in text


async def test_the_page_is_the_same_as_one_that_is_sent_whole_but_for_its_title() -> None:
    app = App()
    async with visited(app) as server:
        app.leave.release()
        whole = (await server.page()).text
        assert app.entered.acquire(timeout=20)
        async with opening(server, app) as page:
            await page.read("<body>")
            app.leave.release()
            early = await page.rest()
        assert [line.strip() for line in early.splitlines() if "id" not in line.lower()][5:] == [
            line.strip() for line in whole.splitlines() if "id" not in line.lower()
        ][5:]


async def test_nobody_sees_the_title_of_somebody_elses_document() -> None:
    app = App()
    async with visited(app) as server, opening(server, app) as page:
        head = await page.read("<body>")
        assert "somebody" not in head
        assert "<title>" in head


async def test_an_application_that_fails_after_the_head_says_so_in_the_page() -> None:
    app = App()

    def fail(document: Document) -> None:
        raise LookupError("a secret")

    app.act = fail
    async with visited(app) as server:
        async with opening(server, app) as page:
            await page.read("<body>")
            app.leave.release()
            text = await page.rest()
            assert "could not be started" in text
            assert "a secret" not in text
            assert text.rstrip().endswith("</html>")
        assert len(server.events.of(BuildFailed)) == 1
        app.leave.release()
        assert (await server.page()).status_code == 500  # it does not count as working any more


def own_template(document: Document) -> None:
    any_document: Any = document
    any_document.template = "{% block title %}mine{% endblock %}"


def own_model(document: Document) -> None:
    """Define a model with a script of its own, the first time."""
    if "Fresh" not in globals():
        globals()["Fresh"] = type(
            "Fresh", (Div,), {"__module__": __name__, "__javascript__": ["/fresh.js"]}
        )


@pytest.fixture
def _no_fresh_model() -> Generator[None]:
    yield
    globals().pop("Fresh", None)
    forget_models({__name__})


@pytest.mark.usefixtures("_no_fresh_model")
@pytest.mark.parametrize("act", [own_template, own_model])
async def test_a_document_that_does_not_fit_the_head_is_asked_for_again(
    act: Callable[[Document], None],
) -> None:
    app = App()
    app.act = act
    async with visited(app) as server:
        async with opening(server, app) as page:
            await page.read("<body>")
            app.leave.release()
            assert "location.reload()" in await page.rest()
        for _ in range(2):  # and from now on pages are sent whole
            app.leave.release()
            text = (await server.page()).text
            assert "location.reload()" not in text
            assert page_token(text)


async def test_a_failure_that_comes_at_once_has_its_status() -> None:
    app = App()

    def fail(document: Document) -> None:
        raise LookupError("not today")

    app.act = fail
    async with visited(app) as server:
        app.leave.release()
        assert (await server.page()).status_code == 500


async def test_development_mode_shows_whole_pages() -> None:
    app = App()
    async with visited(app, dev=True) as server:
        task = asyncio.create_task(server.page(timeout=30))
        assert await asyncio.to_thread(app.entered.acquire, True, 20)
        app.leave.release()
        assert "<title>The title of somebody</title>" in (await task).text


async def test_people_are_told_why_they_wait_and_their_place_in_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hyperfocal.web.pages._NOTE_S", 0.02)
    app = App()
    async with visited(app, build_threads=1) as server, opening(server, app) as first:
        await first.read("This page is being prepared")
        async with opening(server) as second, opening(server) as third:
            await second.read("You are number 1 in line")
            await third.read("You are number 2 in line")
            app.leave.release()
            assert "waiting').remove()" in await first.rest()
            await second.read("being prepared")
            await third.read("You are number 1 in line")
            app.leave.release()
            app.leave.release()
            for page in (second, third):
                assert page_token(await page.rest())


async def test_a_person_who_goes_while_waiting_disturbs_nobody() -> None:
    app = App()
    async with visited(app) as server:
        async with opening(server, app) as page:
            await page.read("<body>")
        app.leave.release()
        await until(lambda: len(server.context().sessions) == 2)
        app.leave.release()
        assert (await server.page()).status_code == 200
        assert not server.events.of(BuildFailed)
