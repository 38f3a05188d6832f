"""The frames of messages, and the replies that the server makes."""

from __future__ import annotations

import json

from hyperfocal.wire import (
    Buffer,
    Decoder,
    Frame,
    Kind,
    Message,
    MessageIds,
    ack,
    dump_json,
    encode,
    error_reply,
    ok_reply,
    reply,
)


def decoded(frames: tuple[Frame, ...]) -> Message:
    decoder = Decoder()
    *rest, last = frames
    assert [decoder.feed(frame) for frame in rest] == [None] * len(rest)
    message = decoder.feed(last)
    assert message is not None
    return message


def test_a_plain_message_is_three_text_frames() -> None:
    frames = encode(Kind.PULL_DOC_REQ, '{"a":1}', msgid="m-1")
    assert [json.loads(frame) for frame in frames] == [
        {"msgid": "m-1", "msgtype": "PULL-DOC-REQ"},
        {},
        {"a": 1},
    ]
    assert all(isinstance(frame, str) for frame in frames)


def test_each_buffer_adds_a_text_frame_with_its_id_and_a_binary_frame() -> None:
    buffers = [Buffer('an "id"', b"\x00\xff"), Buffer("two", memoryview(b"abc"))]
    frames = encode(Kind.PATCH_DOC, "{}", msgid="m", buffers=iter(buffers))
    assert json.loads(frames[0])["num_buffers"] == 2
    assert json.loads(frames[3]) == {"id": 'an "id"'}
    assert frames[4] == b"\x00\xff"
    assert json.loads(frames[5]) == {"id": "two"}
    assert frames[6] == b"abc"
    assert [type(frame) for frame in frames] == [str, str, str, str, bytes, str, bytes]


def test_a_frame_does_not_change_with_the_array_it_was_made_from() -> None:
    data = bytearray(b"before")
    frames = encode(Kind.PATCH_DOC, "{}", msgid="m", buffers=[Buffer("a", memoryview(data))])
    data[:] = b"after!"
    assert frames[-1] == b"before"


def test_content_is_sent_as_it_is_given() -> None:
    assert encode(Kind.PATCH_DOC, '{ "a" :1 }', msgid="m")[2] == '{ "a" :1 }'


def test_the_server_opens_with_ack() -> None:
    message = decoded(ack(MessageIds("s")))
    assert (message.kind, message.content, message.reqid) == (Kind.ACK, {}, None)
    assert message.msgid == "s-1"


def test_replies_name_their_request_and_have_ids_of_their_own() -> None:
    ids = MessageIds("s")
    replies = [
        decoded(ok_reply(ids, "r1")),
        decoded(error_reply(ids, "r2", "it failed", "Traceback ...")),
        decoded(error_reply(ids, "r3", "it failed")),
        decoded(reply(ids, Kind.PULL_DOC_REPLY, "r4", dump_json({"doc": {}}), [Buffer("b", b"1")])),
    ]
    assert [(m.kind, m.msgid, m.reqid) for m in replies] == [
        (Kind.OK, "s-1", "r1"),
        (Kind.ERROR, "s-2", "r2"),
        (Kind.ERROR, "s-3", "r3"),
        (Kind.PULL_DOC_REPLY, "s-4", "r4"),
    ]
    assert [dict(m.content) for m in replies] == [
        {},
        {"text": "it failed", "traceback": "Traceback ..."},
        {"text": "it failed", "traceback": None},
        {"doc": {}},
    ]
    assert replies[3].buffers == (Buffer("b", b"1"),)


def test_an_error_text_with_half_an_emoji_still_makes_a_message() -> None:
    message = decoded(error_reply(MessageIds("s"), "r", "no such title: \ud83d"))
    assert message.content["text"] == "no such title: \ud83d"


def test_message_ids_never_repeat_within_a_source_or_between_two() -> None:
    one, other = MessageIds(), MessageIds()
    made = [one() for _ in range(500)] + [other() for _ in range(500)]
    assert len(set(made)) == 1000


def test_message_ids_can_be_made_to_repeat() -> None:
    one, other = MessageIds("x"), MessageIds("x")
    assert [one(), one()] == [other(), other()] == ["x-1", "x-2"]
