"""``--dev``: which pages are told to reload, and when."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from hyperfocal.web import development
from tests.support.serving import Running, running

SCRIPT = """
from bokeh.io import curdoc
from bokeh.models.widgets import Div
curdoc().add_root(Div(text={text}))
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """The tests are local modules of the folder in which they run; they must not be forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("dev_only_module", None)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(SCRIPT.format(text=text))
    return path


async def page_of(server: Running, url: str) -> Mapping[str, Any]:
    """What a page has been told of itself."""
    response = await server.page(url)
    assert response.status_code == 200
    found = re.search(r"const told = (.*);", response.text)
    assert found is not None
    told: Mapping[str, Any] = json.loads(found[1])["page"]
    return told


def channel(server: Running, page: Mapping[str, Any]) -> connect:
    query = "&".join(f"{name}={value}" for name, value in page.items())
    return connect(f"{server.ws}/hyperfocal-dev?{query}")


async def told(socket: ClientConnection) -> Any:
    async with asyncio.timeout(20):
        return json.loads(await socket.recv())


async def test_a_page_that_connects_late_is_told_all_the_same(tmp_path: Path) -> None:
    script = written(tmp_path / "app.py", "'1'")
    async with running({"/app": script}, dev=True) as server:
        early, late = await page_of(server, "/app"), await page_of(server, "/app")
        async with channel(server, early) as socket:
            written(script, "'2'")
            assert await told(socket) == {"kind": "reload"}
        async with channel(server, late) as socket:
            assert await told(socket) == {"kind": "reload"}
        assert (await page_of(server, "/app"))["generation"] == 1


async def test_pages_of_other_applications_are_left_alone(tmp_path: Path) -> None:
    one = written(tmp_path / "one" / "main.py", "'1'")
    other = written(tmp_path / "other" / "main.py", "'1'")
    async with running({"/one": one.parent, "/other": other.parent}, dev=True) as server:
        pages = [await page_of(server, url) for url in ("/one", "/other")]
        async with channel(server, pages[0]) as first, channel(server, pages[1]) as second:
            written(one, "'2'")
            assert await told(first) == {"kind": "reload"}
            written(other, "'2'")
            assert await told(second) == {"kind": "reload"}
            assert server.site.development is not None
            assert server.site.development.generation_of("/other") == 1


async def test_what_changes_before_it_is_watched_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module is known after its import, and its folder is watched from the next look on."""
    module = tmp_path / "dev_only_module.py"
    module.write_text("TEXT = 'one'\n")
    importlib.invalidate_caches()
    main = written(tmp_path / "app" / "main.py", "__import__('dev_only_module').TEXT")

    async def tells_nothing(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(development, "_feed", tells_nothing)
    async with running({"/app": main.parent}, dev=True) as server:
        page = await page_of(server, "/app")
        module.write_text("TEXT = 'other'\n")
        async with channel(server, page) as socket:
            assert await told(socket) == {"kind": "reload"}
        await page_of(server, "/app")
        (session,) = server.context("/app").sessions
        assert session.document.roots[0].text == "other"


@pytest.mark.parametrize("generation", ["", "x", "-1", "9" * 5000])
async def test_a_page_that_says_nonsense_of_itself_is_told_to_reload_at_most(
    tmp_path: Path, generation: str
) -> None:
    script = written(tmp_path / "app.py", "'1'")
    async with running({"/app": script}, dev=True) as server:
        page = {"url": "/app", "generation": generation}
        async with channel(server, page) as socket:
            if generation.isdecimal():
                assert await told(socket) == {"kind": "reload"}
            await socket.ping()
