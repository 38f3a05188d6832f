"""A client's frames as bytes, right and wrong ones."""

from __future__ import annotations

from itertools import pairwise

from websockets.frames import Frame, Opcode

__all__ = ("Opcode", "close", "frame", "message", "mistakes")


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A masked frame; ``rsv`` holds the three reserved bits."""
    whole = Frame(Opcode.BINARY, payload, fin).serialize(mask=True)
    return bytes((whole[0] & 0x80 | rsv << 4 | opcode,)) + whole[1:]


def message(payload: str | bytes, fragments: int = 1) -> list[bytes]:
    """The frames of a message, in so many fragments (as even as can be)."""
    opcode = Opcode.TEXT if isinstance(payload, str) else Opcode.BINARY
    data = payload.encode() if isinstance(payload, str) else payload
    cuts = [len(data) * number // fragments for number in range(fragments + 1)]
    return [
        frame(opcode if not number else Opcode.CONT, data[start:end], fin=number == fragments - 1)
        for number, (start, end) in enumerate(pairwise(cuts))
    ]


def close(code: int, reason: str | bytes = b"") -> bytes:
    """A close frame with a code, whether there is such a code or not."""
    text = reason.encode() if isinstance(reason, str) else reason
    return frame(Opcode.CLOSE, code.to_bytes(2) + text)


def mistakes() -> dict[str, tuple[bytes, int]]:
    """What no client may send, by name: the bytes and the close code that they call for."""
    found: dict[str, tuple[bytes, int]] = {}
    for rsv in range(1, 8):
        found[f"reserved bits {rsv:03b}"] = frame(Opcode.TEXT, b"{}", rsv=rsv), 1002
        found[f"reserved bits {rsv:03b} of a ping"] = frame(Opcode.PING, rsv=rsv), 1002
    for opcode in (*range(0x3, 0x8), *range(0xB, 0x10)):
        found[f"opcode {opcode:x}"] = frame(opcode, b"x"), 1002
    for opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG):
        name = opcode.name.lower()
        found[f"a fragment of a {name}"] = frame(opcode, fin=False), 1002
        found[f"a {name} of 126 bytes"] = frame(opcode, b"\x03\xe8" + b"x" * 124), 1002
    for opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.CLOSE):
        found[f"an unmasked {opcode.name.lower()}"] = bytes((0x80 | opcode, 2, 0x03, 0xE8)), 1002
    found["a fragment of nothing"] = frame(Opcode.CONT, b"x"), 1002
    found["the last fragment of nothing"] = frame(Opcode.CONT, b"x", fin=False), 1002
    for first in (Opcode.TEXT, Opcode.BINARY):
        for second in (Opcode.TEXT, Opcode.BINARY):
            for fin in (False, True):
                found[f"{first.name} within {second.name}, fin={fin}"] = (
                    frame(first, b"{", fin=False) + frame(second, b"}", fin=fin),
                    1002,
                )
    found["text that is not UTF-8"] = frame(Opcode.TEXT, b"ok \xff"), 1007
    found["text that ends within a character"] = frame(Opcode.TEXT, "é".encode()[:1]), 1007
    found["a surrogate"] = frame(Opcode.TEXT, b"\xed\xa0\x80"), 1007
    found["an overlong character"] = frame(Opcode.TEXT, b"\xc0\xaf"), 1007
    found["text that is not UTF-8 at the seam of fragments"] = (
        frame(Opcode.TEXT, "é".encode()[:1], fin=False) + frame(Opcode.CONT, b"x"),
        1007,
    )
    found["fragments that end within a character"] = (
        frame(Opcode.TEXT, b"x", fin=False) + frame(Opcode.CONT, "é".encode()[:1]),
        1007,
    )
    found["a close of one byte"] = frame(Opcode.CLOSE, b"\x03"), 1002
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        found[f"close code {code}"] = close(code), 1002
    found["a reason that is not UTF-8"] = close(1000, b"\xff"), 1007
    return found
