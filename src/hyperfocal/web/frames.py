"""Websocket frames (RFC 6455 section 5): ours for one write, the peer's joined into messages."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from hyperfocal.errors import InvalidDataError, MessageTooBigError, ProtocolError
from hyperfocal.wire import Frame

__all__ = ("Assembler", "wrap")

_TEXT, _BINARY = 0x1, 0x2
_FIN = 0x80
_SHORT_TEXT = tuple(bytes((_FIN | _TEXT, size)) for size in range(126))
_SHORT_BINARY = tuple(bytes((_FIN | _BINARY, size)) for size in range(126))


def wrap(messages: Iterable[Frame]) -> list[bytes]:
    """Messages as a server sends them, whole and unmasked: headers and payloads, in turn."""
    parts: list[bytes] = []
    for message in messages:
        if isinstance(message, str):
            payload, short, first = message.encode(), _SHORT_TEXT, _FIN | _TEXT
        else:
            payload, short, first = message, _SHORT_BINARY, _FIN | _BINARY
        size = len(payload)
        if size < 126:
            parts.append(short[size])
        elif size < 65536:
            parts.append(struct.pack("!BBH", first, 126, size))
        else:
            parts.append(struct.pack("!BBQ", first, 127, size))
        parts.append(payload)
    return parts


class Assembler:
    """Joins the fragments of a peer's messages.

    Args:
        max_bytes: the most that one message may have.
    """

    __slots__ = ("_is_text", "_joined", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._joined: bytearray | None = None
        self._is_text = False

    @property
    def idle(self) -> bool:
        """Whether no message has begun."""
        return self._joined is None

    def begin(self, payload: bytes, *, text: bool) -> None:
        """The first fragment of a message that has more.

        Raises:
            ProtocolError: the message before has not ended.
            MessageTooBigError: it is too long.
        """
        if self._joined is not None:
            raise ProtocolError("a message began within another")
        self._is_text = text
        self._joined = bytearray()
        self._add(payload)

    def go_on(self, payload: bytes, *, last: bool) -> Frame | None:
        """A further fragment; gives the whole message when it is the last.

        Raises:
            ProtocolError: no message has begun.
            MessageTooBigError: the message is too long.
            InvalidDataError: it should be text, and is not UTF-8.
        """
        if self._joined is None:
            raise ProtocolError("a fragment came before its message began")
        self._add(payload)
        if not last:
            return None
        whole = bytes(self._joined)
        self._joined = None
        if not self._is_text:
            return whole
        try:
            return whole.decode()
        except UnicodeDecodeError as error:
            raise InvalidDataError("a text message is not UTF-8") from error

    def _add(self, payload: bytes) -> None:
        assert self._joined is not None
        if len(self._joined) + len(payload) > self._max_bytes:
            raise MessageTooBigError(f"a message is larger than {self._max_bytes} bytes")
        self._joined += payload
