"""Messages out, as frames."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from hyperfocal.wire.jsontext import dump_json, json_string
from hyperfocal.wire.messages import Buffer, Frame, Kind

__all__ = ("MessageIds", "ack", "encode", "error_reply", "ok_reply", "reply")

#: Gives a new message id at each call.
IdSource: TypeAlias = Callable[[], str]


#: An enum takes longer to say its value.
_NAMES: dict[Kind, str] = {kind: str(kind) for kind in Kind}


class MessageIds:
    """A source of message ids, unique over processes. Inject another one where ids must repeat.

    Threads may share one: the next number is taken by a single operation.
    """

    __slots__ = ("_count", "_json", "_prefix")

    def __init__(self, prefix: str | None = None) -> None:
        self._prefix = secrets.token_hex(6) if prefix is None else prefix
        self._json = json_string(self._prefix)[:-1]
        self._count = itertools.count(1)

    def __call__(self) -> str:
        """A new id."""
        return f"{self._prefix}-{next(self._count)}"

    def as_json(self) -> bytes:
        """A new id, as a string in JSON."""
        return b'%b-%d"' % (self._json, next(self._count))


def encode(
    kind: Kind,
    content: str,
    *,
    msgid: str,
    reqid: str | None = None,
    buffers: Iterable[Buffer] = (),
) -> tuple[Frame, ...]:
    """The frames of one message.

    Args:
        kind: what the message is.
        content: the content as JSON text.
        msgid: this message's own id.
        reqid: the id of the request that this message answers.
        buffers: the binary payloads that the content refers to.
    """
    header: dict[str, Any] = {"msgid": msgid, "msgtype": _NAMES[kind]}
    if reqid is not None:
        header["reqid"] = reqid
    payloads = tuple(buffers)
    if payloads:
        header["num_buffers"] = len(payloads)
    frames: list[Frame] = [dump_json(header), "{}", content]
    for buffer in payloads:
        frames.append(dump_json({"id": buffer.id}))
        frames.append(bytes(buffer.payload))
    return tuple(frames)


def ack(ids: IdSource) -> tuple[Frame, ...]:
    """The message with which the server opens the conversation."""
    return encode(Kind.ACK, "{}", msgid=ids())


def ok_reply(ids: IdSource, reqid: str) -> tuple[Frame, ...]:
    """The reply to a request that was carried out."""
    return encode(Kind.OK, "{}", msgid=ids(), reqid=reqid)


def error_reply(
    ids: IdSource, reqid: str, text: str, traceback: str | None = None
) -> tuple[Frame, ...]:
    """The reply to a request that was not carried out, or not without an exception.

    ``traceback`` is for development mode; leave it out in production.
    """
    content = dump_json({"text": text, "traceback": traceback})
    return encode(Kind.ERROR, content, msgid=ids(), reqid=reqid)


def reply(
    ids: IdSource, kind: Kind, reqid: str, content: str, buffers: Iterable[Buffer] = ()
) -> tuple[Frame, ...]:
    """A reply that carries content."""
    return encode(kind, content, msgid=ids(), reqid=reqid, buffers=buffers)
