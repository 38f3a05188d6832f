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

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from hyperfocal.application import Sources, load, load_mended_later
from hyperfocal.errors import LoadError
from hyperfocal.web import development
from tests.support.serving import EXAMPLE_PATHS, Running, running, serving

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


async def page_of(server: Running, url: str, status: int = 200) -> Mapping[str, Any]:
    """What a page has been told of itself."""
    response = await server.page(url)
    assert response.status_code == status
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


def test_the_examples_are_there_in_development() -> None:
    """Regression: a FileInput has no value until somebody chooses a file."""
    with serving(*EXAMPLE_PATHS, "--dev") as server:  # a process of its own: some use Panel
        for example in EXAMPLE_PATHS:
            url = f"{server.base}/{example.stem}"
            page = httpx.get(url, timeout=60)
            assert page.status_code == 200, example
            found = re.search(r'"session_id": "([^"]+)"', page.text)
            assert found is not None, example
            again = httpx.get(f"{url}?hyperfocal-restore={found[1]}", timeout=60)
            assert again.status_code == 200, example


SLIDER = """
from bokeh.io import curdoc
from bokeh.models.widgets import FileInput, Slider
curdoc().add_root(Slider(start=0, end=10, value=1, name="slider"))
curdoc().add_root(FileInput())
{more}
"""


@pytest.mark.parametrize("mistake", ["this is no Python", "no_such_name", "1 / 0"])
async def test_what_was_set_outlives_a_mistake(tmp_path: Path, mistake: str) -> None:
    script = tmp_path / "app.py"
    script.write_text(SLIDER.format(more=""))
    async with running({"/app": script}, dev=True) as server:
        page = await page_of(server, "/app")
        (session,) = server.context("/app").sessions
        await session.with_locked_document(lambda document: setattr(document.roots[0], "value", 7))
        for more in (mistake, "", ""):
            async with channel(server, page) as socket:
                script.write_text(SLIDER.format(more=more) + f"# {more} {page['generation']}\n")
                assert await told(socket) == {"kind": "reload"}
            page = await page_of(
                server, f"/app?hyperfocal-restore={page['session_id']}", 500 if more else 200
            )
        (session,) = server.context("/app").sessions
        assert session.document.roots[0].value == 7


async def test_an_application_that_cannot_be_loaded_is_there_once_it_is_mended(
    tmp_path: Path,
) -> None:
    script = tmp_path / "app.py"
    script.write_text("x = 0900\n")
    async with running({"/app": script}, dev=True) as server:
        failed = await server.page("/app")
        assert failed.status_code == 500
        assert "app.py" in failed.text
        assert "line 1" in failed.text
        async with channel(server, await page_of(server, "/app", 500)) as socket:
            written(script, "'mended'")
            assert await told(socket) == {"kind": "reload"}
        await page_of(server, "/app")


def test_what_is_no_application_is_an_error_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    for name in ("missing.py", "text.txt", "empty"):
        with pytest.raises(LoadError):
            load_mended_later(tmp_path / name)


def test_an_error_of_a_template_names_file_and_line(tmp_path: Path) -> None:
    written(tmp_path / "app" / "main.py", "'1'")
    templates = tmp_path / "app" / "templates"
    templates.mkdir()
    (templates / "index.html").write_text("{% extends base %}\n\n{% nonsense %}\n")
    with pytest.raises(LoadError, match=r"index\.html, line 3: .*nonsense"):
        load(tmp_path / "app")


def test_where_modules_lie_is_found_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: 1,500 paths were resolved on the event loop, every second."""
    sources = Sources({"/app": written(tmp_path / "app.py", "'1'")})
    sources.folders()
    resolved: list[Path] = []
    original = Path.resolve

    def resolve(self: Path, strict: bool = False) -> Path:
        resolved.append(self)
        return original(self, strict)

    monkeypatch.setattr(Path, "resolve", resolve)
    sources.folders()
    assert resolved == []
