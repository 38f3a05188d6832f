"""Exceptions in words, within bounds."""

from __future__ import annotations

import io
import logging
import sys
import time
import traceback
import tracemalloc
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from hyperfocal.telemetry import (
    BoundedFormatter,
    log_failure,
    shortened,
    shown,
    text_of,
    traceback_of,
    worded,
)

LIMIT = 33_000


def raised(error: BaseException, *, within: Callable[[], Any] | None = None) -> BaseException:
    """The exception, with a traceback."""
    try:
        if within is not None:
            within()
        raise error
    except BaseException as caught:
        return caught


def fails(depth: int) -> NoReturn:
    if depth:
        fails(depth - 1)
    raise ValueError("deep down")


class Silent(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class Endless(Exception):
    def __str__(self) -> str:
        return f"{self}"

    __repr__ = __str__


class Text(str):
    """Claims to be short."""

    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: object) -> str:
        return "wrong"


class OfText(Exception):
    def __str__(self) -> str:
        return Text("x" * 1_000_000)


class Arguments(Exception):
    @property
    def args(self) -> Any:  # type: ignore[override]
        raise RuntimeError("none")


@pytest.mark.parametrize(
    "error",
    [
        raised(ValueError("ordinary")),
        raised(KeyError("key")),
        raised(ValueError()),
        raised(OSError(2, "no such file", "name")),
        raised(SyntaxError("bad", ("file.py", 3, 5, "x = 0900\n", 3, 8))),
        raised(IndentationError("bad", ("file.py", 3, 5, "x = 0900\n"))),
        raised(Exception("two\nlines")),
        raised(KeyboardInterrupt()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_ordinary_exceptions_are_told_as_python_tells_them(error: BaseException) -> None:
    assert traceback_of(error) == "".join(traceback.format_exception(error))
    assert shown(error) == repr(error)
    assert text_of(error) == str(error)
    assert worded(error) == f"{type(error).__name__}: {error}"


def test_causes_contexts_and_notes_are_told_as_python_tells_them() -> None:
    first = raised(ValueError(), within=lambda: fails(2))
    second = raised(KeyError("second"))
    second.__cause__ = first
    error = raised(ValueError("last"))
    error.__context__ = second
    error.add_note("a note")
    assert traceback_of(error) == "".join(traceback.format_exception(error))
    hidden = raised(TypeError("hidden"))
    hidden.__context__, hidden.__suppress_context__ = error, True
    assert traceback_of(hidden) == "".join(traceback.format_exception(hidden))


def test_where_the_traceback_begins_can_be_said() -> None:
    try:
        fails(3)
    except ValueError as caught:
        error = caught
    assert error.__traceback__ is not None
    began = error.__traceback__.tb_next
    assert traceback_of(error, began) == "".join(
        traceback.format_exception(type(error), error, began)
    )


@pytest.mark.parametrize("kind", [Silent, Endless, OfText, Arguments])
def test_words_that_do_not_come_are_said_to_be_missing(kind: type[Exception]) -> None:
    error = raised(kind("a"))
    for text in (text_of(error), shown(error), worded(error), traceback_of(error)):
        assert type(text) is str
        assert len(text) < 5_000
    assert kind.__name__ in worded(error)
    assert kind.__name__ in traceback_of(error)
    assert "test_failures.py" in traceback_of(error)
    assert len(text_of(OfText())) < 3_000


def group_of_groups(depth: int) -> Exception:
    error: Any = ValueError("innermost")
    for _ in range(depth):
        error = ExceptionGroup("outer", [error])
    outermost: Exception = error
    return outermost


def chain(length: int) -> BaseException:
    error: BaseException = ValueError("link 0")
    for number in range(1, length):
        link = raised(ValueError(f"link {number}"))
        link.__cause__, error = error, link
    return error


def circle() -> BaseException:
    first, second = ValueError("first"), ValueError("second")
    first.__context__ = second
    second.__context__ = first
    return first


def noted() -> BaseException:
    error = ValueError("noted")
    for _ in range(1_000):
        error.add_note("z" * 100_000)
    return error


HUGE = "x" * 50_000_000
syntax_error: Any = SyntaxError


@pytest.mark.parametrize(
    ("make", "has"),
    [
        (lambda: ValueError(HUGE), "(49,998,000 characters)"),
        (lambda: ValueError(HUGE, HUGE), "characters"),
        (lambda: ExceptionGroup("many", [ValueError("y")] * 100_000), "99,995 more exceptions"),
        (lambda: group_of_groups(100_000), "groups within it"),
        (lambda: chain(20_000), "(19,992 more exceptions)"),
        (circle, "first"),
        (noted, "(990 more notes)"),
        (lambda: SyntaxError(HUGE[:1_000_000], ("f.py", 1, 5, HUGE, 1, 9)), "f.py"),
        (lambda: syntax_error("m", (3, "line", object(), 5)), "SyntaxError"),
    ],
    ids=["text", "texts", "wide", "nested", "chain", "circle", "notes", "line", "nonsense"],
)
def test_what_has_no_end_is_told_within_bounds(make: Callable[[], BaseException], has: str) -> None:
    error = raised(make())
    tracemalloc.start()
    began = time.process_time()
    try:
        texts = text_of(error), shown(error), worded(error), traceback_of(error)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(map(len, texts)) < LIMIT
    assert has in texts[3]
    assert peak < 250_000_000
    assert time.process_time() - began < 5
    while error.__cause__ is not None:  # Python would take it apart from the outside, in C
        error = error.__cause__


def test_a_traceback_of_100_000_frames_has_its_beginning_and_its_end() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(150_000)
    try:
        fails(100_000)
    except ValueError as caught:
        error = caught
    finally:
        sys.setrecursionlimit(limit)
    began = time.process_time()
    text = traceback_of(error)
    assert time.process_time() - began < 2
    assert "in test_a_traceback_of_100_000_frames" in text
    assert "more frames)" in text
    assert text.endswith("ValueError: deep down\n")
    assert len(text) < LIMIT


def test_lines_of_source_are_shortened(tmp_path: Any) -> None:
    script = tmp_path / "long.py"
    script.write_text(f"x = {{}}; x['{'k' * 1_000_000}']")
    error = raised(
        ValueError(), within=lambda: exec(compile(script.read_text(), str(script), "exec"), {})
    )
    assert isinstance(error, KeyError)
    text = traceback_of(error)
    assert "long.py" in text
    assert len(text) < 10_000


def test_a_short_text_is_left_as_it_is() -> None:
    assert shortened("text") == "text"
    assert shortened("ab" * 50, 10).startswith("ababab … (90 characters) … ")


def logged(logger: logging.Logger, formatter: logging.Formatter) -> io.StringIO:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter)
    logger.handlers, logger.propagate = [handler], False
    return text


def test_failures_are_logged_within_bounds_whatever_formats_the_log() -> None:
    logger = logging.getLogger("tests.failures")
    text = logged(logger, logging.Formatter("%(levelname)s %(funcName)s %(message)s"))
    log_failure(logger, logging.ERROR, "failed: %s", "x", error=raised(ValueError(HUGE)))
    log_failure(logger, logging.DEBUG, "not shown", error=ValueError())
    lines = text.getvalue().splitlines()
    assert lines[0].startswith(
        "ERROR test_failures_are_logged_within_bounds_whatever_formats_the_log failed: x"
    )
    assert lines[1] == "Traceback (most recent call last):"
    assert len(text.getvalue()) < LIMIT


def test_the_servers_log_bounds_what_others_log() -> None:
    logger = logging.getLogger("tests.others")
    text = logged(logger, BoundedFormatter("%(message)s"))
    error = raised(Silent())
    logger.error("%s", HUGE, exc_info=error)
    logger.error("nothing", exc_info=(None, None, None))
    assert "Silent" in text.getvalue()
    assert len(text.getvalue()) < 70_000
