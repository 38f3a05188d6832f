"""Imports of several threads, forced to meet."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import ColumnDataSource

from hyperfocal.document import imports
from hyperfocal.engine import Owner
from tests.support.serving import running

PACKAGE = "imports_test"

#: What modules of these tests call: they find this module under its name.
hooks: dict[str, Callable[[], Any]] = {}


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    folder = tmp_path / PACKAGE
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    here = f"import {__name__} as here\n"
    (folder / "slow.py").write_text(f"{here}here.hooks['slow']()\nfrom {PACKAGE} import part\n")
    (folder / "part.py").write_text(f"from {PACKAGE} import slow\nVALUE = 1\n")
    (tmp_path / f"{PACKAGE}_other.py").write_text("VALUE = 2\n")
    (tmp_path / f"{PACKAGE}_broken.py").write_text("1 / 0\n")
    (tmp_path / f"{PACKAGE}_missing.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module(PACKAGE)
    imports.imports_take_turns()
    monkeypatch.setattr(imports._here, "is_worker", False)
    yield
    hooks.clear()
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def worker(name: str) -> Any:
    """Import as a worker thread does."""
    imports.imports_take_turns()
    return importlib.import_module(name)


class Meeting:
    """A worker that is in the middle of an import until somebody waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        hooks["slow"] = self._wait
        must_wait = imports._turns.must_wait

        def look(package: str, *, is_worker: bool) -> bool:
            waits = must_wait(package, is_worker=is_worker)
            if waits:
                self.go_on.set()
            return waits

        monkeypatch.setattr(imports._turns, "must_wait", look)

    def _wait(self) -> None:
        self.begun.set()
        assert self.go_on.wait(20)

    def slowly(self, pool: ThreadPoolExecutor) -> Any:
        """Have it begin."""
        one = pool.submit(worker, f"{PACKAGE}.slow")
        assert self.begun.wait(20)
        return one


def test_workers_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting(monkeypatch)
    with ThreadPoolExecutor(3) as pool:
        one = meeting.slowly(pool)
        others = [pool.submit(worker, f"{PACKAGE}{name}") for name in (".part", "_other")]
        assert one.result(20).part.VALUE == 1
        assert [other.result(20).VALUE for other in others] == [1, 2]
    assert meeting.go_on.is_set()
    assert imports._turns.packages == []


def test_others_wait_for_the_package_that_they_want_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        one = meeting.slowly(pool)
        assert importlib.import_module(f"{PACKAGE}_other").VALUE == 2
        assert not meeting.go_on.is_set()
        assert importlib.import_module(f"{PACKAGE}.part").VALUE == 1
        assert meeting.go_on.is_set()
        one.result(20)


def test_what_is_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        one = meeting.slowly(pool)
        assert pool.submit(worker, "json").result(20) is sys.modules["json"]
        assert not meeting.go_on.is_set()
        meeting.go_on.set()
        one.result(20)


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module may wait for a thread that imports something."""
    monkeypatch.setattr(imports, "_LIMIT_S", 0.01)
    with ThreadPoolExecutor(1) as pool:
        hooks["slow"] = lambda: pool.submit(worker, f"{PACKAGE}_other").result(20)
        monkeypatch.setattr(imports._here, "is_worker", True)
        assert importlib.import_module(f"{PACKAGE}.slow").part.VALUE == 1
    assert imports._turns.packages == []
    assert imports._turns.thread is None


@pytest.mark.parametrize(
    ("name", "error"), [("broken", ZeroDivisionError), ("missing", ModuleNotFoundError)]
)
def test_what_fails_lets_others_go_on_and_is_told_without_us(
    name: str, error: type[Exception]
) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(imports.imports_take_turns)
        failed = pool.submit(exec, f"import {PACKAGE}_{name}").exception(20)
        assert isinstance(failed, error)
        files = [frame.filename for frame in traceback.extract_tb(failed.__traceback__)]
        assert files[-1].endswith(f"{name}.py")
        assert not [file for file in files if file == imports.__file__ or "frozen" in file]
        assert pool.submit(worker, f"{PACKAGE}_other").result(20).VALUE == 2


async def test_threads_of_a_servers_engine_take_turns() -> None:
    async with running(lambda doc: None) as server:
        assert await server.site.engine.call(Owner(), lambda: imports._here.is_worker)

        async def on_loop() -> bool:
            return bool(imports._here.is_worker)

        server.site.engine.on_host = False
        assert await server.site.engine.settle(on_loop())
    assert not imports._here.is_worker


def test_bokeh_finds_pandas_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bokeh takes it from ``sys.modules``, where another thread may just have put it."""
    pandas = importlib.import_module("pandas")
    wanted: list[str] = []

    def load(name: str) -> Any:
        wanted.append(name)
        return pandas

    monkeypatch.setattr(importlib, "import_module", load)
    source = ColumnDataSource({"x": [1]})
    source.stream({"x": [2]})
    assert list(source.data["x"]) == [1, 2]
    assert wanted == ["pandas"]


def test_a_process_that_is_forked_meanwhile_imports_what_it_likes(tmp_path: Path) -> None:
    (tmp_path / "forked_slow.py").write_text(
        "import __main__\n__main__.begun.set()\n__main__.go_on.wait(20)\n"
    )
    (tmp_path / "forked_other.py").write_text("")
    (tmp_path / "main.py").write_text(
        textwrap.dedent("""
        import os, sys, threading
        from hyperfocal.document.imports import imports_take_turns

        begun, go_on = threading.Event(), threading.Event()

        def slowly():
            imports_take_turns()
            import forked_slow

        thread = threading.Thread(target=slowly)
        thread.start()
        assert begun.wait(20)
        child = os.fork()
        if child == 0:
            imports_take_turns()
            import forked_other
            os._exit(7)
        _, status = os.waitpid(child, 0)
        go_on.set()
        thread.join(20)
        assert os.waitstatus_to_exitcode(status) == 7
        """)
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "main.py")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
