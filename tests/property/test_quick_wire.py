"""What is quick about the wire gives what the slow way gives, for any frames."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from hyperfocal.errors import PeerError
from hyperfocal.web.frames import wrap
from hyperfocal.wire import (
    Buffer,
    Decoder,
    Frame,
    Kind,
    Limits,
    Message,
    MessageIds,
    Packed,
    encode,
    ok_reply,
    packed_ok,
    packed_patch,
)
from tests.property.test_wire import raw_contents, raw_texts, texts, untimed

LIMITS = Limits(message_bytes=400, header_bytes=120, buffers=2)

scalars: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-2, 3) | raw_texts | st.just([])
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "msgid": st.text('17a"\\ü', max_size=130) | scalars,
        "msgtype": st.sampled_from([*Kind, "NONE"]) | scalars,
        "reqid": st.text("17a", max_size=4) | scalars,
        "num_buffers": st.integers(0, 3) | scalars | st.just(0.0),
        "other": scalars,
    },
).map(json.dumps)
frames = st.one_of(
    headers,
    raw_contents.map(json.dumps),
    st.sampled_from(["{}", "{ }", "[]", "", "{", "null", '{"a":NaN}', '{"a":1e999}', "x" * 500]),
    st.sampled_from([b"{}", b""]),
)


def outcome(decoder: Decoder, given: tuple[Frame, ...], *, at_once: bool) -> Any:
    """The messages and errors that frames lead to."""
    found: list[Any] = []
    try:
        while given:
            three = given[:3]
            whole = at_once and len(three) == 3
            message = decoder.feed_message(three[0], three[1], three[2]) if whole else None
            if message is not None:
                given = given[3:]
            else:
                message, given = decoder.feed(given[0]), given[1:]
            if message is not None:
                found.append(message)
    except PeerError as error:
        found.append((type(error), str(error), error.close_code))
    return found, decoder.mid_message


@given(
    st.lists(
        st.tuples(headers, st.just("{}") | frames, frames)
        | st.tuples(frames)
        | st.tuples(headers, st.just("{}"), st.just('{"events":[]}')),
        max_size=4,
    )
)
@example([('{"msgid":"1","msgtype":"OK"}', "{}", '{"a":"\\ud83d"}')])
@example([('{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":false}', "{}", "{}")])
@untimed
def test_three_frames_at_once_are_the_message_that_they_are_one_by_one(
    groups: list[tuple[Frame, ...]],
) -> None:
    given = tuple(frame for group in groups for frame in group)
    slowly = outcome(Decoder(LIMITS), given, at_once=False)
    assert outcome(Decoder(LIMITS), given, at_once=True) == slowly


def test_the_usual_message_is_taken_at_once() -> None:
    message = Decoder().feed_message('{"msgid":"1","msgtype":"PATCH-DOC"}', "{}", '{"events":[]}')
    assert message == Message(Kind.PATCH_DOC, "1", {"events": []})


@given(st.text(st.characters(), max_size=200), st.none() | raw_texts, st.booleans())
@example("1" * 70_000, None, False)
@untimed
def test_a_packed_reply_is_the_reply(reqid: str, prefix: str | None, twice: bool) -> None:
    prefix = "ids" if prefix is None else prefix
    ids, others = MessageIds(prefix), MessageIds(prefix)
    for _ in range(1 + twice):
        packed, plain = packed_ok(ids, reqid), ok_reply(others, reqid)
        assert list(map(json.loads, packed.frames())) == list(map(json.loads, plain))
        if reqid.isascii() and reqid.isalnum() and prefix.isalnum() and prefix.isascii():
            assert b"".join(wrap(plain)) == packed


sizes = st.builds(int.__add__, st.sampled_from([0, 1, 120, 65_530, 70_000]), st.integers(0, 9))


@given(texts, sizes, st.lists(st.builds(Buffer, texts, sizes.map(bytes)), max_size=3))
@untimed
def test_a_packed_patch_is_the_patch_in_frames(text: str, size: int, buffers: list[Buffer]) -> None:
    content = json.dumps({"events": [text, "x" * size]}, ensure_ascii=False)
    packed = packed_patch(MessageIds("abc"), content.encode(), buffers)
    plain = encode(Kind.PATCH_DOC, content, msgid=MessageIds("abc")(), buffers=buffers)
    assert packed.frames() == plain
    assert wrap([packed]) == [packed]
    assert type(packed) is Packed
    assert b"".join(wrap(plain)) == packed
