"""Signatures, in the form that Bokeh's own tools make and check.

``text.signature``, where the signature is the HMAC-SHA256 of the text under the secret, in
base64url without padding (seen from ``bokeh.util.token.generate_session_id``). Processes that
sign ids with Bokeh's functions and the same secret are understood.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable

__all__ = ("decode_base64url", "encode_base64url", "make_session_id", "sign", "verify")


def encode_base64url(data: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes:
    """The reverse.

    Raises:
        ValueError: it is not base64url.
    """
    try:
        raw = text.encode("ascii")
        if raw.translate(
            None, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
        ):
            raise ValueError("not base64url")
        return base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64url") from error


def _signature(text: str, secret: bytes) -> str:
    return encode_base64url(
        hmac.new(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    )


def sign(text: str, secret: bytes) -> str:
    """The text with its signature behind a dot."""
    return f"{text}.{_signature(text, secret)}"


def verify(signed: str, secret: bytes) -> bool:
    """Whether a text bears a valid signature. Takes the same time whatever is wrong."""
    text, dot, signature = signed.partition(".")
    if not dot:
        return False
    expected = _signature(text, secret).encode()
    return hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass"))


def make_session_id(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new session id: 256 bits, unguessable, safe in URLs and without a dot."""
    return encode_base64url(random_bytes(32))
