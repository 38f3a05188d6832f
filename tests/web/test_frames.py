"""Frames, without I/O: a client's bytes become messages however they are cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from hyperfocal.errors import PeerError
from hyperfocal.web.frames import (
    Closing,
    Event,
    FrameReader,
    Ping,
    wrap,
    wrap_close,
    wrap_ping,
    wrap_pong,
)
from tests.support.frames import Opcode, close, frame, message, mistakes

LIMIT = 300_000


def read(pieces: Iterable[bytes], limit: int = LIMIT) -> list[Event]:
    """What a reader makes of bytes that come in these pieces."""
    events: list[Event] = []

    async def feed() -> None:
        reader = FrameReader(limit)
        for piece in pieces:
            rest = piece
            while rest:
                buffer = reader.buffer()
                size = min(len(buffer), len(rest))
                buffer[:size] = rest[:size]
                events.extend(reader.received(size))
                rest = rest[size:]
        reader.close()

    asyncio.run(feed())
    return events


def shown(events: Iterable[Event]) -> list[object]:
    """Errors by their code, everything else as it is."""
    return [event.close_code if isinstance(event, PeerError) else event for event in events]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
@pytest.mark.parametrize("fragments", [1, 2, 7])
def test_messages_of_every_length_encoding(size: int, fragments: int) -> None:
    text, data = "x" * size, b"\0" * size
    stream = b"".join(message(text, fragments) + message(data, fragments))
    assert read([stream]) == [text, data]


def test_control_frames_between_fragments() -> None:
    first, second, third = message("hélló wörld", 3)
    stream = [
        first,
        frame(Opcode.PING, b"p" * 125),
        second,
        frame(Opcode.PONG, b"?"),
        third,
        frame(Opcode.PING),
    ]
    assert read(stream) == [Ping(b"p" * 125), "hélló wörld", Ping(b"")]


def test_characters_may_be_split_over_fragments() -> None:
    text = "κόσμε 🎈"
    size = len(text.encode())
    assert read(message(text, size)) == [text]


CONVERSATION = b"".join(
    [
        *message('{"msgid": "1"}'),
        *message("né", 3),
        frame(Opcode.PING, b"?"),
        *message(b"\xff" * 130, 2),
        frame(Opcode.TEXT),
        close(4321, "ciao é"),
        *message("not looked at"),
    ]
)
HEARD = ['{"msgid": "1"}', "né", Ping(b"?"), b"\xff" * 130, "", Closing(4321, "ciao é")]


def test_every_split_point() -> None:
    for at in range(len(CONVERSATION) + 1):
        assert read([CONVERSATION[:at], CONVERSATION[at:]]) == HEARD
    assert read([bytes((byte,)) for byte in CONVERSATION]) == HEARD


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=8))
def test_any_pieces(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    pieces = [CONVERSATION[a:b] for a, b in pairwise(edges)]
    assert read(pieces) == HEARD


@pytest.mark.parametrize("name", mistakes())
def test_mistakes_end_the_conversation_behind_what_came_before(name: str) -> None:
    data, code = mistakes()[name]
    # What comes behind a mistake is not looked at; what came before counts, however it is cut.
    stream = b"".join(message("before")) + data + b"".join(message("behind"))
    for at in range(len(stream) + 1):
        assert shown(read([stream[:at], stream[at:]])) == ["before", code], at


@pytest.mark.parametrize("fragments", [1, 2, 50])
def test_a_message_may_have_as_many_bytes_as_the_limit_and_no_more(fragments: int) -> None:
    assert read(message(b"x" * LIMIT, fragments)) == [b"x" * LIMIT]
    assert shown(read(message(b"x" * (LIMIT + 1), fragments))) == [1009]


def test_a_frame_that_says_it_is_too_large_is_refused_before_it_comes() -> None:
    announced = bytes((0x82, 0xFF)) + (LIMIT + 1).to_bytes(8)
    assert shown(read([announced])) == [1009]
    assert shown(read([bytes((0x82, 0xFF)) + (1 << 63).to_bytes(8)])) == [1002]


def test_empty_fragments_do_not_pile_up() -> None:
    begin, end = frame(Opcode.TEXT, fin=False), frame(Opcode.CONT)
    assert read([begin + frame(Opcode.CONT, fin=False) * 20_000 + end]) == [""]


def test_a_large_message_leaves_no_large_buffer_behind() -> None:
    async def feed() -> None:
        reader = FrameReader(1 << 24)
        data = b"".join(message(b"x" * (1 << 22)))
        largest = 0
        events: list[Event] = []
        while data:
            buffer = reader.buffer()
            largest = max(largest, len(reader._parser.get_buffer(-1)))
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            data = data[size:]
            events = reader.received(size)
        assert [len(event) for event in events if isinstance(event, bytes)] == [1 << 22]
        assert largest > 1 << 20
        reader.buffer()
        assert len(reader._parser.get_buffer(-1)) <= 1 << 16

    asyncio.run(feed())


def test_one_read_is_bounded() -> None:
    async def look() -> None:
        assert len(FrameReader(1 << 24).buffer()) <= 1 << 14

    asyncio.run(look())


# --- what we send -----------------------------------------------------------------------------


def heard_by_a_client(data: bytes) -> list[Frame]:
    client = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
    client.receive_data(data)
    return [event for event in client.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 100_000])
def test_what_is_wrapped_is_heard(size: int) -> None:
    text, data = "é" * (size // 2), b"\xff" * size
    frames = heard_by_a_client(b"".join(wrap([text, data])))
    assert [(frame.opcode, bytes(frame.data), frame.fin) for frame in frames] == [
        (Opcode.TEXT, text.encode(), True),
        (Opcode.BINARY, data, True),
    ]


def test_control_frames_are_heard() -> None:
    ping, pong, end = heard_by_a_client(
        wrap_ping(b"1") + wrap_pong(b"2") + wrap_close(1013, "é" * 61)
    )
    assert (ping.opcode, bytes(ping.data)) == (Opcode.PING, b"1")
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"2")
    assert (end.opcode, bytes(end.data)) == (Opcode.CLOSE, b"\x03\xf5" + "é".encode() * 61)
    (silent,) = heard_by_a_client(wrap_close(1005, ""))
    assert bytes(silent.data) == b""
