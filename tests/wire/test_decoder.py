"""The decoder: what makes a message, what ends a connection, and with which code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from hyperfocal.errors import (
    InvalidDataError,
    MessageTooBigError,
    PeerError,
    ProtocolError,
    UnexpectedFrameError,
)
from hyperfocal.wire import Buffer, Decoder, Frame, Kind, Limits, Message, encode

HEADER = '{"msgid":"1","msgtype":"PATCH-DOC"}'


def header(**fields: Any) -> str:
    return json.dumps({"msgid": "1", "msgtype": "PATCH-DOC", **fields})


def feed(decoder: Decoder, frames: Iterable[Frame]) -> list[Message]:
    return [message for frame in frames if (message := decoder.feed(frame)) is not None]


def refused(*frames: Frame, limits: Limits | None = None) -> PeerError:
    """The error of the last frame; the frames before it must be taken."""
    decoder = Decoder(limits)
    assert feed(decoder, frames[:-1]) == []
    with pytest.raises(PeerError) as caught:
        decoder.feed(frames[-1])
    return caught.value


# --- messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("reqid", [None, "request-7"])
def test_every_kind_survives_the_way_through_with_its_buffers(
    kind: Kind, reqid: str | None
) -> None:
    buffers = (Buffer("a", b""), Buffer("b", bytes(range(256))), Buffer("a", b"same id"))
    frames = encode(kind, '{"events":[1,"ü"]}', msgid="m", reqid=reqid, buffers=buffers)
    assert feed(Decoder(), frames) == [
        Message(
            kind=kind,
            msgid="m",
            content={"events": [1, "ü"]},
            metadata={},
            reqid=reqid,
            buffers=buffers,
        )
    ]


def test_a_message_is_given_with_its_last_frame_and_not_before() -> None:
    frames = encode(Kind.PATCH_DOC, "{}", msgid="m", buffers=[Buffer("a", b"1"), Buffer("b", b"2")])
    decoder = Decoder()
    results = [decoder.feed(frame) for frame in frames]
    assert len(frames) == 7
    assert results[:-1] == [None] * 6
    assert results[-1] is not None


def test_it_knows_whether_a_message_has_begun() -> None:
    decoder = Decoder()
    seen = [decoder.mid_message]
    for frame in encode(Kind.PATCH_DOC, "{}", msgid="m", buffers=[Buffer("a", b"1")]):
        decoder.feed(frame)
        seen.append(decoder.mid_message)
    assert seen == [False, True, True, True, True, False]


def test_metadata_and_unknown_header_fields_of_the_peer_are_taken() -> None:
    frames = [header(later="field", reqid=None), '{"use":"less"}', '{"doc":{}}']
    (message,) = feed(Decoder(), frames)
    assert (message.metadata, message.content, message.reqid) == (
        {"use": "less"},
        {"doc": {}},
        None,
    )


def test_no_buffers_announced_is_the_same_as_zero() -> None:
    assert feed(Decoder(), [HEADER, "{}", "{}"]) == feed(
        Decoder(), [header(num_buffers=0), "{}", "{}"]
    )


def test_nothing_of_a_message_is_left_in_the_next_one() -> None:
    first = encode(
        Kind.PATCH_DOC, '{"a":1}', msgid="1", reqid="0", buffers=[Buffer("x", b"payload")]
    )
    second = encode(Kind.PULL_DOC_REQ, "{}", msgid="2")
    decoder = Decoder()
    assert len(feed(decoder, first)) == 1
    assert feed(decoder, second) == [Message(Kind.PULL_DOC_REQ, "2")]


def test_a_lone_surrogate_escape_is_taken_as_the_browser_wrote_it() -> None:
    text = '{"value":"half an emoji: \\ud83d"}'
    (message,) = feed(Decoder(), [HEADER, "{}", text])
    assert message.content == {"value": "half an emoji: \ud83d"}


def test_whole_surrogate_pairs_become_one_character() -> None:
    (message,) = feed(Decoder(), [HEADER, "{}", '{"value":"\\ud83d\\ude00"}'])
    assert message.content == {"value": "\U0001f600"}


# --- errors and their close codes ---------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [(), (HEADER,), (HEADER, "{}"), (header(num_buffers=1), "{}", "{}")],
    ids=["header", "metadata", "content", "buffer header"],
)
def test_a_binary_frame_where_text_is_due_closes_with_1003(before: tuple[Frame, ...]) -> None:
    error = refused(*before, b"{}")
    assert type(error) is UnexpectedFrameError
    assert error.close_code == 1003


def test_a_text_frame_where_a_buffer_is_due_closes_with_1003() -> None:
    error = refused(header(num_buffers=1), "{}", "{}", '{"id":"a"}', "payload")
    assert type(error) is UnexpectedFrameError
    assert error.close_code == 1003


NOT_JSON = [
    "",
    " ",
    "{",
    "{}{}",
    "not json",
    "{'a':1}",
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":-Infinity}',
    '{"a":"\\ud83d","b":NaN}',
    '{"a":"\\ud83d","b":Infinity}',
    '{"a":"\\ud83d"',
    '{"a":1e999}',
    '{"a":"\\ud83d","b":1e999}',
    '{"a":"\\ud83d","b":' + "1" * 5000 + "}",
    '{"a":"\ud83d"}',
    "[" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    '{"a":"\\ud83d","b":' + "[" * 100_000 + "]" * 100_000 + "}",
]


@pytest.mark.parametrize("text", NOT_JSON, ids=lambda text: ascii(text[:40]))
@pytest.mark.parametrize(
    "before",
    [(), (HEADER,), (HEADER, "{}"), (header(num_buffers=1), "{}", "{}")],
    ids=["header", "metadata", "content", "buffer header"],
)
def test_a_text_frame_that_is_not_strict_json_closes_with_1007(
    before: tuple[Frame, ...], text: str
) -> None:
    error = refused(*before, text, limits=Limits(header_bytes=1 << 30))
    assert type(error) is InvalidDataError
    assert error.close_code == 1007


@pytest.mark.parametrize("text", ["[]", "1", "null", '"text"', "true", "1.5", '[{"a":1}]'])
@pytest.mark.parametrize(
    "before",
    [(), (HEADER,), (HEADER, "{}"), (header(num_buffers=1), "{}", "{}")],
    ids=["header", "metadata", "content", "buffer header"],
)
def test_json_that_is_not_an_object_closes_with_1002(before: tuple[Frame, ...], text: str) -> None:
    error = refused(*before, text)
    assert type(error) is ProtocolError
    assert error.close_code == 1002


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"msgid":"1"}',
        '{"msgid":"1","msgtype":"NO-SUCH-KIND"}',
        '{"msgid":"1","msgtype":"PATCH_DOC"}',
        '{"msgid":"1","msgtype":"patch-doc"}',
        '{"msgid":"1","msgtype":""}',
        '{"msgid":"1","msgtype":null}',
        '{"msgid":"1","msgtype":7}',
        '{"msgid":"1","msgtype":["PATCH-DOC"]}',
        '{"msgid":"1","msgtype":{}}',
        '{"msgtype":"PATCH-DOC"}',
        '{"msgid":null,"msgtype":"PATCH-DOC"}',
        '{"msgid":1,"msgtype":"PATCH-DOC"}',
        '{"msgid":["1"],"msgtype":"PATCH-DOC"}',
        '{"msgid":"1","msgtype":"OK","reqid":1}',
        '{"msgid":"1","msgtype":"OK","reqid":{}}',
    ],
)
def test_a_header_whose_fields_are_missing_unknown_or_of_the_wrong_type_closes_with_1002(
    text: str,
) -> None:
    error = refused(text)
    assert type(error) is ProtocolError
    assert error.close_code == 1002


@pytest.mark.parametrize(
    "count", ["-1", "true", "false", "1.0", "0.5", "null", '"1"', "[]", "{}", "1e3", "-0.0"]
)
def test_a_number_of_buffers_that_is_no_whole_number_closes_with_1002(count: str) -> None:
    error = refused('{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":' + count + "}")
    assert type(error) is ProtocolError
    assert error.close_code == 1002


@pytest.mark.parametrize("count", [10**4 + 1, 10**9, 2**63, 2**64 - 1])
def test_more_buffers_than_allowed_close_with_1009_before_one_is_sent(count: int) -> None:
    error = refused(header(num_buffers=count))
    assert type(error) is MessageTooBigError
    assert error.close_code == 1009


@pytest.mark.parametrize("count", [2**64, 10**30, 10**400])
def test_a_number_of_buffers_beyond_all_integers_is_refused(count: int) -> None:
    text = '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":' + str(count) + "}"
    assert refused(text).close_code in (1002, 1007, 1009)


@pytest.mark.parametrize("text", ["{}", '{"id":null}', '{"id":1}', '{"id":["a"]}', '{"ID":"a"}'])
def test_a_buffer_header_without_an_id_closes_with_1002(text: str) -> None:
    error = refused(header(num_buffers=1), "{}", "{}", text)
    assert type(error) is ProtocolError
    assert error.close_code == 1002


# --- after an error -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frames",
    [
        ("not json",),
        (b"binary",),
        (HEADER, "[]"),
        (header(num_buffers=1), "{}", "{}", '{"id":"a"}', "text"),
        (header(num_buffers=10_001),),
    ],
    ids=["1007", "1003", "1002", "1003 in a buffer", "1009"],
)
def test_after_an_error_every_frame_raises_that_error_again(frames: tuple[Frame, ...]) -> None:
    decoder = Decoder()
    assert feed(decoder, frames[:-1]) == []
    with pytest.raises(PeerError) as first:
        decoder.feed(frames[-1])
    further: list[Frame] = [
        *encode(Kind.PULL_DOC_REQ, "{}", msgid="2"),
        *encode(Kind.PATCH_DOC, "{}", msgid="3", buffers=[Buffer("a", b"1")]),
        b"",
        "",
    ]
    for frame in further:
        with pytest.raises(PeerError) as again:
            decoder.feed(frame)
        assert again.value is first.value


# --- limits -------------------------------------------------------------------------------------


def test_a_message_of_exactly_the_limit_is_taken_and_one_byte_more_closes_with_1009() -> None:
    frames = encode(Kind.PATCH_DOC, '{"a":"é€😀"}', msgid="m", buffers=[Buffer("a", b"12345")])
    size = sum(len(frame if isinstance(frame, bytes) else frame.encode()) for frame in frames)
    assert len(feed(Decoder(Limits(message_bytes=size)), frames)) == 1
    error = refused(*frames, limits=Limits(message_bytes=size - 1))
    assert type(error) is MessageTooBigError
    assert error.close_code == 1009


def test_every_frame_of_a_message_counts_towards_its_size() -> None:
    frames = encode(Kind.PATCH_DOC, '{"abc":1}', msgid="m", buffers=[Buffer("a", b"12345")])
    total = 0
    for index, frame in enumerate(frames):
        total += len(frame)
        error = refused(*frames[: index + 1], limits=Limits(message_bytes=total - 1))
        assert error.close_code == 1009


def test_the_size_is_counted_anew_for_each_message() -> None:
    frames = encode(Kind.PATCH_DOC, "{}", msgid="m", buffers=[Buffer("a", b"12345")])
    decoder = Decoder(Limits(message_bytes=sum(map(len, frames))))
    assert len(feed(decoder, [*frames, *frames, *frames])) == 3


def test_a_message_that_is_too_big_is_refused_before_it_is_parsed() -> None:
    error = refused(HEADER, "{}", "x" * 1000, limits=Limits(message_bytes=500))
    assert error.close_code == 1009


@pytest.mark.parametrize(
    "before",
    [(), ('{"msgid":"1","msgtype":"OK"}',), (header(num_buffers=1), "{}", "{}")],
    ids=["header", "metadata", "buffer header"],
)
@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
def test_small_frames_have_a_limit_of_their_own_in_bytes(
    before: tuple[Frame, ...], letter: str
) -> None:
    def text(fill: str) -> str:
        return '{"msgid":"1","msgtype":"OK","id":"a","fill":"' + fill + '"}'

    room = 200 - len(text("").encode())
    width = len(letter.encode())
    fill = letter * (room // width) + "a" * (room % width)
    assert len(text(fill).encode()) == 200
    limits = Limits(header_bytes=200)
    decoder = Decoder(limits)
    assert feed(decoder, [*before, text(fill)]) == []
    error = refused(*before, text(fill + "a"), limits=limits)
    assert type(error) is MessageTooBigError
    assert error.close_code == 1009


def test_content_and_payloads_may_be_larger_than_a_header() -> None:
    frames = encode(
        Kind.PATCH_DOC, json.dumps({"a": "x" * 500}), msgid="m", buffers=[Buffer("a", bytes(500))]
    )
    assert len(feed(Decoder(Limits(header_bytes=100)), frames)) == 1


def test_as_many_buffers_as_allowed_are_taken_and_one_more_closes_with_1009() -> None:
    limits = Limits(buffers=2)
    buffers = [Buffer(name, b"1") for name in "abc"]
    frames = encode(Kind.PATCH_DOC, "{}", msgid="m", buffers=buffers[:2])
    assert len(feed(Decoder(limits), frames)) == 1
    error = refused(encode(Kind.PATCH_DOC, "{}", msgid="m", buffers=buffers)[0], limits=limits)
    assert error.close_code == 1009


def test_no_buffers_at_all_can_be_allowed() -> None:
    limits = Limits(buffers=0)
    assert len(feed(Decoder(limits), [HEADER, "{}", "{}"])) == 1
    assert refused(header(num_buffers=1), limits=limits).close_code == 1009


def test_without_limits_given_twenty_megabytes_are_taken_and_no_more() -> None:
    frames = [header(num_buffers=1), "{}", "{}", '{"id":"a"}']
    room = 20 * 1024 * 1024 - sum(map(len, frames))
    assert len(feed(Decoder(), [*frames, bytes(room)])) == 1
    assert refused(*frames, bytes(room + 1)).close_code == 1009


# --- what the peer is told ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "frames",
    [
        (b"secret-of-the-peer",),
        ("secret-of-the-peer",),
        ('{"msgid":"1","msgtype":"secret-of-the-peer"}',),
        ('{"msgid":"1","msgtype":"OK","num_buffers":"secret-of-the-peer"}',),
        (HEADER, "{}", '["secret-of-the-peer"]'),
        (header(num_buffers=99_999_999),),
    ],
)
def test_the_reason_fits_into_a_close_frame_and_repeats_nothing_of_the_input(
    frames: tuple[Frame, ...],
) -> None:
    reason = refused(*frames).reason
    assert 0 < len(reason.encode()) <= 123
    assert "secret-of-the-peer" not in reason
