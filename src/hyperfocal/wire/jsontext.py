"""JSON text, strict: no NaN, no infinities, no surprises from deep nesting."""

from __future__ import annotations

import gc
import json
import re
import threading
from collections.abc import Callable
from itertools import islice
from math import isfinite
from typing import Any, NoReturn

import orjson

from hyperfocal.errors import InvalidDataError, MessageTooBigError

__all__ = ("LARGE_CHARS", "dump_json", "json_string", "load_json", "load_large_json")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _whole(text: str) -> int | float:
    """As orjson reads it: what takes more than 64 bits becomes a float."""
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 64 else _finite(text)


def load_json(text: str | bytes | memoryview, what: str) -> Any:
    """Decode JSON text.

    Args:
        text: the text, or its UTF-8 bytes.
        what: names the text in the error.

    Raises:
        InvalidDataError: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # JSON.stringify writes half a surrogate pair as an escape ("\ud83d"). orjson refuses
        # that, and a person who deletes half an emoji must not lose the connection.
        if isinstance(text, str) and "\\ud" in text.lower():
            try:
                return json.loads(
                    text,
                    parse_constant=_refuse_constant,
                    parse_float=_finite,
                    parse_int=_whole,
                )
            except (ValueError, RecursionError):
                pass
        raise InvalidDataError(f"the {what} is not valid JSON") from error


#: Text that may hold so many lists that the collector of garbage has to be thought of.
LARGE_CHARS = 1_000_000


def load_large_json(text: str, what: str, containers: int) -> Any:
    """``load_json`` of text of any size, with at most so many lists and objects in it.

    They are counted before they are made: everybody waits while the parser keeps the interpreter.
    Python's collector rests meanwhile, because it would look through all of them, again and again.

    Raises:
        InvalidDataError: it is not JSON.
        MessageTooBigError: there are more.
    """
    brackets = text.count("[") + text.count("{")
    if brackets > containers and _begins(text, containers) > containers:
        raise MessageTooBigError(f"the {what} has more than {containers:,} lists and objects")
    with _collector_at_rest:
        return load_json(text, what)


#: A string, which may have brackets in it, or what begins a list or an object.
_STRING_OR_BEGIN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]', re.DOTALL)


def _begins(text: str, most: int) -> int:
    """How many lists and objects begin in a text; one more than ``most`` if there are more."""
    found = (match for match in _STRING_OR_BEGIN.finditer(text) if text[match.start()] != '"')
    return sum(1 for _ in islice(found, most + 1))


class _CollectorAtRest:
    """Within, in however many threads, garbage is not collected."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def __exit__(self, *exc_info: object) -> None:
        with self._guard:
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()


_collector_at_rest = _CollectorAtRest()


def _only_numbers(obj: Any) -> Any:
    if isinstance(obj, float):
        return float(obj)
    raise TypeError(f"{type(obj).__name__} has no JSON form")


#: Of what orjson refuses, what the standard library writes as it should be.
_OTHERS_CAN = ("surrogates", "UTF-8", "Recursion limit")


def dump_json(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """Encode as compact JSON text.

    Dataclasses are never written by themselves: they go to ``default``, as all foreign types do.
    Subclasses of ``float``, such as NumPy's, are written as the numbers they are.

    Raises:
        TypeError: a value has no JSON form and ``default`` did not give one.
    """
    foreign = _only_numbers
    if default is not None:
        others = default

        def foreign(obj: Any) -> Any:
            return float(obj) if isinstance(obj, float) else others(obj)

    try:
        return orjson.dumps(value, foreign, orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError as error:
        # orjson refuses lone surrogates ("str is not valid UTF-8"); the standard library
        # escapes them, which is what JSON.stringify does too. It also goes deeper than the 254
        # levels of orjson; a layout in a layout is four levels.
        if not any(words in str(error) for words in _OTHERS_CAN):
            raise
        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=foreign)


def json_string(text: str) -> bytes:
    """A string as JSON; ids, which need no escapes, at once."""
    if text.isalnum() and text.isascii():
        return b'"%b"' % text.encode()
    return dump_json(text).encode()
