"""The values of the protocol: kinds, messages, buffers, frames, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

__all__ = ("Buffer", "Frame", "Kind", "Limits", "Message")

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


@dataclass(frozen=True, slots=True)
class Buffer:
    """A binary payload that the content refers to by ``id``."""

    id: str
    payload: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message as it came in.

    ``content`` is the decoded JSON object of the third frame, ``reqid`` the ``msgid`` of the
    request that a reply answers.
    """

    kind: Kind
    msgid: str
    content: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
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
