"""JSON text: strict in what it takes, compact and valid in what it writes."""

from __future__ import annotations

import gc
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from hyperfocal.errors import InvalidDataError, MessageTooBigError
from hyperfocal.wire import dump_json, jsontext, load_json
from hyperfocal.wire.jsontext import LARGE_CHARS, load_large_json


@dataclass
class Point:
    x: int


class Celsius(float):
    pass


def described(value: Any) -> str:
    return f"a {type(value).__name__}"


def test_text_is_compact_and_keeps_the_order_of_keys() -> None:
    assert dump_json({"b": [1, 2.5, None, True], "a": {}}) == '{"b":[1,2.5,null,true],"a":{}}'


def test_other_alphabets_are_written_as_they_are() -> None:
    assert dump_json("naïve 日本 😀") == '"naïve 日本 😀"'


@pytest.mark.parametrize(
    "value",
    ["\ud83d", "a\ude00b", ["\ud83d", 1.5], {"\ud83d": 1}, {"a": {"b": ["\udfff"]}}],
    ids=ascii,
)
def test_lone_surrogates_are_escaped_and_come_back(value: Any) -> None:
    text = dump_json(value)
    assert text.isascii()
    assert load_json(text, "value") == value


def test_text_with_lone_surrogates_is_compact_too() -> None:
    assert dump_json({"a": ["\ud83d", 1]}) == '{"a":["\\ud83d",1]}'


@pytest.mark.parametrize("company", [None, "\ud83d"], ids=["alone", "beside a lone surrogate"])
@pytest.mark.parametrize(
    ("value", "written"),
    [(np.float64(1.5), 1.5), (Celsius(-3.25), -3.25), (np.float64(0.1), 0.1)],
    ids=repr,
)
def test_subclasses_of_float_are_numbers(value: float, written: float, company: str | None) -> None:
    assert json.loads(dump_json([value, company])) == [written, company]
    assert json.loads(dump_json([value, company], described)) == [written, company]


@pytest.mark.parametrize("company", [None, "\ud83d"], ids=["alone", "beside a lone surrogate"])
@pytest.mark.parametrize(
    "value", [Point(1), {1, 2}, np.int64(1), np.float32(1), b"bytes", 1j, Point], ids=repr
)
def test_dataclasses_and_other_foreign_types_go_to_default(value: Any, company: str | None) -> None:
    assert json.loads(dump_json({"v": value, "c": company}, described)) == {
        "v": described(value),
        "c": company,
    }


@pytest.mark.parametrize("company", [None, "\ud83d"], ids=["alone", "beside a lone surrogate"])
@pytest.mark.parametrize("value", [Point(1), {1, 2}, np.int64(1), b"bytes", object], ids=repr)
def test_foreign_types_without_default_are_a_type_error(value: Any, company: str | None) -> None:
    with pytest.raises(TypeError):
        dump_json([value, company])


def test_what_default_gives_may_need_default_again() -> None:
    def default(value: Any) -> Any:
        return [Point(0)] if isinstance(value, set) else described(value)

    assert dump_json({1, 2}, default) == '["a Point"]'


def test_an_error_of_default_is_not_taken_for_a_surrogate() -> None:
    calls: list[Any] = []

    def failing(value: Any) -> Any:
        calls.append(value)
        raise TypeError("no form for this")

    with pytest.raises(TypeError):
        dump_json([Point(1)], failing)
    assert calls == [Point(1)]


@pytest.mark.parametrize("company", [None, "\ud83d"], ids=["alone", "beside a lone surrogate"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")], ids=repr)
def test_what_is_written_is_json_whatever_the_numbers_are(
    value: float, company: str | None
) -> None:
    try:
        text = dump_json([value, company])
    except (TypeError, ValueError):
        return  # refusing it is fine, as long as no bare NaN reaches the wire
    assert load_json(text, "value") == [None, company]


@pytest.mark.parametrize(
    "text", ["{}", b"{}", memoryview(b"{}")], ids=["str", "bytes", "memoryview"]
)
def test_text_and_its_bytes_are_read(text: str | bytes | memoryview) -> None:
    assert load_json(text, "content") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "Infinity",
        '["\\ud83d",NaN]',
        '["\\ud83d",-Infinity]',
        "[1,]",
        "// comment",
        "'a'",
        "01",
        "[" * 100_000,
        '"\\ud83d' + "[" * 100_000,
        '["\\ud83d",' * 100_000,
        b"\xff",
        b'"\xed\xa0\xbd"',
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_not_json_is_refused_by_its_name(text: str | bytes) -> None:
    with pytest.raises(InvalidDataError, match=r"^the content is not valid JSON$") as caught:
        load_json(text, "content")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("text", ["1e999", "[-1e999]", '["\\ud83d",1e999]', '["\\ud83d",-1e999]'])
def test_numbers_too_large_for_a_float_do_not_become_infinite(text: str) -> None:
    with pytest.raises(InvalidDataError):
        load_json(text, "content")


def test_escapes_that_only_look_like_surrogates_are_read_as_text() -> None:
    assert load_json('"\\\\ud83d"', "content") == "\\ud83d"


def test_upper_case_escapes_of_lone_surrogates_are_read_too() -> None:
    assert load_json('"\\uD83D"', "content") == "\ud83d"


@pytest.mark.parametrize("digits", ["9223372036854775808", "18446744073709551616", "9" * 300])
def test_large_whole_numbers_are_read_alike_beside_half_a_surrogate_pair(digits: str) -> None:
    """Regression: more than 64 bits came in that way, and could not be written again."""
    for text in (digits, f"-{digits}"):
        value = load_json(f'["\\ud83d",{text}]', "x")
        assert repr(value[1]) == repr(load_json(text, "x"))
        assert load_json(dump_json(value), "x") == value


def test_what_is_nested_deeper_than_orjson_goes_is_written() -> None:
    value: list[Any] = []
    for _ in range(500):
        value = [value]
    assert dump_json(value) == "[" * 501 + "]" * 501


def large(items: str) -> str:
    return f"[{items}{' ' * LARGE_CHARS}]"


@pytest.mark.parametrize("item", ["[]", "{}", '{"a":1}', "[1,2]"])
def test_a_large_text_has_so_many_lists_and_objects(item: str) -> None:
    text = large(",".join([item] * 99))
    assert load_large_json(text, "content", 100) == json.loads(text)
    with pytest.raises(MessageTooBigError, match="more than 99 lists and objects"):
        load_large_json(text, "content", 99)


def test_brackets_in_strings_are_not_counted() -> None:
    texts = ["[" * 500, '\\"[{' * 500, "\\\\", '"[', "{\n["]
    text = large(json.dumps(texts))
    assert load_large_json(text, "content", 2) == [texts]
    with pytest.raises(MessageTooBigError):
        load_large_json(text, "content", 1)


@pytest.mark.parametrize("text", ['"' + "[" * 500, "[" * 500, '["\\"' + "[" * 500])
def test_a_large_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises((MessageTooBigError, InvalidDataError)):
        load_large_json(large(text), "content", 100)


def test_the_collector_rests_while_a_large_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(jsontext, "load_json", lambda text, what: seen.append(gc.isenabled()))
    load_large_json(large("1"), "content", 10)
    gc.disable()
    try:
        load_large_json(large("1"), "content", 10)
        assert not gc.isenabled()  # whoever has disabled it wants it so
    finally:
        gc.enable()
    assert seen == [False, False]
    assert gc.isenabled()
