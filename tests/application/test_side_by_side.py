"""Documents of several applications that are built at the same time, in threads."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bokeh.io
import pytest
from bokeh.application.application import Application
from bokeh.document import Document

import hyperfocal
from hyperfocal.application import build_document, load
from hyperfocal.document import current_document, script_run
from hyperfocal.errors import BuildError

#: What scripts of these tests call to wait for each other.
rendezvous: dict[str, Callable[[], Any]] = {}

SCRIPT = """
import os, sys
from bokeh.io import curdoc, show
from bokeh.models import Div
import tests.application.test_side_by_side as side
argv, path = list(sys.argv), list(sys.path)
sys.path.append("/of/{name}")
side.rendezvous["{name}"]()
import {module}
assert (sys.argv, sys.path) == (argv, path + ["/of/{name}"]), (sys.argv, sys.path)
curdoc().add_root(Div(text="{name} " + " ".join(sys.argv[1:]) + " " + {module}.NAME))
show(curdoc().roots[0])
{end}
"""


def script(folder: Path, name: str, end: str = "") -> Application:
    folder = folder / name
    folder.mkdir()
    (folder / f"module_of_{name}.py").write_text(f"NAME = {name!r}\n")
    path = folder / f"{name}.py"
    path.write_text(SCRIPT.format(name=name, module=f"module_of_{name}", end=end))
    return load(path, [f"--{name}"]).application


def built(application: Application) -> str | BuildError:
    document = Document()
    try:
        build_document(application, document, "/app", check=False)
    except BuildError as error:
        return error
    roots: Any = document.roots
    return str(roots[0].text)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Any:
    before = list(sys.path), list(sys.argv), os.getcwd(), bokeh.io.show
    yield
    assert (list(sys.path), list(sys.argv), os.getcwd(), bokeh.io.show) == before
    rendezvous.clear()
    for name in [name for name in sys.modules if name.startswith("module_of_")]:
        del sys.modules[name]


def test_each_has_its_own_arguments_and_path_and_the_process_keeps_its_own(tmp_path: Path) -> None:
    applications = [script(tmp_path, "one"), script(tmp_path, "two")]
    both = threading.Barrier(3)
    seen: list[Any] = []
    rendezvous["one"] = rendezvous["two"] = lambda: (both.wait(10), both.wait(10))
    before = list(sys.path), list(sys.argv)
    with ThreadPoolExecutor() as pool:
        building = [pool.submit(built, application) for application in applications]
        both.wait(10)  # both are in the middle of their scripts
        seen.append((list(sys.path), list(sys.argv)))
        with pytest.raises(ImportError):
            importlib.import_module("module_of_one")
        both.wait(10)
        assert [one.result(10) for one in building] == ["one --one one", "two --two two"]
    assert seen == [before]


def test_of_two_runs_of_one_application_only_the_one_that_fails_fails(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(
        "import tests.application.test_side_by_side as side\n"
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "curdoc().add_root(Div(text='fine'))\nside.rendezvous['next']()\n"
    )
    application = load(path).application
    failed, checked = threading.Event(), threading.Event()

    def fail() -> None:
        failed.set()
        raise ValueError("only mine")

    def work() -> None:
        assert failed.wait(10)
        assert checked.wait(10)

    turns = iter([work, fail])
    guard = threading.Lock()

    def next_turn() -> None:
        with guard:
            turn = next(turns)
        turn()

    rendezvous["next"] = next_turn
    with ThreadPoolExecutor() as pool:
        building = [pool.submit(built, application) for _ in range(2)]
        assert failed.wait(10)
        checked.set()
        results = [one.result(10) for one in building]
    errors = [one for one in results if isinstance(one, BuildError)]
    assert [one for one in results if one not in errors] == ["fine"]
    assert ["only mine" in error.summary for error in errors] == [True]


def test_show_is_silent_in_scripts_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    inside: list[Any] = []
    application = script(tmp_path, "quiet")
    original = bokeh.io.show.__wrapped__  # type: ignore[attr-defined]
    cells = bokeh.io.show.__closure__
    assert cells is not None
    (cell,) = [cell for cell in cells if cell.cell_contents is original]
    monkeypatch.setattr(cell, "cell_contents", shown.append)
    rendezvous["quiet"] = lambda: inside.append(list(shown))
    assert built(application) == "quiet --quiet quiet"
    assert shown == []
    bokeh.io.show("for real")  # type: ignore[arg-type]
    assert shown == ["for real"]


def test_a_working_directory_that_a_script_changes_is_undone(tmp_path: Path) -> None:
    application = script(tmp_path, "moves", f"os.chdir({str(tmp_path)!r})")
    rendezvous["moves"] = lambda: None
    assert built(application) == "moves --moves moves"


def test_lists_that_a_script_replaces_are_put_back(tmp_path: Path) -> None:
    application = script(tmp_path, "replaces", "sys.argv = ['x']; sys.path = ['y']")
    rendezvous["replaces"] = lambda: None
    assert built(application) == "replaces --replaces replaces"


def test_the_lists_are_lists_in_every_respect() -> None:
    with script_run():
        pass
    path: Any = sys.path
    base = list(path)
    assert isinstance(path, list)
    assert (path, len(path), repr(path)) == (base, len(base), repr(base))
    assert pickle.loads(pickle.dumps(path)) == base
    assert type(path.copy()) is list
    with script_run():
        path += ["more"]
        path.insert(0, "first")
        path[1:2] = []
        assert path == ["first", *base[1:], "more"]
        assert "more" in path
        assert next(reversed(path)) == "more"
        assert [*path] == path[:]
        del path[0]
        path *= 2
        assert path == [*base[1:], "more"] * 2
    assert path == base


def test_hyperfocal_itself_is_found_in_a_run() -> None:
    with script_run(), current_document(Document()):
        assert importlib.import_module("hyperfocal") is hyperfocal
