"""Running an application to fill a document, and every way in which it can fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bokeh.io
import pytest
from bokeh.application.application import Application
from bokeh.application.handlers import FunctionHandler, Handler, ScriptHandler
from bokeh.document import Document
from bokeh.models.widgets import Div

from hyperfocal.application import build_document, load
from hyperfocal.errors import BuildError

IO_FUNCTIONS = ("output_notebook", "output_file", "show", "save", "reset_output")


@pytest.fixture(autouse=True)
def _bokeh_io_as_it_was() -> Iterator[None]:
    functions = {name: getattr(bokeh.io, name) for name in IO_FUNCTIONS}
    yield
    now = {name: getattr(bokeh.io, name) for name in IO_FUNCTIONS}
    for name, function in functions.items():
        setattr(bokeh.io, name, function)
    assert now == functions, "the functions of bokeh.io were left replaced"


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Application]:
    def made(source: str) -> Application:
        path = tmp_path / "app.py"
        path.write_text(source, encoding="utf-8")
        return load(path).application

    return made


def failure(application: Application) -> BuildError:
    with pytest.raises(BuildError) as caught:
        build_document(application, Document(), "/app")
    assert caught.value.url == "/app"
    return caught.value


def test_the_document_is_filled_by_all_handlers_in_order() -> None:
    application = Application(
        FunctionHandler(lambda doc: doc.add_root(Div(text="a"))),
        FunctionHandler(lambda doc: doc.add_root(Div(text="b"))),
    )
    document = Document()
    build_document(application, document, "/app")
    roots: list[Any] = document.roots
    assert [root.text for root in roots] == ["a", "b"]


def test_a_script_fills_the_document_through_curdoc(
    script: Callable[[str], Application],
) -> None:
    document = Document()
    source = "from bokeh.io import curdoc\ncurdoc().title = 'from the script'\n"
    build_document(script(source), document, "/app")
    assert document.title == "from the script"


def test_a_script_that_raises_fails_the_build_with_its_traceback(
    script: Callable[[str], Application],
) -> None:
    error = failure(script("def compute():\n    return 1 / 0\n\ncompute()\n"))
    assert "division by zero" in error.summary
    assert "ZeroDivisionError" in error.detail
    assert "app.py" in error.detail
    assert "compute" in error.detail


def test_a_script_that_failed_once_can_succeed_the_next_time(
    script: Callable[[str], Application], monkeypatch: pytest.MonkeyPatch
) -> None:
    application = script("import sys\nassert sys.hyperfocal_test\n")
    monkeypatch.setattr(sys, "hyperfocal_test", False, raising=False)
    failure(application)
    monkeypatch.setattr(sys, "hyperfocal_test", True)
    build_document(application, Document(), "/app")


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.exit(3)",
        "import sys\nsys.exit()",
        "import sys\nsys.exit('no data today')",
        "raise SystemExit",
    ],
)
def test_a_script_that_exits_fails_the_build_and_not_the_server(
    script: Callable[[str], Application], source: str
) -> None:
    functions = {name: getattr(bokeh.io, name) for name in IO_FUNCTIONS}
    error = failure(script(source))
    assert error.summary.startswith("SystemExit")
    assert isinstance(error.__cause__, SystemExit)
    assert {name: getattr(bokeh.io, name) for name in IO_FUNCTIONS} == functions


def test_the_exit_message_is_in_the_summary(script: Callable[[str], Application]) -> None:
    assert "no data today" in failure(script("import sys\nsys.exit('no data today')")).summary


def test_after_a_script_that_exits_paths_and_arguments_are_as_before(
    script: Callable[[str], Application],
) -> None:
    before = list(sys.path), list(sys.argv)
    failure(script("import sys\nsys.path.append('x')\nsys.argv.append('y')\nsys.exit()"))
    assert (sys.path, sys.argv) == before


def test_an_interrupt_that_a_script_raises_is_its_own_failure(
    script: Callable[[str], Application],
) -> None:
    with pytest.raises(BuildError, match="KeyboardInterrupt"):
        build_document(script("raise KeyboardInterrupt"), Document(), "/app")
    # The fixture checks the functions of bokeh.io.


def test_show_and_its_like_do_nothing_while_a_script_runs(
    script: Callable[[str], Application],
) -> None:
    source = "import bokeh.io\nbokeh.io.show(None)\nbokeh.io.output_file('x.html')\n"
    build_document(script(source), Document(), "/app")


def test_a_function_that_raises_fails_the_build_with_its_traceback() -> None:
    cause = LookupError("no such table")

    def modify(doc: Document) -> None:
        raise cause

    error = failure(Application(FunctionHandler(modify)))
    assert error.summary == "LookupError: no such table"
    assert error.__cause__ is cause
    assert "Traceback" in error.detail
    assert "in modify" in error.detail


def test_a_function_that_exits_fails_the_build() -> None:
    def modify(doc: Document) -> None:
        sys.exit(1)

    assert failure(Application(FunctionHandler(modify))).summary == "SystemExit: 1"


class Failing(Handler):
    """Reports failure without raising, as handlers of Bokeh do."""

    def __init__(self, message: str | None, detail: str | None) -> None:
        super().__init__()
        self._failed, self._error, self._error_detail = True, message, detail

    def modify_document(self, doc: Document) -> None:
        pass


def test_a_handler_that_reports_failure_without_raising_fails_the_build() -> None:
    error = failure(Application(Failing("it went wrong", "at line 7")))
    assert (error.summary, error.detail) == ("it went wrong", "at line 7")


def test_a_handler_that_gives_no_reason_is_named() -> None:
    error = failure(Application(Failing(None, None)))
    assert (error.summary, error.detail) == ("Failing failed", "")


def test_a_failure_of_any_handler_fails_the_build() -> None:
    good = FunctionHandler(lambda doc: None)
    error = failure(Application(good, Failing("the second", "")))
    assert error.summary == "the second"


def test_a_script_with_a_syntax_error_fails_the_build(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text("def (", encoding="utf-8")
    assert "syntax" in failure(Application(ScriptHandler(filename=str(path)))).summary
