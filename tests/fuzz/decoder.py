"""The decoder of messages, fed with any frames."""

from __future__ import annotations

from hyperfocal.errors import PeerError
from hyperfocal.wire import Decoder, Frame, Kind, Limits, Message, dump_json, encode
from tests.fuzz.choices import Choices

__all__ = ("run",)

_LIMITS = Limits(message_bytes=4096, header_bytes=512, buffers=4)
_KINDS = tuple(Kind)
_TOO_MANY = '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":5}'
_PIECES = (
    "{}",
    '{"id":"b"}',
    '{"events":[]}',
    '{"msgid":"1","msgtype":"OK","reqid":"2"}',
    '{"msgid":"1","msgtype":"PATCH-DOC","num_buffers":2}',
    _TOO_MANY,
    '{"a":"\\ud83d","b":[1e5,-1,true,null]}',
)


def run(data: bytes) -> None:
    """Errors are those of peers, and final; what comes out is as announced and goes in again."""
    choices = Choices(data)
    decoder = Decoder(_LIMITS)
    while choices.left:
        frame = _frame(choices)
        too_many = frame == _TOO_MANY and not decoder.mid_message
        try:
            message = decoder.feed(frame)
        except PeerError as error:
            _stays_ended(decoder, error)
            return
        assert not too_many
        if message is not None:
            assert not decoder.mid_message
            _is_sound(message)


def _frame(choices: Choices) -> Frame:
    how = choices.number(8)
    if how == 0:
        return choices.take(choices.number(64))
    if how < 3:
        # Transports have decoded the text of a frame, and text that is not UTF-8 has not come here.
        return choices.take(choices.number(256)).decode("utf-8", "replace")
    if how == 3:
        return dump_json({choices.text(): choices.text(), "msgid": choices.text()})
    if how == 4:
        kind = choices.one(_KINDS)
        header = {"msgid": choices.text(), "msgtype": kind, "num_buffers": choices.number(6)}
        return dump_json(header)
    piece = choices.one(_PIECES)
    if choices.seldom():
        at = choices.number(len(piece))
        piece = piece[:at] + choices.text() + piece[at + choices.number(4) :]
    return piece


def _stays_ended(decoder: Decoder, error: PeerError) -> None:
    assert 1000 <= error.close_code <= 1014
    assert len(error.reason.encode()) <= 123
    for frame in ("{}", b""):
        try:
            decoder.feed(frame)
        except PeerError as again:
            assert again is error
        else:
            raise AssertionError("the decoder goes on after an error")


def _is_sound(message: Message) -> None:
    assert isinstance(message.msgid, str)
    assert isinstance(message.reqid, str | None)
    assert isinstance(message.content, dict)
    assert len(message.buffers) <= _LIMITS.buffers
    again: Message | None = None
    decoder = Decoder(Limits())
    for frame in encode(
        message.kind,
        dump_json(message.content),
        msgid=message.msgid,
        reqid=message.reqid,
        buffers=message.buffers,
    ):
        assert again is None
        again = decoder.feed(frame)
    assert again is not None
    assert (again.kind, again.msgid, again.reqid) == (message.kind, message.msgid, message.reqid)
    assert (again.content, again.buffers) == (message.content, message.buffers)
