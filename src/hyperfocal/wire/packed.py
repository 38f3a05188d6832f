"""Messages of the server as the bytes that leave: what most messages are, joined from templates."""

from __future__ import annotations

from hyperfocal.wire.encoder import MessageIds
from hyperfocal.wire.jsontext import json_string

__all__ = ("Packed", "packed_ok", "packed_patch")

_TEXT = 0x81
#: The beginnings of short text frames, by the length of what follows (RFC 6455 section 5.2).
_SHORT = tuple(bytes((_TEXT, size)) for size in range(126))


class Packed(bytes):
    """A whole message without buffers, in three unmasked text frames: header, ``{}``, content."""

    __slots__ = ()

    def frames(self) -> tuple[str, str, str]:
        """The same for transports that frame messages themselves."""
        texts: list[str] = []
        at = 0
        while at < len(self):
            size, at = self[at + 1], at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, at = int.from_bytes(self[at : at + width], "big"), at + width
            texts.append(self[at : at + size].decode())
            at += size
        header, metadata, content = texts
        return header, metadata, content


def packed_ok(ids: MessageIds, reqid: str) -> Packed:
    """The reply to a request that was carried out."""
    header = b'{"msgid":%b,"msgtype":"OK","reqid":%b}' % (ids.as_json(), json_string(reqid))
    return Packed(b"%b%b\x81\x02{}\x81\x02{}" % (_head(len(header)), header))


def packed_patch(ids: MessageIds, content: bytes) -> Packed:
    """A PATCH-DOC whose content is this JSON."""
    header = b'{"msgid":%b,"msgtype":"PATCH-DOC"}' % ids.as_json()
    return Packed(
        b"%b%b\x81\x02{}%b%b" % (_head(len(header)), header, _head(len(content)), content)
    )


def _head(size: int) -> bytes:
    if size < 126:
        return _SHORT[size]
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")
