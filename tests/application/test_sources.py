"""Which applications a changed file belongs to."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

import pytest

from hyperfocal.application import Sources


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are local modules of the folder in which they run."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text("")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    (path / "templates").mkdir(parents=True)
    (path / "main.py").write_text("")
    return path


def test_a_file_belongs_to_its_application(script: Path, folder: Path) -> None:
    sources = Sources({"/app": script, "/big": folder}, [script.parent / "data.csv"])
    assert sources.concerned([script]) == ["/app"]
    assert sources.concerned([folder / "templates" / "index.html"]) == ["/big"]
    assert sources.concerned([script.parent / "data.csv"]) == ["/app", "/big"]
    assert sources.concerned([script.parent / "other.csv"]) == []


def test_folders_are_watched_with_all_that_is_in_them(script: Path, folder: Path) -> None:
    assert Sources({"/app": script}).folders() == (set(), {script.parent})
    assert Sources({"/big": folder}).folders() == ({folder}, set())
    assert Sources({"/app": script}, [folder]).folders() == ({folder}, {script.parent})


def test_local_modules_belong_to_all_and_are_forgotten(
    script: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(script.parent))
    module = script.parent / "sources_test_module.py"
    module.write_text("VALUE = 1\n")
    importlib.invalidate_caches()
    imported = importlib.import_module("sources_test_module")
    sources = Sources({"/app": script, "/big": folder})
    assert sources.concerned([module]) == ["/app", "/big"]
    assert script.parent in sources.folders()[1]
    sources.forget_modules()
    assert "sources_test_module" not in sys.modules
    # What is installed, and what is ours, is not theirs.
    assert {"pytest", "hyperfocal", "bokeh"} <= set(sys.modules)
    assert imported.VALUE == 1


def test_what_was_written_while_nobody_watched(script: Path, folder: Path) -> None:
    sources = Sources({"/app": script, "/big": folder})
    page = folder / "templates" / "index.html"
    page.write_text("")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "main.pyc").write_text("")
    old = time.time() - 3600
    os.utime(page, (old, old))  # as when something is unpacked
    assert sources.written_since(old) == {script, folder / "main.py", page}
    assert sources.written_since(time.time() + 60) == set()


def test_nothing_is_told_twice(script: Path, folder: Path) -> None:
    sources = Sources({"/app": script, "/big": folder})
    main = folder / "main.py"
    assert sources.news([script, main]) == set()
    os.utime(main, (1, time.time() + 60))
    script.unlink()
    assert sources.news([script, main]) == {script, main}
    assert sources.news([script, main]) == set()
