"""Properties of the wire format, for any message, any split and any garbage."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hyperfocal.errors import InvalidDataError, PeerError
from hyperfocal.wire import (
    Buffer,
    Decoder,
    Frame,
    Kind,
    Limits,
    Message,
    dump_json,
    encode,
    load_json,
)

#: No deadline: how long an example takes says nothing on a shared machine.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WHOLE = st.characters(exclude_categories=["Cs"])
texts = st.text(WHOLE)
#: As browsers write it: with halves of surrogate pairs.
raw_texts = st.text(st.characters())
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


def values(letters: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | numbers | letters,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(letters, inner, max_size=4),
        max_leaves=12,
    )


contents = st.dictionaries(texts, values(texts), max_size=4)
raw_contents = st.dictionaries(raw_texts, values(raw_texts), max_size=4)
buffers = st.lists(st.builds(Buffer, texts, st.binary(max_size=64)), max_size=4).map(tuple)


def messages(contained: st.SearchStrategy[Any] = contents) -> st.SearchStrategy[Message]:
    return st.builds(
        Message,
        kind=st.sampled_from(Kind),
        msgid=texts,
        content=contained,
        metadata=st.just({}),
        reqid=st.none() | texts,
        buffers=buffers,
    )


def frames_of(message: Message) -> tuple[Frame, ...]:
    return encode(
        message.kind,
        dump_json(message.content),
        msgid=message.msgid,
        reqid=message.reqid,
        buffers=message.buffers,
    )


@untimed
@given(messages(raw_contents))
def test_any_message_survives_the_way_through(message: Message) -> None:
    decoder = Decoder()
    *rest, last = frames_of(message)
    assert [decoder.feed(frame) for frame in rest] == [None] * len(rest)
    assert decoder.feed(last) == message
    assert not decoder.mid_message


@untimed
@given(st.lists(messages(), max_size=5), st.data())
def test_how_frames_arrive_together_makes_no_difference(
    sent: list[Message], data: st.DataObject
) -> None:
    frames = [frame for message in sent for frame in frames_of(message)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frames)), max_size=6)))
    decoder = Decoder()
    received: list[Message] = []
    for start, end in zip([0, *cuts], [*cuts, len(frames)], strict=True):
        # One delivery of the transport; between two of them anything may happen, such as
        # another connection's decoder at work.
        other = Decoder()
        for frame in frames[start:end]:
            message = decoder.feed(frame)
            if message is not None:
                received.append(message)
        other.feed('{"msgid":"x","msgtype":"OK","num_buffers":3}')
    assert received == sent


@untimed
@given(st.lists(messages(), min_size=1, max_size=3))
def test_two_decoders_fed_by_turns_do_not_mix(sent: list[Message]) -> None:
    one, other = Decoder(), Decoder()
    pairs = [
        (one.feed(frame), other.feed(frame)) for message in sent for frame in frames_of(message)
    ]
    assert [left for left, _ in pairs if left is not None] == sent
    assert [right for _, right in pairs if right is not None] == sent


FRAGMENTS: list[Frame] = [
    "{}",
    "[]",
    "",
    "NaN",
    '{"id":"a"}',
    '{"id":1}',
    '{"a":"\\ud83d"}',
    '{"a":"\ud83d"}',
    "[" * 2000,
    '["\\ud83d",' * 2000,
    '{"msgid":"1","msgtype":"PATCH-DOC"}',
    '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":1}',
    '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":2}',
    '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":-1}',
    '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":1e30}',
    '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":true}',
    '{"msgid":"1","msgtype":["PATCH-DOC"]}',
    b"",
    b"payload",
]
fragments: st.SearchStrategy[Frame] = st.sampled_from(FRAGMENTS)
headers = st.fixed_dictionaries(
    {},
    optional={
        "msgid": values(raw_texts),
        "msgtype": st.sampled_from([kind.value for kind in Kind]) | values(raw_texts),
        "reqid": values(raw_texts),
        "num_buffers": values(raw_texts),
    },
).map(json.dumps)
any_frame: st.SearchStrategy[Frame] = st.one_of(
    fragments, headers, raw_texts, st.binary(max_size=8)
)
any_frames = st.lists(any_frame, max_size=12)


@untimed
@given(any_frames)
@example(['{"msgid":"1","msgtype":"OK"}', "{}", '{"a":"\\ud83d"}'])
def test_any_frames_give_messages_or_a_peer_error_and_nothing_else(frames: list[Frame]) -> None:
    limits = Limits(message_bytes=4096, header_bytes=1024, buffers=3)
    decoder = Decoder(limits)
    failure: PeerError | None = None
    for frame in frames:
        try:
            result = decoder.feed(frame)
        except PeerError as error:
            assert failure is None or error is failure
            assert error.close_code in {1002, 1003, 1007, 1009}
            assert len(error.reason.encode()) <= 123
            failure = error
            continue
        assert failure is None, "a poisoned decoder took a frame"
        if result is not None:
            assert isinstance(result.content, dict)
            assert isinstance(result.metadata, Mapping)
            assert isinstance(result.msgid, str)
            assert isinstance(result.kind, Kind)
            assert len(result.buffers) <= limits.buffers
            assert not decoder.mid_message


@untimed
@given(messages(), st.data())
def test_a_message_is_taken_up_to_its_exact_size_in_bytes_and_not_beyond(
    message: Message, data: st.DataObject
) -> None:
    frames = frames_of(message)
    size = sum(len(frame if isinstance(frame, bytes) else frame.encode()) for frame in frames)

    def outcome(limit: int) -> Message | int | None:
        decoder = Decoder(Limits(message_bytes=limit))
        result: Message | None = None
        for frame in frames:
            try:
                result = decoder.feed(frame)
            except PeerError as error:
                return error.close_code
        return result

    assert outcome(size) == message
    assert outcome(data.draw(st.integers(0, size - 1))) == 1009


@untimed
@given(values(raw_texts))
def test_any_json_value_is_written_and_read_back(value: Any) -> None:
    text = dump_json(value)
    assert load_json(text, "value") == value
    assert json.loads(text) == value


@untimed
@given(
    st.text(st.sampled_from('[]{}",:\\u0d8ef1.- eE+nulNaInfity😀\ud83d'), max_size=40) | raw_texts
)
def test_text_is_read_as_json_without_infinities_or_refused(text: str) -> None:
    try:
        value = load_json(text, "text")
    except InvalidDataError:
        return
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, float):
            assert math.isfinite(item)
