"""The frames of the native transport, right and wrong ones, cut anywhere."""

from __future__ import annotations

import asyncio
from itertools import cycle

from hyperfocal.errors import PeerError
from hyperfocal.web.frames import Closing, Event, FrameReader, Ping
from tests.fuzz.choices import Choices

__all__ = ("run",)

_OPCODES = (0x1, 0x2, 0x0, 0x8, 0x9, 0xA, 0x3, 0xB)
_BOUNDS = (1 << 20, 200, 1024)
#: Around the places where the length of a frame takes more bytes, and the read buffer ends.
_SIZES = (0, 1, 2, 5, 125, 126, 127, 255, 65535, 65536, 16384)


_loop = asyncio.new_event_loop()


def run(data: bytes) -> None:
    """However the bytes are cut, the same comes out, and nothing is raised."""
    _loop.run_until_complete(_run(data))


async def _run(data: bytes) -> None:
    choices = Choices(data)
    bound = choices.one(_BOUNDS)
    cuts = [1 + choices.number(40) for _ in range(4)]
    stream = b"".join(_frames(choices) for _ in range(choices.count(12))) + choices.rest()
    whole = _read(stream, bound, [len(stream) or 1])
    _are_sound(whole, bound)
    assert _said(_read(stream, bound, cuts)) == _said(whole)
    if len(stream) <= 512:
        assert _said(_read(stream, bound, [1])) == _said(whole)


def _read(stream: bytes, bound: int, cuts: list[int]) -> list[Event]:
    reader = FrameReader(bound)
    events: list[Event] = []
    sizes = cycle(cuts)
    while stream:
        piece, stream = stream[: (size := next(sizes))], stream[size:]
        while piece:
            buffer = reader.buffer()
            assert len(buffer)
            taken = min(len(buffer), len(piece))
            buffer[:taken] = piece[:taken]
            piece = piece[taken:]
            events += reader.received(taken)
    reader.close()
    return events


def _said(events: list[Event]) -> list[object]:
    return [(type(one), one.reason) if isinstance(one, PeerError) else one for one in events]


def _are_sound(events: list[Event], bound: int) -> None:
    for event in events[:-1]:
        assert not isinstance(event, Closing | PeerError), "something comes behind the end"
    for event in events:
        if isinstance(event, str):
            assert len(event.encode()) <= bound
        elif isinstance(event, bytes):
            assert len(event) <= bound
        elif isinstance(event, Ping):
            assert len(event.payload) <= 125
        elif isinstance(event, Closing):
            assert 1000 <= event.code <= 4999
            assert len(event.reason.encode()) <= 123


def _frames(choices: Choices) -> bytes:
    """A frame, or a message in several."""
    if not choices.seldom(4):
        return _frame(choices)
    opcodes = [choices.one(_OPCODES[:2]), *([0x0] * (1 + choices.number(6)))]
    last = len(opcodes) - 1
    return b"".join(_frame(choices, opcode, at == last) for at, opcode in enumerate(opcodes))


def _frame(choices: Choices, opcode: int | None = None, fin: bool | None = None) -> bytes:
    """A frame of a client; most are as they should be."""
    if fin is None:
        fin = not choices.seldom(4)
    rsv = choices.number(8) << 4 if choices.seldom(16) else 0
    if opcode is None:
        opcode = choices.one(_OPCODES[: 6 if not choices.seldom(16) else 8])
    size = choices.one(_SIZES) if choices.seldom() else choices.number(120)
    payload = choices.take(min(size, 64))
    if opcode == 0x8 and choices.flag():
        payload = (1000 + choices.number(20)).to_bytes(2, "big") + payload
    if size > 64:
        payload = payload.ljust(size, b"x")
    masked = 0 if choices.seldom(32) else 0x80
    head = bytes((fin << 7 | rsv | opcode,))
    said = len(payload) if not choices.seldom(32) else choices.number(1 << 64)
    wide = choices.seldom(32)  # a length in more bytes than it needs
    if said < 126 and not wide:
        head += bytes((masked | said,))
    elif said < 65536 and not wide:
        head += bytes((masked | 126,)) + said.to_bytes(2, "big")
    else:
        head += bytes((masked | 127,)) + said.to_bytes(8, "big")
    if not masked:
        return head + payload
    key = choices.take(4).ljust(4, b"\0")
    return head + key + bytes(one ^ key[at % 4] for at, one in enumerate(payload))
