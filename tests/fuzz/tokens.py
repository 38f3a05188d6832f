"""Tokens and session ids of any make."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from hyperfocal.auth import SessionPolicy, Token, TokenAuthority, sign, verify
from hyperfocal.auth.signing import encode_base64url
from hyperfocal.clock import SystemClock
from hyperfocal.config import SessionIds
from hyperfocal.errors import AuthError
from hyperfocal.web.requests import read_request, restore_request
from tests.fuzz.choices import Choices

__all__ = ("run",)

_SECRET = b"the server's own"
_NOW = 1_700_000_000.0
_MODES = tuple(SessionIds)
_NAMES = ("session_id", "session_expiry", "page", "sealed", "__bk__zlib_", "__proto__")


class _Clock(SystemClock):
    def wall(self) -> float:
        return _NOW


_authority = TokenAuthority(_SECRET, _Clock(), 300, lambda size: bytes(range(size)))
_FULL = {
    "arguments": {"a": [b"\x00\xff"]},
    "headers": {"x": "y"},
    "cookies": {},
    "own": {"dict": 1},
}
_ISSUED = tuple(
    _authority.issue(name, payload) for name in ("one", "two") for payload in ({}, _FULL)
)
_IDS = tuple(sign(name, _SECRET) for name in ("one", "//etc/passwd", "x y"))
_SIGNED = frozenset((*_ISSUED, *_IDS))
_SCOPE: dict[str, Any] = {"headers": (), "path": "/", "scheme": "ws"}


def run(data: bytes) -> None:
    """What we have not signed is not taken for signed, and nothing but ``AuthError`` comes out."""
    choices = Choices(data)
    text, ours = _text(choices)
    assert verify(text, _SECRET) is (ours or text in _SIGNED)
    for mode in _MODES:
        for secret_given in (False, True):
            for local in (False, True):
                policy = SessionPolicy(mode, _SECRET, secret_given=secret_given)
                takes_any = mode is SessionIds.UNSIGNED or (
                    mode is SessionIds.AUTO and local and not secret_given
                )
                _offer_id(policy, text, local, trusted=takes_any or ours)
                _offer_token(policy, text, local, trusted=takes_any, ours=ours)


def _offer_id(policy: SessionPolicy, text: str, local: bool, *, trusted: bool) -> None:
    try:
        policy.check_session_id(text, direct_local=local)
    except AuthError:
        return
    assert trusted or text in _SIGNED
    assert text.isprintable()
    assert text not in _ISSUED, "a page's token serves as a session id"


def _offer_token(
    policy: SessionPolicy, text: str, local: bool, *, trusted: bool, ours: bool
) -> None:
    try:
        token = _authority.read(text)
    except AuthError:
        assert text not in _ISSUED
        return
    assert token.signed is (ours or text in _SIGNED)
    assert isinstance(token.session_id, str)
    assert len(token.page) <= 64
    for exists in (False, True):
        if not _is_taken(policy, token, local, exists):
            assert text not in _ISSUED
            continue
        assert token.signed or trusted
    _restore(token)


def _is_taken(policy: SessionPolicy, token: Token, local: bool, exists: bool) -> bool:
    try:
        policy.check_token(token, now=_NOW, direct_local=local, session_exists=exists)
    except AuthError:
        return False
    if not token.signed:
        assert token.session_id.isprintable()
    return True


def _restore(token: Token) -> None:
    try:
        request = restore_request(read_request(_SCOPE), token.payload)
    except AuthError:
        return
    assert all(isinstance(one, bytes) for values in request.arguments.values() for one in values)
    assert all(isinstance(value, str) for value in request.headers.values())


def _text(choices: Choices) -> tuple[str, bool]:
    """A token or an id, and whether our secret has signed it."""
    how = choices.number(6)
    if how == 0:
        return choices.rest().decode("latin-1"), False
    if how == 1:
        return _edited(choices, choices.one((*_ISSUED, *_IDS))), False
    public = json.dumps(_public(choices)).encode()
    if how == 2:
        public = _spoiled(choices, public)
    body = encode_base64url(public)
    if how == 3:
        return body, False
    if how == 4:
        return f"{body}.{_signature(choices)}", False
    return sign(body, _SECRET), True  # whoever has the secret may write what they like


def _signature(choices: Choices) -> str:
    if choices.flag():
        return choices.one(_ISSUED).partition(".")[2]
    return choices.text(60)


def _edited(choices: Choices, text: str) -> str:
    for _ in range(choices.count(3)):
        at = choices.number(len(text) + 1)
        text = text[:at] + choices.text(3) + text[at + choices.number(3) :]
    return text


def _spoiled(choices: Choices, data: bytes) -> bytes:
    at = choices.number(len(data))
    return data[:at] + choices.take(choices.number(8)) + data[at + choices.number(3) :]


def _public(choices: Choices) -> Any:
    if choices.seldom(16):
        return _value(choices, 3)
    public: dict[str, Any] = {"session_id": choices.text()}
    for _ in range(choices.count(5)):
        name = choices.one(_NAMES)
        if name == "__bk__zlib_" and not choices.seldom():
            inner = json.dumps(_payload(choices)).encode()
            if choices.seldom():
                inner = _spoiled(choices, inner)
            packed = zlib.compress(inner)
            if choices.seldom():
                packed = _spoiled(choices, packed)
            public[name] = base64.urlsafe_b64encode(packed).decode()
        elif name == "session_expiry" and choices.flag():
            public[name] = _NOW + choices.number(4) - 2
        else:
            public[name] = _value(choices, 2)
    return public


def _payload(choices: Choices) -> Any:
    payload = {"arguments": _value(choices, 3), "headers": _value(choices, 2)}
    if choices.flag():
        payload = {"arguments": {choices.text(): [{"bytes": choices.text()}]}}
    return payload if not choices.seldom() else _value(choices, 3)


def _value(choices: Choices, depth: int) -> Any:
    how = choices.number(10 if depth else 6)
    if how < 6:
        numbers = (0, -1, 1e308, 10**30, float("nan"), True)
        return (None, choices.text(), choices.one(numbers), "", False, choices.number(1 << 32))[how]
    if how < 8:
        return [_value(choices, depth - 1) for _ in range(choices.count(3))]
    if how == 8:
        return {choices.one(("bytes", "dict")): _value(choices, depth - 1)}
    return {choices.text(): _value(choices, depth - 1) for _ in range(choices.count(3))}
