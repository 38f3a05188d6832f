"""Frames in, messages out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial
from typing import Any

import orjson

from hyperfocal.errors import (
    MessageTooBigError,
    PeerError,
    ProtocolError,
    UnexpectedFrameError,
)
from hyperfocal.wire.jsontext import LARGE_CHARS, load_json, load_large_json
from hyperfocal.wire.messages import NO_FIELDS, Buffer, Frame, Kind, Limits, Message

__all__ = ("Decoder",)

_KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}


class _Due(Enum):
    """Which frame comes next."""

    HEADER = auto()
    METADATA = auto()
    CONTENT = auto()
    BUFFER_HEADER = auto()
    BUFFER_PAYLOAD = auto()


_HEADER = _Due.HEADER  # looking it up in the enum takes longer than comparing


class Decoder:
    """Puts frames together into messages, one connection's worth.

    After an error it is poisoned: the frames that follow cannot be told apart any more, so every
    further frame raises the same error. The owner closes the connection with the error's
    ``close_code``.
    """

    __slots__ = (
        "_buffers",
        "_content",
        "_due",
        "_error",
        "_header",
        "_limits",
        "_metadata",
        "_num_buffers",
        "_pending_id",
        "_size",
    )

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits if limits is not None else Limits()
        self._error: PeerError | None = None
        self._due = _Due.HEADER
        self._size = 0
        self._header: dict[str, Any] = {}
        self._metadata: Mapping[str, Any] = NO_FIELDS
        self._content: dict[str, Any] = {}
        self._num_buffers = 0
        self._buffers: list[Buffer] = []
        self._pending_id = ""

    @property
    def mid_message(self) -> bool:
        """Whether a message has begun and is not complete."""
        return self._due is not _Due.HEADER

    def feed(self, frame: Frame) -> Message | None:
        """Take one frame; give the message that it completes, if it does.

        Raises:
            PeerError: the frame does not fit. This decoder takes no further frames.
        """
        if self._error is not None:
            raise self._error
        try:
            return self._feed(frame)
        except PeerError as error:
            self._error = error
            self._buffers.clear()
            raise

    def feed_message(self, header: Frame, metadata: Frame, content: Frame) -> Message | None:
        """Take three frames at once, if they are a whole message without buffers, and no mistake.

        Returns:
            ``None`` where there is more to it. Nothing has been taken then: feed them one by one.
        """
        if (
            self._due is not _HEADER
            or self._error is not None
            or metadata != "{}"
            or type(header) is not str
            or type(content) is not str
            # In UTF-8 each character has four bytes at the most.
            or 4 * len(header) > self._limits.header_bytes
            or 4 * (len(header) + len(content)) + 2 > self._limits.message_bytes
            or len(content) > LARGE_CHARS
        ):
            return None
        try:
            fields, body = orjson.loads(header), orjson.loads(content)
        except orjson.JSONDecodeError:
            return None
        if type(fields) is not dict or type(body) is not dict:
            return None
        msgid, name, reqid = fields.get("msgid"), fields.get("msgtype"), fields.get("reqid")
        kind = _KINDS.get(name) if type(name) is str else None
        if (
            kind is None
            or type(msgid) is not str
            or ("num_buffers" in fields and not _is_zero(fields["num_buffers"]))
            or not (reqid is None or type(reqid) is str)
        ):
            return None
        return _message((kind, msgid, body, NO_FIELDS, reqid, ()))

    def _feed(self, frame: Frame) -> Message | None:
        due = self._due
        if due is _Due.BUFFER_PAYLOAD:
            if isinstance(frame, str):
                raise UnexpectedFrameError("expected a binary frame with a buffer, got text")
            self._count(len(frame))
            self._buffers.append(Buffer(self._pending_id, frame))
            return self._next_buffer()

        if not isinstance(frame, str):
            raise UnexpectedFrameError(f"expected a text frame ({_NAMES[due]}), got binary")
        if due is _Due.METADATA and frame == "{}":
            self._count(2)  # what every client sends: nothing to read
            self._metadata = NO_FIELDS
            self._due = _Due.CONTENT
            return None
        size = len(frame) if frame.isascii() else len(frame.encode("utf-8", "surrogatepass"))
        self._count(size)
        if due is not _Due.CONTENT and size > self._limits.header_bytes:
            raise MessageTooBigError(
                f"the {_NAMES[due]} is larger than {self._limits.header_bytes} bytes"
            )
        if len(frame) <= LARGE_CHARS:
            value = load_json(frame, _NAMES[due])
        else:
            value = load_large_json(frame, _NAMES[due], self._limits.containers)
        if not isinstance(value, dict):
            raise ProtocolError(f"the {_NAMES[due]} is not a JSON object")
        fields: dict[str, Any] = value

        if due is _Due.HEADER:
            self._num_buffers = self._check_header(fields)
            self._header = fields
            self._due = _Due.METADATA
            return None
        if due is _Due.METADATA:
            self._metadata = fields
            self._due = _Due.CONTENT
            return None
        if due is _Due.CONTENT:
            self._content = fields
            return self._message() if not self._num_buffers else self._next_buffer()
        buffer_id = fields.get("id")
        if not isinstance(buffer_id, str):
            raise ProtocolError("a buffer's header has no id")
        self._pending_id = buffer_id
        self._due = _Due.BUFFER_PAYLOAD
        return None

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._limits.message_bytes:
            raise MessageTooBigError(f"a message is larger than {self._limits.message_bytes} bytes")

    def _check_header(self, header: dict[str, Any]) -> int:
        """Check the fields that the protocol defines; give the number of buffers to come."""
        kind = header.get("msgtype")
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ProtocolError("the header's msgtype is missing or unknown")
        if not isinstance(header.get("msgid"), str):
            raise ProtocolError("the header has no msgid")
        reqid = header.get("reqid")
        if reqid is not None and not isinstance(reqid, str):
            raise ProtocolError("the header's reqid is not a string")
        count = header.get("num_buffers", 0)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ProtocolError("the header's num_buffers is not a whole number")
        if count > self._limits.buffers:
            raise MessageTooBigError(f"a message has more than {self._limits.buffers} buffers")
        return count

    def _next_buffer(self) -> Message | None:
        if len(self._buffers) < self._num_buffers:
            self._due = _Due.BUFFER_HEADER
            return None
        return self._message()

    def _message(self) -> Message:
        header = self._header
        message = Message(
            _KINDS[header["msgtype"]],
            header["msgid"],
            self._content,
            self._metadata,
            header.get("reqid"),
            tuple(self._buffers),
        )
        self._due = _Due.HEADER
        self._size = 0
        self._header = self._content = {}
        if self._buffers:
            self._buffers = []
        return message


#: What the constructor of a named tuple comes to, without the Python in between.
_message: Callable[[tuple[Any, ...]], Message] = partial(tuple.__new__, Message)


def _is_zero(value: object) -> bool:
    return type(value) is int and value == 0


_NAMES: dict[_Due, str] = {
    _Due.HEADER: "header",
    _Due.METADATA: "metadata",
    _Due.CONTENT: "content",
    _Due.BUFFER_HEADER: "buffer header",
    _Due.BUFFER_PAYLOAD: "buffer",
}
