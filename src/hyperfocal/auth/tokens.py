"""The token that a page carries and presents when it opens its websocket.

``base64url(JSON) [. signature]``. BokehJS reads ``session_id`` from the JSON, so that part is
readable by design. What else is known of the page's request (arguments, headers, cookies) is
sealed with AES-GCM under a key made from the secret: a page cannot read it, and any process that
has the secret can.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hyperfocal.auth.signing import decode_base64url, encode_base64url, sign, verify
from hyperfocal.clock import Clock
from hyperfocal.errors import AuthError

__all__ = ("Token", "TokenAuthority", "dump_payload", "named_session")

_NONCE_BYTES = 12
#: Proxies commonly refuse header lines of over 8 KB, and the token travels in one.
MAX_TOKEN_CHARS = 4096
_MAX_PAGE_CHARS = 64
_MAX_PAYLOAD_BYTES = 1024 * 1024
#: Where tokens made by ``bokeh.util.token`` keep their compressed extra payload.
_BOKEH_ZLIB_KEY = "__bk__zlib_"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says.

    Attributes:
        session_id: the session that the page shows.
        expires_at: seconds since the epoch after which it may make no new session; ``None``: it
            does not say.
        signed: it bears our valid signature.
        forged: it bears a signature, and a wrong one.
        page: names the page that carries it; a connection with a page that was seen before is
            one that comes back. At most 64 characters; the digest of the whole token where its
            maker gave no page.
        payload: what it knows of the page's request; from our seal, or from
            the compressed part of tokens that Bokeh makes; {} when there is neither.
        root: where the server's URLs begin, for a page of somebody else's that shows the
            application; empty for pages of our own.
    """

    session_id: str
    expires_at: float | None
    signed: bool
    forged: bool
    page: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    root: str = ""


def _inflate(data: bytes) -> bytes:
    """Decompress with a bound.

    Raises:
        ValueError: not zlib data, or too large.
    """
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, _MAX_PAYLOAD_BYTES)
    except zlib.error as error:
        raise ValueError("not zlib data") from error
    if stream.unconsumed_tail or not stream.eof:
        raise ValueError("the payload is too large or cut off")
    return plain


def dump_payload(payload: Mapping[str, Any]) -> bytes:
    """A payload as JSON that ``_unpack`` understands.

    Raises:
        TypeError: it holds something that is neither JSON nor bytes.
        ValueError: it holds NaN or an infinity.
    """
    return _to_json(_pack(dict(payload))).encode()


_to_json = json.JSONEncoder(allow_nan=False).encode
_PLAIN = (str, int, float, bool, type(None))


def _pack(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, bytes):
        return {"bytes": encode_base64url(value)}
    if isinstance(value, dict):
        packed = {key: _pack(item) for key, item in value.items()}
        return {"dict": packed} if set(packed) in _OURS else packed
    if isinstance(value, list | tuple):
        return [_pack(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in a token")


def _unpack(value: Any, *, wrapped: bool) -> Any:
    """The reverse. Tokens made by Bokeh write bytes as ours do, and wrap nothing."""
    if isinstance(value, dict):
        if set(value) == {"bytes"} and isinstance(value["bytes"], str):
            return decode_base64url(value["bytes"])
        if wrapped and set(value) == {"dict"} and isinstance(value["dict"], dict):
            value = value["dict"]
        return {key: _unpack(item, wrapped=wrapped) for key, item in value.items()}
    if isinstance(value, list):
        return [_unpack(item, wrapped=wrapped) for item in value]
    return value


#: Dictionaries with only this key are taken for ours, and are wrapped where they are not.
_OURS = ({"bytes"}, {"dict"})


def named_session(token: str) -> str | None:
    """The session that a token names, whoever made it; ``None`` if it is no token."""
    try:
        session_id = orjson.loads(decode_base64url(token.partition(".")[0]))["session_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return session_id if isinstance(session_id, str) else None


class TokenAuthority:
    """Issues and reads tokens.

    Args:
        secret: signs and seals.
        clock: wall time.
        expiration_s: seconds during which a token may make a new session.
        random_bytes: source of nonces and page names.
    """

    def __init__(
        self,
        secret: bytes,
        clock: Clock,
        expiration_s: int = 300,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._expiration_s = expiration_s
        self._random_bytes = random_bytes
        self._cipher = AESGCM(hashlib.sha256(b"hyperfocal token seal\0" + secret).digest())

    def issue(self, session_id: str, *payloads: Mapping[str, Any], root: str = "") -> str:
        """A new token for a page.

        Args:
            session_id: the session that the page shows.
            payloads: what to seal into it, the most complete first; the first one with which the
                token stays under 4096 characters is taken, none if none does.
            root: see ``Token``.

        Raises:
            TypeError: a payload holds something that is neither JSON nor bytes.
            ValueError: a payload holds NaN or an infinity.
        """
        page = encode_base64url(self._random_bytes(9))
        public: dict[str, Any] = {
            "session_id": session_id,
            "session_expiry": int(self._clock.wall()) + self._expiration_s,
            "page": page,
        }
        if root:
            public["root"] = root
        for payload in payloads:
            token = self._sealed(public, payload)
            if len(token) < MAX_TOKEN_CHARS:
                return token
        return self._encode(public)

    def _encode(self, public: Mapping[str, Any]) -> str:
        return sign(encode_base64url(orjson.dumps(public)), self._secret)

    def _sealed(self, public: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
        nonce = self._random_bytes(_NONCE_BYTES)
        plain = zlib.compress(dump_payload(payload), 6)
        sealed = self._cipher.encrypt(nonce, plain, public["session_id"].encode())
        return self._encode({**public, "sealed": encode_base64url(nonce + sealed)})

    def read(self, token: str) -> Token:
        """What a token says; does not judge whether it may be used.

        Raises:
            AuthError: it is not a token at all.
        """
        text, dot, _ = token.partition(".")
        signed = verify(token, self._secret)
        try:
            public = orjson.loads(decode_base64url(text))
            session_id = public["session_id"]
            expiry = public.get("session_expiry")
            page, root = public.get("page", token), public.get("root", "")
            if not all(isinstance(text, str) for text in (session_id, page, root)):
                raise ValueError("a field has the wrong type")
            if not isinstance(expiry, int | float | None) or isinstance(expiry, bool):
                raise ValueError("session_expiry is not a number")
            payload = self._payload(public, signed, session_id)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise AuthError("the token is malformed; reload the page") from error
        if len(page) > _MAX_PAGE_CHARS:
            # A session remembers thousands of names.
            page = hashlib.sha256(page.encode("utf-8", "surrogatepass")).hexdigest()
        return Token(session_id, expiry, signed, bool(dot) and not signed, page, payload, root)

    def _payload(
        self, public: Mapping[str, Any], signed: bool, session_id: str
    ) -> Mapping[str, Any]:
        if signed and "sealed" in public:
            data = decode_base64url(public["sealed"])
            try:
                plain = self._cipher.decrypt(
                    data[:_NONCE_BYTES], data[_NONCE_BYTES:], session_id.encode()
                )
            except InvalidTag as error:
                raise ValueError("the sealed part was tampered with") from error
            payload = _unpack(json.loads(_inflate(plain)), wrapped=True)
        elif _BOKEH_ZLIB_KEY in public:
            packed = decode_base64url(public[_BOKEH_ZLIB_KEY])
            payload = _unpack(json.loads(_inflate(packed)), wrapped=False)
        else:
            return {}
        if not isinstance(payload, dict):
            raise ValueError("the payload is not an object")
        return payload
