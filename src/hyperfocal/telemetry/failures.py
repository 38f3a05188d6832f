"""Exceptions of applications in words, within bounds.

Whatever an application raises is told: in the log, in replies, in pages. Its text may have 50
million characters, its ``__str__`` may raise, its traceback may have 100,000 frames and its causes
as many. Here everything of that has an end, and nothing raises. What cannot be bounded is the time
that the application's own ``__str__`` takes.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, cast

__all__ = (
    "TRACEBACK_CHARS",
    "BoundedFormatter",
    "log_failure",
    "shortened",
    "shown",
    "text_of",
    "traceback_of",
    "worded",
)

_TEXT_CHARS = 2_000
_LINE_CHARS = 400
#: How long the text of a traceback may be.
TRACEBACK_CHARS = 32_000
_LOG_CHARS = 64_000
#: Frames that are told of a traceback, from its beginning and from its end.
_FIRST, _LAST = 15, 25
#: Exceptions that are told of a chain of causes, from its beginning and from its end.
_FIRST_CAUSES, _LAST_CAUSES = 4, 4
_MAX_CAUSES = 100_000
#: Exceptions of a group that are told, and how many groups within each other.
_GROUP_WIDTH, _GROUP_DEPTH = 5, 3
_NOTES = 10

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"


def shortened(text: str, chars: int = _TEXT_CHARS) -> str:
    """The text, or so many of its characters, and how many are left out."""
    size = str.__len__(text)  # a subclass may have one of its own
    if size <= chars:
        return str.__str__(text)
    first = chars * 2 // 3
    begin, end = (
        str.__getitem__(text, slice(first)),
        str.__getitem__(text, slice(first - chars, None)),
    )
    return f"{begin} … ({size - chars:,} characters) … {end}"


def text_of(error: BaseException) -> str:
    """``str(error)``, shortened."""
    return _safely(str, error)


def shown(error: BaseException) -> str:
    """``repr(error)``, shortened."""
    return _safely(_represented, error)


def _represented(error: BaseException) -> str:
    if type(error).__repr__ is not BaseException.__repr__:
        return repr(error)
    # Python would write all of a text of 50 MB before it could be shortened.
    args = [shortened(arg) if isinstance(arg, str) else arg for arg in error.args[:_NOTES]]
    parts = [_safely(repr, arg) for arg in args]
    if len(error.args) > _NOTES:
        parts.append("…")
    return f"{type(error).__name__}({', '.join(parts)})"


def worded(error: BaseException) -> str:
    """The kind of exception and its text, shortened: ``ValueError: no such row``."""
    return _safely(lambda one: f"{type(one).__name__}: {text_of(one)}", error, None)


def traceback_of(error: BaseException, began: TracebackType | None = None) -> str:
    """What Python would print of the exception, its causes and its groups, shortened.

    Args:
        error: the exception.
        began: where its own traceback begins; by default where it does.
    """
    return shortened(_safely(lambda _: _all_of(error, began), error, None), TRACEBACK_CHARS)


def log_failure(
    logger: logging.Logger, level: int, message: str, *args: object, error: BaseException
) -> None:
    """Log a message with the exception's traceback, shortened, whatever formats the log."""
    if not logger.isEnabledFor(level):
        return
    exc_info = (type(error), error, error.__traceback__)
    path, line, function, _ = logger.findCaller(stacklevel=2)
    record = logger.makeRecord(
        logger.name, level, path, line, message, args, exc_info, func=function
    )
    record.exc_text = traceback_of(error).rstrip()  # which formatters take if it is there
    logger.handle(record)


class BoundedFormatter(logging.Formatter):
    """Formats records of the log within bounds, whoever logs."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging``."""
        return shortened(super().format(record), _LOG_CHARS)

    def formatException(self, ei: Any) -> str:
        """See ``logging``."""
        error = ei[1]
        return traceback_of(error).rstrip() if error is not None else super().formatException(ei)


def _safely(describe: Callable[[Any], str], value: object, chars: int | None = _TEXT_CHARS) -> str:
    """What a function of somebody else's says of a value, whatever it does instead."""
    try:
        text = describe(value)
        return text if chars is None else shortened(text, chars)
    except BaseException as error:  # SystemExit, too, is only a lack of words
        return f"<{type(value).__name__} without words: {type(error).__name__}>"


def _all_of(error: BaseException, began: TracebackType | None) -> str:
    first, left_out, last = _chain(error)
    texts = [_one(one, began if one is error else None) + joint for one, joint in last]
    if left_out:
        texts.append(f"\n({left_out:,} more exceptions)\n\n")
    texts += [_one(one, began if one is error else None) + joint for one, joint in first]
    return "".join(texts)


_Link = tuple[BaseException, str]


def _chain(error: BaseException) -> tuple[list[_Link], int, list[_Link]]:
    """The exception and its causes, each with what leads to the next: the innermost is first.

    Returns:
        the latest, how many are left out, and the earliest.
    """
    first: list[_Link] = []
    last: deque[_Link] = deque(maxlen=_LAST_CAUSES)
    count = 0
    for link in _links(error):
        count += 1
        (first if len(first) < _FIRST_CAUSES else last).append(link)
    return first[::-1], count - len(first) - len(last), list(last)[::-1]


def _links(error: BaseException) -> Iterator[_Link]:
    seen: set[int] = set()
    following = ""
    found: BaseException | None = error
    while found is not None and id(found) not in seen and len(seen) < _MAX_CAUSES:
        seen.add(id(found))
        yield found, following
        if found.__cause__ is not None:
            found, following = found.__cause__, _CAUSE
        elif not found.__suppress_context__:
            found, following = found.__context__, _CONTEXT
        else:
            found = None


def _one(error: BaseException, began: TracebackType | None = None, depth: int = 0) -> str:
    trace = began if began is not None else error.__traceback__
    head = "Traceback (most recent call last):\n" if trace is not None else ""
    text = f"{head}{_frames(trace)}{_last_lines(error)}"
    if isinstance(error, BaseExceptionGroup):
        text += _members(cast("BaseExceptionGroup[BaseException]", error), depth)
    return text


def _members(group: BaseExceptionGroup[BaseException], depth: int) -> str:
    if depth >= _GROUP_DEPTH:
        return "  | (groups within it)\n"
    texts: list[str] = []
    members = group.exceptions
    for number, member in enumerate(members[:_GROUP_WIDTH], 1):
        texts.append(f"  +---------------- {number} ----------------\n")
        text = "".join(
            _one(one, None, depth + 1) + joint
            for one, joint in reversed(list(_few(_links(member))))
        )
        texts += (f"  | {line}\n" for line in text.splitlines())
    if len(members) > _GROUP_WIDTH:
        texts.append(f"  | ({len(members) - _GROUP_WIDTH:,} more exceptions)\n")
    texts.append("  +------------------------------------\n")
    return "".join(texts)


def _few(links: Iterator[_Link]) -> Iterator[_Link]:
    for _, link in zip(range(_FIRST_CAUSES), links, strict=False):
        yield link


def _frames(trace: TracebackType | None) -> str:
    first: list[TracebackType] = []
    last: deque[TracebackType] = deque(maxlen=_LAST)
    count = 0
    while trace is not None:
        count += 1
        (first if len(first) < _FIRST else last).append(trace)
        trace = trace.tb_next
    left_out = count - len(first) - len(last)
    texts = _entries(first)
    if left_out:
        texts.append(f"  ({left_out:,} more frames)\n")
    return "".join(texts + _entries(list(last)))


def _entries(traces: list[TracebackType]) -> list[str]:
    """As Python prints them; long lines are shortened."""
    trimmed: TracebackType | None = None
    for trace in reversed(traces):
        trimmed = TracebackType(trimmed, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return [
        f"{shortened(line, _LINE_CHARS)}\n"
        for entry in traceback.format_tb(trimmed)
        for line in entry.splitlines()
    ]


def _last_lines(error: BaseException) -> str:
    """The kind and the text, as Python prints them, with notes."""
    if isinstance(error, SyntaxError):
        lines = _safely(_of_syntax_error, error, None)
    else:
        kind = type(error)
        module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
        text = text_of(error)
        lines = (
            f"{module}{kind.__qualname__}: {text}\n" if text else f"{module}{kind.__qualname__}\n"
        )
    notes: Any = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        known = cast("list[object]", notes)
        lines += "".join(f"{_safely(str, note)}\n" for note in known[:_NOTES])
        if len(known) > _NOTES:
            lines += f"({len(known) - _NOTES:,} more notes)\n"
    return lines


def _of_syntax_error(error: SyntaxError) -> str:
    kind = SyntaxError
    for known in (IndentationError, TabError):
        if isinstance(error, known):
            kind = known
    where = (
        shortened(str(error.filename)),
        error.lineno,
        error.offset,
        error.text[:_LINE_CHARS] if error.text else error.text,
        error.end_lineno,
        error.end_offset,
    )
    plain = kind(shortened(str(error.msg)), where)
    return shortened("".join(traceback.format_exception_only(plain)))
