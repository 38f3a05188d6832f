"""Messages of the server as the bytes that leave: what most messages are, joined from templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hyperfocal.wire.encoder import MessageIds
from hyperfocal.wire.jsontext import json_string
from hyperfocal.wire.messages import Buffer, Frame

__all__ = ("Packed", "packed_ok", "packed_patch", "unpacked")

_TEXT, _BINARY = 0x81, 0x82
#: The beginnings of short frames, by the length of what follows (RFC 6455 section 5.2).
_SHORT = {kind: tuple(bytes((kind, size)) for size in range(126)) for kind in (_TEXT, _BINARY)}
_MEDIUM, _LONG = ({kind: bytes((kind, size)) for kind in (_TEXT, _BINARY)} for size in (126, 127))
_METADATA = _SHORT[_TEXT][2] + b"{}"
_NO_CONTENT = _METADATA * 2


class Packed(bytes):
    """A whole message, in unmasked websocket frames, each of which is whole."""

    __slots__ = ()

    def frames(self) -> tuple[Frame, ...]:
        """The same for transports that frame messages themselves."""
        found: list[Frame] = []
        at = 0
        while at < len(self):
            kind, size, at = self[at], self[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, at = int.from_bytes(self[at : at + width], "big"), at + width
            payload = self[at : at + size]
            found.append(payload.decode() if kind == _TEXT else payload)
            at += size
        return tuple(found)


def unpacked(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames, of which some may be packed messages, one by one."""
    for frame in frames:
        if type(frame) is Packed:
            yield from frame.frames()
        else:
            yield frame


def packed_ok(ids: MessageIds, reqid: str) -> Packed:
    """The reply to a request that was carried out."""
    header = b'{"msgid":%b,"msgtype":"OK","reqid":%b}' % (ids.as_json(), json_string(reqid))
    return Packed(_head(len(header)) + header + _NO_CONTENT)


def packed_patch(ids: MessageIds, content: bytes, buffers: Sequence[Buffer] = ()) -> Packed:
    """A PATCH-DOC.

    Args:
        ids: source of message ids.
        content: its content as JSON.
        buffers: the binary payloads that the content refers to.
    """
    if not buffers:
        header = b'{"msgid":%b,"msgtype":"PATCH-DOC"}' % ids.as_json()
        return Packed(
            b"".join((_head(len(header)), header, _METADATA, _head(len(content)), content))
        )
    header = b'{"msgid":%b,"msgtype":"PATCH-DOC","num_buffers":%d}' % (
        ids.as_json(),
        len(buffers),
    )
    parts: list[bytes | memoryview] = [
        _head(len(header)),
        header,
        _METADATA,
        _head(len(content)),
        content,
    ]
    for buffer in buffers:
        name = b'{"id":%b}' % json_string(buffer.id)
        payload = buffer.payload
        parts += (_head(len(name)), name, _head(len(payload), _BINARY), payload)
    return Packed(b"".join(parts))


def _head(size: int, kind: int = _TEXT) -> bytes:
    if size < 126:
        return _SHORT[kind][size]
    if size < 65536:
        return _MEDIUM[kind] + size.to_bytes(2, "big")
    return _LONG[kind] + size.to_bytes(8, "big")
