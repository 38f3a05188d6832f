"""From paths to applications: what is loaded, what is refused and in which words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bokeh.models import Div

from hyperfocal.application import build_document, describe, load, load_all
from hyperfocal.document import current_document, new_document
from hyperfocal.errors import ApplicationError, LoadError

SCRIPT = "from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
ADD = "curdoc().add_root(Div(text='built'))\n"


def write(path: Path, text: str = SCRIPT + ADD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def notebook(*cells: tuple[str, str]) -> str:
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": kind,
                    "metadata": {},
                    "source": source.splitlines(keepends=True),
                    "id": f"cell-{number}",
                    **({"outputs": [], "execution_count": None} if kind == "code" else {}),
                }
                for number, (kind, source) in enumerate(cells)
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def built(path: Path, *argv: str) -> list[str]:
    """The texts of what the application at this path puts into a document."""
    document = new_document()
    one = load(path, argv)
    with current_document(document):
        build_document(one.application, document, one.url)
    return [root.text for root in document.roots if isinstance(root, Div)]


# --- what is loaded -----------------------------------------------------------------------------


def test_a_script_is_served_under_its_name(tmp_path: Path) -> None:
    script = write(tmp_path / "my_app.py")
    one = load(script)
    assert (one.url, one.path) == ("/my_app", script)
    assert built(script) == ["built"]


def test_a_directory_is_served_under_its_name(tmp_path: Path) -> None:
    write(tmp_path / "board" / "main.py")
    assert load(tmp_path / "board").url == "/board"
    assert built(tmp_path / "board") == ["built"]


def test_a_notebook_is_served_under_its_name(tmp_path: Path) -> None:
    path = write(
        tmp_path / "book.ipynb", notebook(("markdown", "# Words"), ("code", SCRIPT + ADD))
    )
    assert load(path).url == "/book"
    assert built(path) == ["built"]


def test_a_directory_may_hold_a_notebook(tmp_path: Path) -> None:
    write(tmp_path / "both" / "main.ipynb", notebook(("code", SCRIPT + ADD)))
    assert load(tmp_path / "both").url == "/both"
    assert built(tmp_path / "both") == ["built"]


def test_a_path_may_be_relative_and_the_application_does_not_depend_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = write(
        tmp_path / "where.py", SCRIPT + "curdoc().add_root(Div(text=__file__))\n"
    )
    monkeypatch.chdir(tmp_path)
    one = load("where.py")
    monkeypatch.chdir("/")
    document = new_document()
    with current_document(document):
        build_document(one.application, document, one.url)
    assert [root.text for root in document.roots if isinstance(root, Div)] == [str(script)]


def test_arguments_are_the_applications_while_its_script_runs_and_only_then(
    tmp_path: Path,
) -> None:
    script = write(
        tmp_path / "args.py",
        SCRIPT + "import sys\ncurdoc().add_root(Div(text='|'.join(sys.argv)))\n",
    )
    before = list(sys.argv)
    assert built(script, "--rows", "7") == ["args.py|--rows|7"]
    assert sys.argv == before


def test_several_applications_are_keyed_by_their_url(tmp_path: Path) -> None:
    paths = [write(tmp_path / "one.py"), write(tmp_path / "two.py")]
    loaded = load_all(paths)
    assert {url: one.path for url, one in loaded.items()} == {"/one": paths[0], "/two": paths[1]}


# --- what is refused ----------------------------------------------------------------------------


def refused(path: Path | str) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(path)
    error = caught.value
    assert isinstance(error, ApplicationError)
    assert error.path == str(path)
    assert str(error) == f"{path}: {error.reason}"
    assert "\n" not in str(error)
    return error


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.py").reason == "no such file or directory"


def test_another_kind_of_file_is_refused_with_what_would_be_taken(tmp_path: Path) -> None:
    reason = refused(write(tmp_path / "data.csv", "a,b\n")).reason
    assert ".py" in reason and ".ipynb" in reason and "directory" in reason


def test_a_directory_without_a_main_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "main.py" in refused(tmp_path / "empty").reason


def test_a_syntax_error_is_refused_in_one_line_that_names_the_line(tmp_path: Path) -> None:
    reason = refused(write(tmp_path / "broken.py", "x = 1\nif True print(x)\n")).reason
    assert "broken.py" in reason
    assert "line 2" in reason


def test_a_syntax_error_in_a_directory_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "broken" / "main.py", "def f(:\n")
    assert "line 1" in refused(tmp_path / "broken").reason


def test_a_syntax_error_in_a_hook_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "hooked" / "main.py")
    write(tmp_path / "hooked" / "app_hooks.py", "def f(:\n")
    assert "app_hooks.py" in refused(tmp_path / "hooked").reason


def test_a_hook_file_that_raises_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "hooked" / "main.py")
    write(tmp_path / "hooked" / "app_hooks.py", "raise RuntimeError('no database')\n")
    assert "no database" in refused(tmp_path / "hooked").reason


def test_a_notebook_that_is_not_one_is_refused(tmp_path: Path) -> None:
    refused(write(tmp_path / "book.ipynb", "not a notebook"))


def test_a_name_that_makes_no_url_path_is_refused(tmp_path: Path) -> None:
    assert "what?" in refused(write(tmp_path / "what?.py")).reason


def test_two_applications_of_one_name_are_refused_with_both_paths(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a" / "same.py"), write(tmp_path / "b" / "same.py")
    with pytest.raises(LoadError) as caught:
        load_all([first, second])
    assert caught.value.path == str(second)
    assert str(first) in caught.value.reason
    assert "/same" in caught.value.reason


# --- what it says of itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""A title."""\n', ("A title", "")),
        ('"""A title.\n\nOne paragraph\nof two lines.\n\nAnother.\n"""\n',
         ("A title", "One paragraph of two lines.")),
        ("'''A title\nand more'''\n", ("A title", "and more")),
        ("x = 1\n", ("Some app name", "")),
        ('""""""\n', ("Some app name", "")),
        ("this is no Python\n", ("Some app name", "")),
        ("", ("Some app name", "")),
    ],
)
def test_title_and_description_come_from_the_docstring_or_the_url(
    tmp_path: Path, source: str, expected: tuple[str, str]
) -> None:
    assert describe(write(tmp_path / "x.py", source), "/some_app-name") == expected


def test_a_directory_is_described_by_its_main_file(tmp_path: Path) -> None:
    write(tmp_path / "board" / "main.py", '"""The board."""\n')
    assert describe(tmp_path / "board", "/board") == ("The board", "")


def test_a_notebook_is_described_by_its_first_code_cell(tmp_path: Path) -> None:
    path = write(
        tmp_path / "book.ipynb", notebook(("markdown", "# No"), ("code", '"""The book."""\nx = 1'))
    )
    assert describe(path, "/book") == ("The book", "")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells":[]}', '{"cells":[{}]}', "nonsense"])
def test_a_broken_notebook_is_described_by_its_url(tmp_path: Path, text: str) -> None:
    assert describe(write(tmp_path / "b.ipynb", text), "/broken_book") == ("Broken book", "")


def test_what_does_not_exist_is_described_by_its_url(tmp_path: Path) -> None:
    assert describe(tmp_path / "no.py", "/") == ("Application", "")


def test_loading_gives_the_description(tmp_path: Path) -> None:
    one = load(write(tmp_path / "told.py", '"""Told.\n\nIn words.\n"""\n'))
    assert (one.title, one.description) == ("Told", "In words.")
