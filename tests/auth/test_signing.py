"""Signatures: ours and those of ``bokeh.util.token`` are the same."""

from __future__ import annotations

import pytest
from bokeh.util.token import check_session_id_signature, generate_session_id
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.auth import make_session_id, sign, verify
from hyperfocal.auth.signing import decode_base64url, encode_base64url

SECRET = b"a secret of many bytes"
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="."))


def test_ids_signed_by_bokeh_are_verified() -> None:
    assert verify(generate_session_id(SECRET, signed=True), SECRET)


def test_ids_signed_here_are_verified_by_bokeh() -> None:
    for session_id in (sign(make_session_id(), SECRET), sign("chosen", SECRET), sign("ü", SECRET)):
        assert check_session_id_signature(session_id, SECRET, signed=True)
        assert not check_session_id_signature(session_id, b"another secret", signed=True)


def test_ids_signed_with_another_secret_are_not_verified() -> None:
    assert not verify(generate_session_id(b"another secret", signed=True), SECRET)
    assert not verify(sign("id", b"another secret"), SECRET)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "id", "id.", ".id", "id.id", "id.é", "id.\ud800", "日本.日本", "\x00.\x00"],
    ids=ascii,
)
def test_text_without_our_signature_is_not_verified(text: str) -> None:
    assert not verify(text, SECRET)


def test_a_signature_covers_the_whole_text_and_nothing_may_follow_it() -> None:
    signed = sign("session", SECRET)
    for wrong in (
        signed + "=",
        signed + ".",
        signed + "A",
        " " + signed,
        signed[:-1],
        "other" + signed[7:],
        signed.upper(),
        signed.replace(".", ".."),
    ):
        assert not verify(wrong, SECRET)


def test_text_that_is_no_unicode_is_not_verified_either() -> None:
    assert not verify("\ud800.signature", SECRET)


@given(texts, st.binary(min_size=1))
def test_any_signed_text_is_verified_by_both(text: str, secret: bytes) -> None:
    signed = sign(text, secret)
    assert signed.startswith(f"{text}.")
    assert verify(signed, secret)
    assert check_session_id_signature(signed, secret, signed=True)


@given(texts, st.data())
def test_changing_any_character_breaks_the_signature(text: str, data: st.DataObject) -> None:
    signed = sign(text, SECRET)
    index = data.draw(st.integers(0, len(signed) - 1))
    letter = data.draw(st.characters(exclude_categories=["Cs"]))
    changed = signed[:index] + letter + signed[index + 1 :]
    assert verify(changed, SECRET) == (changed == signed)


def test_session_ids_are_long_random_and_without_dots() -> None:
    made = {make_session_id() for _ in range(200)}
    assert len(made) == 200
    for session_id in made:
        assert len(decode_base64url(session_id)) == 32
        assert set(session_id) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        )


def test_session_ids_come_from_the_given_source() -> None:
    asked: list[int] = []

    def source(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    assert decode_base64url(make_session_id(source)) == bytes(range(32))
    assert asked == [32]


@given(st.binary())
def test_base64url_is_without_padding_and_reversible(data: bytes) -> None:
    text = encode_base64url(data)
    assert not set(text) & set("=+/")
    assert decode_base64url(text) == data


@pytest.mark.parametrize("text", ["a b", "a+b", "a/b", "a\n", "ü", "A", "AAAAA", "\ud800", "a.b"])
def test_what_is_not_base64url_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="not base64url"):
        decode_base64url(text)
