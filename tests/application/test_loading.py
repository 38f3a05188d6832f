"""From paths to applications: what loads, under which URL, and what is said of what does not."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from bokeh.application.application import Application
from bokeh.application.handlers import DirectoryHandler, NotebookHandler, ScriptHandler
from bokeh.document import Document

from hyperfocal.application import Loaded, as_application, build_document, describe, load, load_all
from hyperfocal.errors import ApplicationError, LoadError, UsageError

SCRIPT = """\
from bokeh.io import curdoc
from bokeh.models import Div
import sys
curdoc().add_root(Div(text=" ".join(sys.argv[1:]), name=__file__))
"""


@pytest.fixture(autouse=True)
def _modules_and_paths_as_they_were() -> Any:
    modules, paths, argv = set(sys.modules), list(sys.path), list(sys.argv)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith("bokeh_app_"):
            del sys.modules[name]
    assert sys.path == paths
    assert sys.argv == argv


def write(path: Path, text: str = SCRIPT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def notebook(path: Path, *cells: str) -> Path:
    return write(
        path,
        json.dumps(
            {
                "cells": [
                    {"cell_type": "markdown", "id": "intro", "metadata": {}, "source": ["# Words"]},
                    *(
                        {
                            "cell_type": "code",
                            "execution_count": None,
                            "id": f"cell-{index}",
                            "metadata": {},
                            "outputs": [],
                            "source": cell.splitlines(keepends=True),
                        }
                        for index, cell in enumerate(cells)
                    ),
                ],
                "metadata": {"language_info": {"name": "python"}},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        ),
    )


def root_of(loaded: Loaded) -> Any:
    document = Document()
    build_document(loaded.application, document, loaded.url)
    (root,) = document.roots
    return root


def refused(path: str | Path) -> LoadError:
    with pytest.raises(LoadError) as caught:
        load(path)
    return caught.value


# --- what loads -----------------------------------------------------------------------------------


def test_a_script_is_served_under_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "sliders.py")
    loaded = load(path, ["--rows", "7"])
    assert (loaded.url, loaded.path) == ("/sliders", path)
    assert isinstance(loaded.application.handlers[0], ScriptHandler)
    assert root_of(loaded).text == "--rows 7"


def test_without_arguments_a_script_sees_none(tmp_path: Path) -> None:
    assert root_of(load(write(tmp_path / "app.py"))).text == ""


def test_a_directory_is_served_under_its_name(tmp_path: Path) -> None:
    main = write(tmp_path / "dashboard" / "main.py")
    loaded = load(main.parent, ["x"])
    assert loaded.url == "/dashboard"
    assert isinstance(loaded.application.handlers[0], DirectoryHandler)
    root = root_of(loaded)
    assert (root.text, root.name) == ("x", str(main))


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_behind_a_directory_makes_no_difference(tmp_path: Path, slash: str) -> None:
    main = write(tmp_path / "dashboard" / "main.py")
    assert load(f"{main.parent}{slash}").url == "/dashboard"


def test_a_notebook_is_served_under_its_name(tmp_path: Path) -> None:
    loaded = load(notebook(tmp_path / "report.ipynb", SCRIPT), ["y"])
    assert loaded.url == "/report"
    assert isinstance(loaded.application.handlers[0], NotebookHandler)
    assert root_of(loaded).text == "y"


def test_a_directory_may_hold_a_notebook(tmp_path: Path) -> None:
    main = notebook(tmp_path / "report" / "main.ipynb", '"""A report."""', SCRIPT)
    loaded = load(main.parent, ["z"])
    assert (loaded.url, loaded.title) == ("/report", "A report")
    assert root_of(loaded).text == "z"


def test_an_application_does_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "app.py")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    loaded = load("app.py")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert loaded.path == path
    assert root_of(loaded).name == str(path)


def test_loading_a_script_does_not_run_it(tmp_path: Path) -> None:
    load(write(tmp_path / "app.py", "raise RuntimeError('ran')"))


def test_a_loaded_application_makes_documents_that_share_nothing(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "app.py"))
    assert root_of(loaded) is not root_of(loaded)


@pytest.mark.parametrize("name", ["my app", "naïve", "a.b", "a-b_c"])
def test_unusual_names_are_kept_in_the_url(tmp_path: Path, name: str) -> None:
    assert load(write(tmp_path / f"{name}.py")).url == f"/{name}"


# --- what does not --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["missing.py", "missing.ipynb", "missing", "missing.txt"])
def test_a_missing_file_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    error = refused(name)
    assert (error.path, error.reason) == (name, "no such file or directory")
    assert str(error) == f"{name}: no such file or directory"
    assert isinstance(error, ApplicationError)


@pytest.mark.parametrize("name", ["notes.txt", "app.PY", "app", "app.pyc"])
def test_a_wrong_suffix_is_refused_with_the_right_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name)
    error = refused(name)
    assert ".py" in error.reason
    assert ".ipynb" in error.reason


@pytest.mark.parametrize("name", ["notes.txt", "bad.py", "empty", "bad.ipynb"])
def test_an_error_names_the_path_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "notes.txt")
    write(tmp_path / "bad.py", "def (")
    write(tmp_path / "bad.ipynb", "not json")
    (tmp_path / "empty").mkdir()
    assert refused(name).path == name


def test_a_syntax_error_is_told_in_one_line_with_the_file_and_its_line(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "bad.py", "x = 1\ny = (\n"))
    assert "bad.py" in error.reason
    assert "line 2" in error.reason
    assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["main.py", "app_hooks.py", "server_lifecycle.py", "__init__.py"])
def test_a_syntax_error_anywhere_in_a_directory_names_the_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / "dashboard" / "main.py")
    write(tmp_path / "dashboard" / name, "def (")
    error = refused(tmp_path / "dashboard")
    assert name in error.reason
    assert "\n" not in error.reason


def test_a_syntax_error_in_a_notebook_is_told_in_one_line(tmp_path: Path) -> None:
    error = refused(notebook(tmp_path / "bad.ipynb", "def ("))
    assert "bad.ipynb" in error.reason
    assert "\n" not in error.reason


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}"])
def test_a_notebook_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    error = refused(write(tmp_path / "bad.ipynb", text))
    assert error.reason
    assert "\n" not in error.reason
    assert error.__cause__ is not None


def test_a_directory_without_main_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    write(tmp_path / "dashboard" / "other.py")
    assert "main.py" in refused(tmp_path / "dashboard").reason


def test_two_kinds_of_hooks_in_one_directory_are_refused(tmp_path: Path) -> None:
    for name in ("main.py", "app_hooks.py", "server_lifecycle.py"):
        write(tmp_path / "dashboard" / name, "")
    assert "app_hooks.py" in refused(tmp_path / "dashboard").reason


def test_hooks_that_raise_when_they_are_loaded_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "dashboard" / "main.py")
    write(tmp_path / "dashboard" / "app_hooks.py", "1 / 0")
    error = refused(tmp_path / "dashboard")
    assert "division by zero" in error.reason
    assert "\n" not in error.reason


def test_hooks_that_exit_when_they_are_loaded_do_not_end_the_server(tmp_path: Path) -> None:
    write(tmp_path / "dashboard" / "main.py")
    write(tmp_path / "dashboard" / "app_hooks.py", "import sys\nsys.exit('no data today')")
    assert "no data today" in refused(tmp_path / "dashboard").reason


def test_hooks_with_the_wrong_signature_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "dashboard" / "main.py")
    write(tmp_path / "dashboard" / "app_hooks.py", "def on_session_created():\n    pass\n")
    assert "on_session_created" in refused(tmp_path / "dashboard").reason


def test_a_script_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_bytes(b"\xff\xfe\x00")
    assert "\n" not in refused(path).reason


@pytest.mark.parametrize("name", ["what?", "50#1"])
def test_a_name_that_makes_no_url_path_is_refused(tmp_path: Path, name: str) -> None:
    assert "URL" in refused(write(tmp_path / f"{name}.py")).reason


# --- several --------------------------------------------------------------------------------------


def test_several_applications_are_kept_by_their_urls_in_order(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{name}.py") for name in "cab"]
    loaded = load_all(paths, ["x"])
    assert list(loaded) == ["/c", "/a", "/b"]
    assert [root_of(one).text for one in loaded.values()] == ["x"] * 3


def test_two_applications_at_one_url_are_refused_and_both_are_named(tmp_path: Path) -> None:
    first = write(tmp_path / "one" / "app.py")
    second = notebook(tmp_path / "two" / "app.ipynb", SCRIPT)
    with pytest.raises(LoadError) as caught:
        load_all([first, second])
    assert caught.value.path == str(second)
    assert str(first) in caught.value.reason
    assert "/app" in caught.value.reason


def test_one_application_that_cannot_be_loaded_is_enough_to_stop(tmp_path: Path) -> None:
    good = write(tmp_path / "good.py")
    with pytest.raises(LoadError, match=r"missing\.py"):
        load_all([good, tmp_path / "missing.py"])


def test_no_applications_are_none() -> None:
    assert load_all([]) == {}


# --- titles and descriptions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "title", "description"),
    [
        ('"""Sliders."""', "Sliders", ""),
        ('"""Sliders"""\nx = 1', "Sliders", ""),
        ('"""A. B. C."""', "A. B. C", ""),
        (
            '"""Sliders.\n\nMove them.\nAll of them.\n\nNot this.\n"""',
            "Sliders",
            "Move them. All of them.",
        ),
        ('"""\n    Sliders.\n\n    Move   them.\n"""', "Sliders", "Move them."),
        ('"""Sliders.\nNo empty line."""', "Sliders", "No empty line."),
        ('"""Sliders.\n \n\t\nMove them.\n  \nNot this."""', "Sliders", "Move them."),
        ('# comment\n"""Größe 日本."""', "Größe 日本", ""),
        ("", "My nice app", ""),
        ("x = 1\n'''not a docstring'''", "My nice app", ""),
        ('""""""', "My nice app", ""),
        ('"""   """', "My nice app", ""),
        ("def (", "My nice app", ""),
        ('"""null \x00 byte"""', "My nice app", ""),
    ],
)
def test_title_and_description_come_from_the_docstring_or_the_url(
    tmp_path: Path, source: str, title: str, description: str
) -> None:
    path = write(tmp_path / "any.py", source)
    assert describe(path, "/my_nice-app") == (title, description)


@pytest.mark.parametrize(
    ("url", "title"),
    [("/", "Application"), ("/a", "A"), ("/my_nice-app", "My nice app"), ("/-", "Application")],
)
def test_without_a_docstring_the_title_is_made_from_the_url(
    tmp_path: Path, url: str, title: str
) -> None:
    assert describe(tmp_path / "missing.py", url) == (title, "")


def test_a_directory_is_described_by_its_main_script_and_not_by_its_notebook(
    tmp_path: Path,
) -> None:
    notebook(tmp_path / "main.ipynb", '"""From the notebook."""')
    assert describe(tmp_path, "/x")[0] == "From the notebook"
    write(tmp_path / "main.py", '"""From the script."""')
    assert describe(tmp_path, "/x")[0] == "From the script"


def test_an_empty_directory_is_described_by_its_url(tmp_path: Path) -> None:
    assert describe(tmp_path, "/some_app") == ("Some app", "")


def test_a_notebook_is_described_by_its_first_code_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path / "n.ipynb", '"""First.\n\nMore."""\nx = 1', '"""Second."""')
    assert describe(path, "/x") == ("First", "More.")


def test_a_notebook_whose_source_is_one_string_is_read_too(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": '"""One string."""\nx = 1'}]
    path = write(tmp_path / "n.ipynb", json.dumps({"cells": cells}))
    assert describe(path, "/x")[0] == "One string"


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", '{"cells":[]}', '{"cells":["x"]}', '{"cells":[{}]}', '{"cells":5}'],
)
def test_a_broken_notebook_is_described_by_its_url(tmp_path: Path, text: str) -> None:
    assert describe(write(tmp_path / "n.ipynb", text), "/some_app") == ("Some app", "")


def test_a_file_that_is_no_text_is_described_by_its_url(tmp_path: Path) -> None:
    path = tmp_path / "n.py"
    path.write_bytes(b'"""\xff"""')
    assert describe(path, "/some_app") == ("Some app", "")


def test_a_loaded_application_has_its_title_and_description(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "my_app.py", '"""Sliders.\n\nMove them."""'))
    assert (loaded.title, loaded.description) == ("Sliders", "Move them.")
    assert load(write(tmp_path / "my_app.py", "")).title == "My app"


# --- applications made in Python ------------------------------------------------------------------


def test_an_application_is_taken_as_it_is() -> None:
    application = Application()
    assert as_application(application, "/my_app") == (application, "My app", "")


def test_a_function_becomes_an_application_that_runs_it() -> None:
    seen: list[Document] = []

    def modify(doc: Document) -> None:
        """Sliders.

        Move them.
        """
        seen.append(doc)

    application, title, description = as_application(modify, "/x")
    assert (title, description) == ("Sliders", "Move them.")
    document = Document()
    build_document(application, document, "/x")
    assert seen == [document]


def test_a_function_without_a_docstring_is_named_after_its_url() -> None:
    def modify(doc: Document) -> None: ...

    assert as_application(modify, "/my_app")[1:] == ("My app", "")


def test_a_partial_function_is_not_described_by_the_class_of_partial_functions() -> None:
    def modify(doc: Document, rows: int) -> None: ...

    assert as_application(functools.partial(modify, rows=3), "/my_app")[1:] == ("My app", "")


@pytest.mark.parametrize("thing", [None, 5, "app.py", [], {}], ids=repr)
def test_what_is_neither_application_nor_function_is_a_usage_error(thing: object) -> None:
    with pytest.raises(UsageError, match="/my_app"):
        as_application(thing, "/my_app")


def test_a_function_that_takes_no_document_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="doc"):
        as_application(lambda: None, "/my_app")
