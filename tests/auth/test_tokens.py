"""Tokens: read by BokehJS and by Bokeh's tools, unreadable where they hold secrets, bounded."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from bokeh.core.types import ID
from bokeh.util.token import (
    check_token_signature,
    generate_jwt_token,
    generate_session_id,
    get_session_id,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperfocal.auth import Token, TokenAuthority, make_session_id, sign
from hyperfocal.errors import AuthError
from hyperfocal.testing import ManualClock

SECRET = b"a secret of many bytes"
START = 1_700_000_000.75
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

whole = st.characters(exclude_categories=["Cs"])
header_maps = st.dictionaries(st.text(whole, max_size=30), st.text(whole, max_size=300))
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(whole, max_size=20)
    | st.binary(max_size=20)
)
#: Among them the names that the packing of bytes uses itself.
keys = st.sampled_from(["bytes", "dict"]) | st.text(whole, max_size=10)
payloads = st.dictionaries(
    keys,
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


def authority(secret: bytes = SECRET, **options: Any) -> TokenAuthority:
    return TokenAuthority(secret, ManualClock(START), **options)


def raw(text: str | bytes) -> str:
    """base64url without padding, made without the code under test."""
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def as_bokehjs_reads_it(token: str) -> Any:
    """``parse_token`` of BokehJS: JSON.parse(atob(...))."""
    payload = token.split(".", maxsplit=1)[0]
    if len(payload) % 4:
        payload += "=" * (4 - len(payload) % 4)
    return json.loads(
        base64.b64decode(payload.replace("_", "/").replace("-", "+"), validate=True).decode(
            "latin-1"
        )
    )


def everything_readable(token: str) -> bytes:
    """What anybody can get out of a token without the secret: every part of every layer."""
    found: list[bytes] = [token.encode()]
    pending: list[Any] = token.split(".")
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending.extend([*part.keys(), *part.values()])
        elif isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, str):
            found.append(part.encode("utf-8", "surrogatepass"))
            try:
                pending.append(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            except ValueError:
                pass
        elif isinstance(part, bytes):
            found.append(part)
            for start in range(min(len(part), 64)):
                try:
                    inflated = zlib.decompressobj().decompress(part[start:], 1 << 20)
                except zlib.error:
                    continue
                if len(inflated) > 8:
                    pending.append(inflated)
            try:
                pending.append(json.loads(part))
            except ValueError:
                pass
    return b"\0".join(found)


# --- what a token says ----------------------------------------------------------------------------


def test_a_token_says_what_was_put_into_it() -> None:
    tokens = authority(expiration_s=120)
    token = tokens.read(tokens.issue("session", {"arguments": {"a": [b"1"]}, "n": 2.5}))
    assert token.session_id == "session"
    assert token.expires_at == int(START) + 120
    assert (token.signed, token.forged) == (True, False)
    assert token.payload == {"arguments": {"a": [b"1"]}, "n": 2.5}


def test_a_token_lasts_five_minutes_unless_told_otherwise() -> None:
    tokens = authority()
    assert tokens.read(tokens.issue("session")).expires_at == int(START) + 300


def test_another_process_with_the_same_secret_reads_it() -> None:
    text = authority().issue("session", {"cookies": {"user": "ada"}})
    assert authority().read(text).payload == {"cookies": {"user": "ada"}}


def test_a_process_with_another_secret_does_not_trust_it_and_sees_no_payload() -> None:
    text = authority().issue("session", {"cookies": {"user": "ada"}})
    token = authority(b"another secret").read(text)
    assert (token.signed, token.forged, dict(token.payload)) == (False, True, {})


def test_each_page_has_a_name_of_its_own() -> None:
    tokens = authority()
    issued = [tokens.issue("session") for _ in range(50)]
    assert len({tokens.read(text).page for text in issued}) == 50
    assert tokens.read(issued[0]).page == tokens.read(issued[0]).page


def test_the_same_payload_is_sealed_differently_each_time() -> None:
    tokens = authority()
    parts = {as_bokehjs_reads_it(tokens.issue("session", {"a": 1}))["sealed"] for _ in range(20)}
    assert len(parts) == 20


def test_randomness_comes_from_the_given_source() -> None:
    def source(count: int) -> bytes:
        return bytes(range(count))

    one, other = authority(random_bytes=source), authority(random_bytes=source)
    assert one.issue("session", {"a": 1}) == other.issue("session", {"a": 1})


@untimed
@given(payloads)
def test_any_payload_of_json_and_bytes_comes_back(payload: dict[str, Any]) -> None:
    tokens = authority()
    assert tokens.read(tokens.issue("session", payload)).payload == payload


@pytest.mark.parametrize(
    "payload",
    [
        {"cookies": {"bytes": "plain text"}},
        {"cookies": {"bytes": "abcd"}},
        {"cookies": {"bytes": ""}},
        {"bytes": "abcd"},
        {"a": {"bytes": {"bytes": "abcd"}}},
    ],
    ids=repr,
)
def test_text_under_the_name_bytes_stays_text(payload: dict[str, Any]) -> None:
    tokens = authority()
    assert tokens.read(tokens.issue("session", payload)).payload == payload


@pytest.mark.parametrize(
    "value", ["half an emoji: \ud83d", float("inf"), float("nan"), 2**70 + 1], ids=ascii
)
def test_a_value_that_cannot_be_read_back_is_refused_when_it_is_put_in(value: Any) -> None:
    # A token that is issued and then refused leaves a page that never connects.
    tokens = authority()
    try:
        text = tokens.issue("session", {"value": value})
    except (TypeError, ValueError):
        return
    assert repr(tokens.read(text).payload) == repr({"value": value})


@pytest.mark.parametrize(
    "value", [{1}, object(), 1j, {"a": [object]}], ids=lambda v: type(v).__name__
)
def test_a_payload_that_is_neither_json_nor_bytes_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        authority().issue("session", {"value": value})


def test_arrays_of_bytes_in_a_request_come_back_as_they_were() -> None:
    payload = {
        "arguments": {"name": [b"\xff\x00", b""], "bytes": [b"x"]},
        "cookies": {"session": "s"},
        "headers": {"user-agent": "Mozilla é"},
    }
    tokens = authority()
    assert tokens.read(tokens.issue("session", payload)).payload == payload


# --- who else reads it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "session_id",
    ["session", "with.dots.in-it_", make_session_id(), "x" * 512],
    ids=["word", "dots", "made", "long"],
)
def test_bokehjs_reads_the_session_id(session_id: str) -> None:
    tokens = authority()
    for text in (tokens.issue(session_id), tokens.issue(session_id, {"a": "ü"})):
        assert as_bokehjs_reads_it(text)["session_id"] == session_id


def test_bokehs_own_functions_read_and_verify_it() -> None:
    session_id = sign(make_session_id(), SECRET)
    text = authority().issue(session_id, {"headers": {"a": "b"}})
    assert get_session_id(text) == session_id
    assert check_token_signature(text, SECRET, signed=True)
    assert not check_token_signature(text, b"another secret", signed=True)


def test_a_token_can_travel_as_a_websocket_subprotocol() -> None:
    text = authority().issue("sess\u00efon", {"headers": {"a": "b" * 200}})
    allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    assert set(text) <= set(allowed)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    "extra",
    [
        None,
        {},
        {"user": "ada", "n": [1, 2.5, None]},
        {"arguments": {"name": [b"\xff\x00", b""]}, "raw": b"bytes"},
        {"ü": "日本"},
        {"dict": {"a": 1}},
        {"a": [{"dict": {"bytes": b"x"}}]},
    ],
    ids=repr,
)
def test_tokens_made_by_bokeh_are_read(signed: bool, extra: dict[str, Any] | None) -> None:
    session_id = generate_session_id(SECRET, signed=signed)
    text = generate_jwt_token(session_id, SECRET, signed, extra, expiration=77)
    token = authority().read(text)
    assert token == Token(
        session_id=session_id,
        expires_at=as_bokehjs_reads_it(text)["session_expiry"],
        signed=signed,
        forged=False,
        page=hashlib.sha256(text.encode()).hexdigest(),
        payload=extra or {},
    )


def test_a_token_of_bokeh_with_another_secret_is_forged() -> None:
    text = generate_jwt_token(ID("session"), b"another secret", signed=True)
    token = authority().read(text)
    assert (token.signed, token.forged) == (False, True)


def test_a_token_without_expiry_or_page_is_read() -> None:
    text = raw('{"session_id":"s"}')
    assert authority().read(text) == Token("s", None, False, False, text, {})


def test_a_token_says_where_its_page_finds_the_server() -> None:
    root = "https://example.com/apps/"
    assert authority().read(authority().issue("s", root=root)).root == root
    assert authority().read(authority().issue("s")).root == ""
    with pytest.raises(AuthError, match="malformed"):
        authority().read(raw('{"session_id":"s","root":1}'))


# --- what nobody else reads -----------------------------------------------------------------------


def test_headers_and_cookies_are_nowhere_readable_in_the_token() -> None:
    secrets = {
        "cookies": {"login": "cookie-value-7f3a"},
        "headers": {
            "authorization": "Bearer header-value-91c2",
            "cookie": "login=cookie-value-7f3a",
        },
        "arguments": {"key": [b"argument-value-55d0"]},
    }
    readable = everything_readable(authority().issue("session", secrets))
    assert b"session_id" in readable
    for secret in (b"cookie-value", b"header-value", b"argument-value", b"authorization", b"login"):
        assert secret not in readable


def test_the_search_for_readable_secrets_does_find_those_of_bokehs_tokens() -> None:
    text = generate_jwt_token(
        ID("session"), SECRET, True, {"cookies": {"login": "cookie-value-7f3a"}}
    )
    assert b"cookie-value-7f3a" in everything_readable(text)


# --- size -----------------------------------------------------------------------------------------


@untimed
@given(
    st.text(whole, min_size=1, max_size=512),
    st.lists(st.fixed_dictionaries({"headers": header_maps, "arguments": header_maps}), max_size=3),
)
def test_a_token_is_never_longer_than_4096_characters(
    session_id: str, tried: list[Mapping[str, Any]]
) -> None:
    tokens = authority()
    text = tokens.issue(session_id, *tried)
    assert len(text) <= 4096
    read = tokens.read(text)
    assert (read.session_id, read.signed) == (session_id, True)
    assert read.payload in [*tried, {}]


def noise(count: int) -> bytes:
    """Bytes that do not compress, the same in each run."""
    return b"".join(zlib.crc32(index.to_bytes(4)).to_bytes(4) for index in range(-(-count // 4)))[
        :count
    ]


def test_the_most_complete_payload_that_fits_is_taken() -> None:
    tokens = authority()
    huge, large, small = ({"size": n, "data": noise(n)} for n in (9000, 1500, 10))
    for tried, taken in [
        ((large, small), large),
        ((huge, large, small), large),
        ((huge, small, large), small),
        ((huge, huge), {}),
        ((), {}),
    ]:
        text = tokens.issue("session", *tried)
        assert tokens.read(text).payload == taken
        assert len(text) <= 4096


def test_the_bound_itself_is_kept_to_the_character() -> None:
    tokens = authority(random_bytes=bytes)
    lengths = {
        len(text)
        for size in range(1500, 3000)
        if "sealed" in as_bokehjs_reads_it(text := tokens.issue("session", {"a": noise(size)}))
    }
    # Payloads of all sizes around the bound: the longest token is just below it.
    assert 4090 <= max(lengths) <= 4096


def test_what_compresses_well_fits_although_it_is_long() -> None:
    tokens = authority()
    payload = {"headers": {"cookie": "a=b; " * 10_000}}
    assert tokens.read(tokens.issue("session", payload)).payload == payload


# --- what is refused ------------------------------------------------------------------------------


def assert_not_believed(tokens: TokenAuthority, text: str) -> None:
    try:
        token = tokens.read(text)
    except AuthError as error:
        assert error.close_code == 1008
        return
    assert not token.signed
    assert dict(token.payload) == {}


def test_changing_any_one_character_of_a_token_makes_it_worthless() -> None:
    tokens = authority()
    text = tokens.issue("session", {"cookies": {"user": "ada"}})
    for index, letter in enumerate(text):
        for other in ("A", "B", "_", ".", "=", "é"):
            if other != letter:
                assert_not_believed(tokens, text[:index] + other + text[index + 1 :])


def test_cutting_a_token_anywhere_makes_it_worthless() -> None:
    tokens = authority()
    text = tokens.issue("session", {"cookies": {"user": "ada"}})
    for index in range(len(text)):
        assert_not_believed(tokens, text[:index])
        assert_not_believed(tokens, text[:index] + text[index + 1 :])


def test_taking_the_signature_off_makes_a_token_unsigned_and_its_payload_unread() -> None:
    tokens = authority()
    text = tokens.issue("session", {"cookies": {"user": "ada"}})
    token = tokens.read(text.partition(".")[0])
    assert (token.signed, token.forged, dict(token.payload)) == (False, False, {})


def test_the_sealed_part_of_one_session_does_not_fit_another() -> None:
    tokens = authority()
    public = as_bokehjs_reads_it(tokens.issue("session of ada", {"cookies": {"user": "ada"}}))
    again = sign(raw(json.dumps(public)), SECRET)
    assert tokens.read(again).payload == {"cookies": {"user": "ada"}}
    moved = sign(raw(json.dumps({**public, "session_id": "session of eve"})), SECRET)
    with pytest.raises(AuthError):
        tokens.read(moved)


@pytest.mark.parametrize("sealed", ["", "AAAA", "A" * 100, "not base64!", 5, None, [], {}])
def test_a_sealed_part_that_is_not_ours_is_refused(sealed: Any) -> None:
    with pytest.raises(AuthError):
        authority().read(sign(raw(json.dumps({"session_id": "s", "sealed": sealed})), SECRET))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "1",
        "null",
        '"text"',
        "{}",
        '{"session_id":null}',
        '{"session_id":1}',
        '{"session_id":["a"]}',
        '{"session_id":"\\ud800"}',
        '{"session_id":"a","session_expiry":"soon"}',
        '{"session_id":"a","session_expiry":true}',
        '{"session_id":"a","session_expiry":NaN}',
        '{"session_id":"a","session_expiry":1e999}',
        '{"session_id":"a","session_expiry":[1]}',
        '{"session_id":"a","page":1}',
        '{"session_id":"a","page":null}',
        '{"session_id":"a","__bk__zlib_":5}',
        '{"session_id":"a","__bk__zlib_":"!"}',
        '{"session_id":"a","__bk__zlib_":""}',
        '{"session_id":"a","__bk__zlib_":"AAAA"}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
    ids=lambda value: ascii(value[:45]) if isinstance(value, str | bytes) else str(value),
)
def test_what_is_not_a_token_is_refused(text: str | bytes, signed: bool) -> None:
    body = raw(text)
    with pytest.raises(AuthError) as caught:
        authority().read(sign(body, SECRET) if signed else body)
    assert caught.value.close_code == 1008


def bokeh_token(packed: bytes, *, signed: bool) -> str:
    body = raw(json.dumps({"session_id": "s", "__bk__zlib_": raw(packed)}))
    return sign(body, SECRET) if signed else body


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    "packed",
    [
        zlib.compress(b'{"a":"' + b"x" * (64 * 1024 * 1024) + b'"}', 9),
        zlib.compress(b" " * (1024 * 1024) + b"{}"),
        zlib.compress(b'{"a":1}')[:-1],
        zlib.compress(b"[]"),
        zlib.compress(b"1"),
        zlib.compress(b"not json"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b'{"a":{"bytes":"!"}}'),
    ],
    ids=["bomb", "a little too big", "cut off", "list", "number", "no json", "deep", "bad bytes"],
)
def test_a_bad_compressed_payload_is_refused(packed: bytes, signed: bool) -> None:
    with pytest.raises(AuthError):
        authority().read(bokeh_token(packed, signed=signed))


def test_a_large_compressed_payload_within_the_bound_is_read() -> None:
    packed = zlib.compress(json.dumps({"a": "x" * 1_000_000}).encode())
    assert authority().read(bokeh_token(packed, signed=True)).payload == {"a": "x" * 1_000_000}


@untimed
@given(st.text(st.characters()) | st.text("ABCDabcd0123-_=.eyJ", max_size=60))
def test_any_text_is_a_token_or_refused_and_nothing_else(text: str) -> None:
    assert_not_believed(authority(), text)


def test_text_that_is_no_unicode_is_refused_like_any_other() -> None:
    with pytest.raises(AuthError):
        authority().read("\ud800.signature")
