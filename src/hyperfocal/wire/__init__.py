"""Bytes to messages and back. No I/O: transports feed frames in and take frames out.

The protocol is the one that stock BokehJS speaks (its ``protocol/`` sources are the reference).
A message is three text frames, header, metadata and content, followed for each of the header's
``num_buffers`` by a text frame with the buffer's id and a binary frame with its payload.

Threads share nothing here but constants and ``MessageIds``. A ``Decoder`` is one connection's, and
fed by one thread at a time.
"""

from hyperfocal.wire.decoder import Decoder
from hyperfocal.wire.encoder import MessageIds, ack, encode, error_reply, ok_reply, reply
from hyperfocal.wire.jsontext import dump_json, json_string, load_json
from hyperfocal.wire.messages import Buffer, Frame, Kind, Limits, Message
from hyperfocal.wire.packed import Packed, packed_ok, packed_patch, unpacked

__all__ = (
    "Buffer",
    "Decoder",
    "Frame",
    "Kind",
    "Limits",
    "Message",
    "MessageIds",
    "Packed",
    "ack",
    "dump_json",
    "encode",
    "error_reply",
    "json_string",
    "load_json",
    "ok_reply",
    "packed_ok",
    "packed_patch",
    "reply",
    "unpacked",
)
