"""Bytes to messages and back. No I/O: transports feed frames in and take frames out.

The protocol is the one that stock BokehJS speaks (its ``protocol/`` sources are the reference).
A message is three text frames, header, metadata and content, followed for each of the header's
``num_buffers`` by a text frame with the buffer's id and a binary frame with its payload.
"""

from hyperfocal.wire.decoder import Decoder
from hyperfocal.wire.encoder import MessageIds, ack, encode, error_reply, ok_reply, reply
from hyperfocal.wire.jsontext import dump_json, load_json
from hyperfocal.wire.messages import Buffer, Frame, Kind, Limits, Message

__all__ = (
    "Buffer",
    "Decoder",
    "Frame",
    "Kind",
    "Limits",
    "Message",
    "MessageIds",
    "ack",
    "dump_json",
    "encode",
    "error_reply",
    "load_json",
    "ok_reply",
    "reply",
)
