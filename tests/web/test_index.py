"""The start page: ours, somebody's own, or none; thumbnails and icons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hyperfocal.application import load_all
from hyperfocal.config import Settings
from hyperfocal.errors import ConfigError
from hyperfocal.pages import Index, IndexEntry
from tests.support.applications import tiny
from tests.support.serving import running

TWO = {"/a": tiny, "/b": tiny}
PICTURE = b"\x89PNG\r\n\x1a\n" + b"a picture"


def template(folder: Path, text: str) -> str:
    path = folder / "start.html"
    path.write_text(text)
    return str(path)


async def test_a_single_application_is_led_to_unless_told_not_to() -> None:
    async with running({"/a": tiny}) as server:
        page = await server.page("/?x=1")
        assert (page.status_code, page.headers["location"]) == (302, "./a?x=1")
    async with running({"/a": tiny}, disable_index_redirect=True) as server:
        page = await server.page("/")
        assert page.status_code == 200
        assert 'href="./a"' in page.text


@pytest.mark.parametrize("applications", [TWO, {"/a": tiny}], ids=["two", "one"])
@pytest.mark.parametrize("prefix", ["", "/pre"])
async def test_without_an_index_there_is_nothing_at_the_start(
    applications: Any, prefix: str
) -> None:
    async with running(applications, disable_index=True, prefix=prefix) as server:
        assert (await server.page("/")).status_code == 404
        assert (await server.page("/a")).status_code == 200
    async with running(tiny, disable_index=True) as server:
        assert (await server.page("/")).status_code == 200  # an application's own place


async def test_a_template_of_ones_own_finds_what_bokehs_do_and_more(tmp_path: Path) -> None:
    own = template(
        tmp_path,
        "{% for item in items %}<a href='{{ prefix }}{{ item }}'>{% endfor %}"
        "{% for entry in entries %}<b>{{ entry.title }} {{ entry.href }}</b>{% endfor %}{{ root }}",
    )
    async with running(TWO, index=own, prefix="pre") as server:
        page = await server.page("/")
    title = "A slider, a callback and a Div"
    assert page.text == (
        f"<a href='/pre/a'><a href='/pre/b'><b>{title} ./a</b><b>{title} ./b</b>./"
    )


def test_a_template_may_extend_ours_and_include_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "footer.html").write_text("<footer>ours</footer>")
    own = template(
        tmp_path,
        "{% extends 'hyperfocal/index.html' %}{% block heading %}<h1>Dashboards</h1>"
        "{% include 'footer.html' %}{% endblock %}",
    )
    html = Index(own).page([IndexEntry("/a", "<Title>", "")], "/")
    assert "<h1>Dashboards</h1><footer>ours</footer>" in html
    assert "&lt;Title&gt;" in html
    assert 'href="/a"' in html


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{% for item in items %}{{ item }}{% end %}", "looks like a template in Tornado's"),
        ("{% for item in items %}\n{% if x %}", "line 2: "),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{% extends 'missing.html' %}", "missing.html"),
    ],
)
def test_a_file_that_is_no_template_of_ours_says_what_is_wrong(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Index(template(tmp_path, text))
    assert caught.value.option == "--index"
    assert words in str(caught.value)
    assert ("Tornado" in str(caught.value)) is ("end %}" in text)


def test_a_template_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--index: got .*, expected a file that can be read"):
        Settings(index="/nowhere/index.html")


def test_a_page_of_few_has_no_filter_and_one_of_many_has() -> None:
    entries = [IndexEntry(f"/a{number}", f"Title {number}", "") for number in range(7)]
    assert "<search" not in Index().page(entries[:6], "/")
    assert "<search" in Index().page(entries, "/")
    assert "No application is served" in Index().page([], "/")


async def test_pictures_of_applications_are_shown(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "main.py").write_text("'''A folder.'''\n")
    (folder / "thumbnail.png").write_bytes(PICTURE)
    (tmp_path / "script.py").write_text("'''A script.\n\nWhat it does.\n'''\n")
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / "script.svg").write_text("<svg/>")
    (tmp_path / "bare.py").write_text("")
    paths = [folder, tmp_path / "script.py", tmp_path / "bare.py"]
    async with running({**load_all(paths)}, prefix="/pre") as server:
        html = (await server.page("/")).text
        assert html.count("<img ") == 2
        assert '<img src="./folder/thumbnail" alt=""' in html
        assert "What it does." in html
        picture = await server.page("/folder/thumbnail")
        assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
        assert (await server.page("/script/thumbnail")).headers["content-type"] == "image/svg+xml"
        assert (await server.page("/bare/thumbnail")).status_code == 404
        (folder / "thumbnail.png").unlink()
        assert (await server.page("/folder/thumbnail")).status_code == 404


async def test_the_icon_is_ours_a_files_or_none(tmp_path: Path) -> None:
    icon = tmp_path / "own.ico"
    icon.write_bytes(b"an icon")
    async with running(tiny) as server:
        assert "svg" in (await server.page("/favicon.ico")).text
    async with running(tiny, ico_path=str(icon)) as server:
        answer = await server.page("/favicon.ico")
        assert (answer.content, answer.headers["content-type"]) == (b"an icon", "image/x-icon")
    async with running(tiny, ico_path="none") as server:
        assert (await server.page("/favicon.ico")).status_code == 404
    for path in (__file__, str(tmp_path / "missing.ico")):
        with pytest.raises(ConfigError, match=r"--ico-path: got .*, expected an \.ico file"):
            Settings(ico_path=path)
