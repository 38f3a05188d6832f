"""From paths to applications."""

from __future__ import annotations

import ast
import inspect
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bokeh.application.application import Application
from bokeh.application.handlers import (
    DirectoryHandler,
    FunctionHandler,
    Handler,
    NotebookHandler,
    ScriptHandler,
)
from bokeh.document import Document
from bokeh.settings import settings
from jinja2 import TemplateSyntaxError

from hyperfocal.errors import LoadError, UsageError
from hyperfocal.telemetry import shortened, shown, text_of

__all__ = (
    "Loaded",
    "application_that_fails",
    "as_application",
    "describe",
    "load",
    "load_all",
    "load_bokeh_settings",
    "load_mended_later",
)

_log = logging.getLogger("hyperfocal")

#: Kinds of pictures, in the order in which they are looked for.
_PICTURES = (".svg", ".webp", ".png", ".jpg", ".jpeg", ".gif")


@dataclass(frozen=True, slots=True)
class Loaded:
    """An application and where to serve it. ``url`` begins with a slash."""

    url: str
    application: Application
    path: Path
    title: str
    description: str
    thumbnail: Path | None = None


def _handler(path: Path, argv: Sequence[str]) -> Handler:
    arguments = list(argv)
    if path.is_dir():
        package = path / "__init__.py"
        if package.exists():
            # Bokeh's handler meets an error in it with an assertion.
            compile(package.read_text(encoding="utf-8"), str(package), "exec")
        return DirectoryHandler(filename=str(path), argv=arguments)
    if path.suffix == ".py":
        return ScriptHandler(filename=str(path), argv=arguments)
    if path.suffix == ".ipynb":
        return NotebookHandler(filename=str(path), argv=arguments)
    raise ValueError("expected a .py script, an .ipynb notebook or a directory")


def load(path: str | Path, argv: Sequence[str] = ()) -> Loaded:
    """Load one application.

    Args:
        path: a script, a notebook, or a directory with ``main.py`` or ``main.ipynb``.
        argv: what the application finds in ``sys.argv[1:]``.

    Raises:
        LoadError: there is no such file, it has a syntax error, or it is not an application.
    """
    given = str(path)
    # The application's own __file__ and working directory must not depend on ours.
    absolute = Path(path).absolute()
    if not absolute.exists():
        raise LoadError(given, "no such file or directory")
    try:
        handler = _handler(absolute, argv)
    except (Exception, SystemExit) as error:
        raise LoadError(given, _one_line(_in_words(error))) from error
    if handler.failed:
        raise LoadError(given, _one_line(shortened(handler.error or "it cannot be loaded")))
    url = handler.url_path() or "/" + absolute.stem
    if not re.fullmatch(r"/[^/?#]+", url):
        raise LoadError(given, f"its name does not make a URL path ({url!r})")
    title, description = describe(absolute, url)
    return Loaded(url, Application(handler), absolute, title, description, thumbnail_of(absolute))


def load_all(
    paths: Sequence[str | Path], argv: Sequence[str] = (), *, dev: bool = False
) -> dict[str, Loaded]:
    """Load several applications, keyed by URL path.

    Args:
        paths: see ``load``.
        argv: see ``load``.
        dev: see ``load_mended_later``.

    Raises:
        LoadError: one cannot be loaded, or two would be served at the same path.
    """
    loaded: dict[str, Loaded] = {}
    for path in paths:
        one = load_mended_later(path, argv) if dev else load(path, argv)
        if one.url in loaded:
            raise LoadError(str(path), f"{loaded[one.url].path} is served at {one.url} already")
        loaded[one.url] = one
    return loaded


def load_mended_later(path: str | Path, argv: Sequence[str] = ()) -> Loaded:
    """Load one application whose mistakes are about to be mended.

    One that is there and cannot be loaded is stood in for by one whose pages say why.

    Raises:
        LoadError: there is no such file, or it is nothing of which an application could be made.
    """
    try:
        return load(path, argv)
    except LoadError as error:
        absolute = Path(path).absolute()
        mains = (absolute / "main.py", absolute / "main.ipynb")
        if not any(main.is_file() for main in mains) and not (
            absolute.is_file() and absolute.suffix in (".py", ".ipynb")
        ):
            raise
        _log.error("%s", error)
        url = "/" + absolute.stem
        return Loaded(url, application_that_fails(error), absolute, _named_after(url), "")


def application_that_fails(error: LoadError) -> Application:
    """What stands in for an application that cannot be loaded."""

    def fail(document: Document) -> None:
        raise error

    return Application(FunctionHandler(fail))


def _in_words(error: BaseException) -> str:
    """What an error says, and where its cause is, for those that do not say so."""
    text = text_of(error) or shown(error)
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name or 'a template'}, line {error.lineno}: {text}"
    return text


def load_bokeh_settings(path: str | Path) -> None:
    """Have Bokeh use this file of its settings (YAML), before variables of the environment.

    Raises:
        LoadError: Bokeh cannot read it.
    """
    try:
        settings.load_config(path)
    except Exception as error:
        raise LoadError(str(path), _one_line(text_of(error))) from error


def _one_line(text: str) -> str:
    return " ".join(text.split())


def describe(path: Path, url: str) -> tuple[str, str]:
    """A title and a description for the index page.

    From the docstring of the application's script (or of a notebook's first code cell): its
    first line, and the paragraph after it. Without one, the title is made from the URL path.
    """
    text = _docstring(path)
    return _title_and_description(text) if text else (_named_after(url), "")


def thumbnail_of(path: Path) -> Path | None:
    """The picture that the index page shows of an application, if it has one.

    ``thumbnail.png`` (or another kind of picture) in the application's directory, or
    ``thumbnails/<name>.png`` beside the script, notebook or directory.
    """
    places = [path.parent / "thumbnails" / path.stem]
    if path.is_dir():
        places.insert(0, path / "thumbnail")
    pictures = (Path(f"{place}{suffix}") for place in places for suffix in _PICTURES)
    return next((picture for picture in pictures if picture.is_file()), None)


def _title_and_description(docstring: str) -> tuple[str, str]:
    title, _, rest = docstring.partition("\n")
    return title.strip().rstrip("."), _one_line(re.split(r"\n\s*\n", rest.strip())[0])


def _named_after(url: str) -> str:
    name = url.strip("/").replace("_", " ").replace("-", " ").strip() or "Application"
    return name[0].upper() + name[1:]


def _docstring(path: Path) -> str | None:
    if path.is_dir():
        main = path / "main.py"
        path = main if main.exists() else path / "main.ipynb"
    try:
        source = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = json.loads(source)["cells"]
            source = next("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        return ast.get_docstring(ast.parse(source))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, StopIteration):
        return None  # what cannot be read has no docstring; loading it reports the cause


def as_application(thing: Any, url: str) -> tuple[Application, str, str]:
    """An application with its title and description, from an application or a function.

    Raises:
        UsageError: it is neither.
    """
    title, description = _named_after(url), ""
    if isinstance(thing, Application):
        return thing, title, description
    if not callable(thing):
        raise UsageError(f"what is to be served at {url} is not an application: {thing!r}")
    function: Any = thing
    text = inspect.getdoc(function) if inspect.isroutine(function) else None
    if text:
        title, description = _title_and_description(text)
    return Application(FunctionHandler(function)), title, description
