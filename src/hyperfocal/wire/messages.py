"""The values of the protocol: kinds, messages, buffers, frames, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

__all__ = ("NO_FIELDS", "Buffer", "Frame", "Kind", "Limits", "Message")

#: One websocket message: ``str`` is a text frame, ``bytes`` a binary one.
Frame: TypeAlias = str | bytes


class Kind(StrEnum):
    """The kinds of messages, by their name on the wire (header field ``msgtype``)."""

    ACK = "ACK"
    OK = "OK"
    ERROR = "ERROR"
    PATCH_DOC = "PATCH-DOC"
    PULL_DOC_REQ = "PULL-DOC-REQ"
    PULL_DOC_REPLY = "PULL-DOC-REPLY"
    PUSH_DOC = "PUSH-DOC"
    SERVER_INFO_REQ = "SERVER-INFO-REQ"
    SERVER_INFO_REPLY = "SERVER-INFO-REPLY"


# Of values that cannot change, tuples are the ones that are made in no time.
class Buffer(NamedTuple):
    """A binary payload that the content refers to by ``id``."""

    id: str
    payload: bytes | memoryview


#: The fields of an empty JSON object.
NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class Message(NamedTuple):
    """One whole message as it came in.

    ``content`` is the decoded JSON object of the third frame, ``reqid`` the ``msgid`` of the
    request that a reply answers.
    """

    kind: Kind
    msgid: str
    content: Mapping[str, Any] = NO_FIELDS
    metadata: Mapping[str, Any] = NO_FIELDS
    reqid: str | None = None
    buffers: tuple[Buffer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the decoder accepts. Sizes are bytes of UTF-8 or of binary payload."""

    #: All frames of one message together.
    message_bytes: int = 20 * 1024 * 1024
    #: The header, the metadata and a buffer's header, each.
    header_bytes: int = 64 * 1024
    #: Buffers that one message may announce.
    buffers: int = 10_000
    #: Lists and objects in the JSON of one message, however small.
    containers: int = 1_000_000
