"""``--dev`` as somebody sees it who is working on an application."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Tab
from tests.support.serving import running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SCRIPT = '''
"""An application."""
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models.widgets import Button, Div, Slider, TextInput

def changed(attr, old, new):
    div.text = f"VERSION {new}"

def fails(event):
    raise ValueError("on purpose")  # the line that failed

slider = Slider(start=0, end=10, value=START, title="slider")
slider.on_change("value", changed)
text = TextInput(value="a", title="text")
button = Button(label="fail")
button.on_event("button_click", fails)
div = Div(text="VERSION 0")
curdoc().add_root(column(TOP slider, text, button, div))
'''


def script(version: str = "first", start: int = 1, top: str = "") -> str:
    text = SCRIPT.replace("VERSION", version).replace("START", str(start))
    return text.replace("TOP", top)


def text_of(kind: str, attribute: str) -> str:
    return (
        f"return doc.roots()[0].children.filter(m => m.constructor.__name__ === '{kind}')"
        f".at(-1).{attribute}"
    )


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are local modules of the folder in which they run; they must not be forgotten."""
    monkeypatch.chdir(tmp_path)


async def settled(tab: Tab, body: str, argument: Any = None) -> None:
    """Wait for something in a page that is about to be another one."""
    await tab.until(f"try {{ {body} }} catch (error) {{ return false }}", argument)


async def test_the_page_follows_the_script_and_keeps_what_was_set(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(script())
    async with running({"/app": path}, dev=True) as server:
        await tab.open(f"{server.base}/app?mine=1")
        await tab.js("doc.roots()[0].children.find(m => m.title === 'slider').value = 7")
        await settled(tab, f"{text_of('Div', 'text')} === 'first 7'")
        # What nobody has touched follows the script; a widget more does not matter.
        path.write_text(script("second", start=3, top="Slider(start=0, end=1, value=1),").replace(
            'value="a"', 'value="b"'))  # fmt: skip
        await settled(tab, f"{text_of('Div', 'text')} === 'second 7'")
        assert await tab.js(text_of("Slider", "value")) == 7
        assert await tab.js(text_of("TextInput", "value")) == "b"
        assert tab.page.url == f"{server.base}/app?mine=1"
        (session,) = [one for one in server.context("/app").sessions if one.connection_count]
        assert list(session.context.request.arguments) == ["mine"]
        assert tab.problems == []
        await tab.page.goto("about:blank")


async def test_what_fails_is_shown_in_the_page(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(script())
    async with running({"/app": path}, dev=True) as server:
        await tab.open(f"{server.base}/app")
        await tab.page.get_by_role("button", name="fail").click()
        alert = tab.page.get_by_role("alert")
        await alert.wait_for()
        shown = await alert.text_content() or ""
        assert "ValueError: on purpose" in shown
        assert "the line that failed" in shown
        await tab.page.get_by_role("button", name="Close").click()
        assert await alert.count() == 0
        tab.problems.clear()  # BokehJS tells the console of the error, too
        # A script that cannot be read, and one that can again.
        path.write_text("this is no Python\n")
        await tab.page.get_by_text("could not be started").wait_for()
        assert "this is no Python" in await tab.page.content()
        path.write_text(script("mended"))
        await settled(tab, f"{text_of('Div', 'text')} === 'mended 0'")
        assert [one for one in tab.problems if "500" not in one] == []
        await tab.page.goto("about:blank")


@pytest.fixture
def _local_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.startswith("dev_test_"):
            del sys.modules[name]


def _in_template(folder: Path) -> None:
    (folder / "templates" / "index.html").write_text(
        (folder / "templates" / "index.html").read_text().replace(">one<", ">other<")
    )


def _in_theme(folder: Path) -> None:
    (folder / "theme.yaml").write_text("attrs:\n  Div:\n    styles: {color: red}\n")


def _in_module(folder: Path) -> None:
    (folder.parent / "dev_test_module.py").write_text("TEXT = 'other'\n")


def _in_static_file(folder: Path) -> None:
    (folder / "static" / "own.css").write_text("body { --other: 1 }\n")


@pytest.mark.usefixtures("_local_modules")
@pytest.mark.parametrize("change", [_in_template, _in_theme, _in_module, _in_static_file])
async def test_the_page_follows_all_that_belongs_to_it(
    tab: Tab, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "app"
    for name in ("", "templates", "static"):
        (folder / name).mkdir()
    (tmp_path / "dev_test_module.py").write_text("TEXT = 'one'\n")
    (folder / "templates" / "index.html").write_text(
        "{% extends base %}{% block postamble %}<i id='t'>one</i>"
        "<link rel=stylesheet href='app/static/own.css'>{% endblock %}"
    )
    (folder / "static" / "own.css").write_text("body { --other: 0 }\n")
    (folder / "theme.yaml").write_text("attrs:\n  Div:\n    styles: {color: blue}\n")
    (folder / "main.py").write_text(
        textwrap.dedent("""
        from bokeh.io import curdoc
        from bokeh.models.widgets import Div
        from dev_test_module import TEXT
        curdoc().add_root(Div(text=TEXT))
        """)
    )
    look = (
        "return [document.querySelector('#t').textContent, doc.roots()[0].text, "
        "doc.roots()[0].styles.color ?? doc.roots()[0].styles.get?.('color'), "
        "getComputedStyle(document.body).getPropertyValue('--other')].join()"
    )
    after: dict[Any, str] = {
        _in_template: "other,one,blue,0",
        _in_theme: "one,one,red,0",
        _in_module: "one,other,blue,0",
        _in_static_file: "one,one,blue,1",
    }
    async with running({"/app": folder}, dev=True) as server:
        await tab.open(f"{server.base}/app")
        assert await tab.js(look) == "one,one,blue,0"
        change(folder)
        await settled(tab, f"{look} === arg", after[change])
        assert tab.problems == []
        await tab.page.goto("about:blank")


async def test_production_tells_nothing(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(script())
    async with running({"/app": path}) as server:
        await tab.open(f"{server.base}/app")
        assert "hyperfocal-dev" not in await tab.page.content()
        await tab.page.get_by_role("button", name="fail").click()
        await settled(tab, "return doc.is_idle")
        assert await tab.page.get_by_role("alert").count() == 0
