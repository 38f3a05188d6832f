"""Websocket frames (RFC 6455 section 5) without I/O: bytes into messages, and messages into bytes.

picows finds, checks and unmasks the frames; what it leaves to its users is done here: fragments
are joined, text is decoded, and whatever a peer may not send is told apart by its close code.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from picows import WSAutoPingStrategy, WSFrame, WSListener, WSMsgType, WSTransport
from picows import picows as _picows

from hyperfocal.errors import InvalidDataError, MessageTooBigError, PeerError, ProtocolError
from hyperfocal.wire import Frame, Packed

__all__ = (
    "Closing",
    "Event",
    "FrameReader",
    "Ping",
    "wrap",
    "wrap_close",
    "wrap_ping",
    "wrap_pong",
)

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_FIN = 0x80
_SHORT_TEXT = tuple(bytes((_FIN | _TEXT, size)) for size in range(126))
_EMPTY_OBJECT = bytes((_FIN | _TEXT, 2)) + b"{}"
_SHORT_BINARY = tuple(bytes((_FIN | _BINARY, size)) for size in range(126))

# Looking these up in their enum takes longer than all the rest that is done for a frame.
_TEXT_KIND, _BINARY_KIND, _FRAGMENT_KIND = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING_KIND, _CLOSE_KIND = WSMsgType.PING, WSMsgType.CLOSE

#: Bytes that are looked at in one go, so that a flood of small frames lets others run.
_READ_BYTES = 16 * 1024
#: Bytes of a read buffer at first; it grows with the frames that come.
_BUFFER_BYTES = 4 * 1024
#: A read buffer larger than that is given up once it is empty.
_KEPT_BUFFER_BYTES = 64 * 1024
#: What follows a mistake of the peer, or its close, is read into here and not looked at.
_discarded = memoryview(bytearray(_READ_BYTES))

#: Close frames that say no more than that they are (RFC 6455 section 7.1.5).
_NO_CODE = 1005


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping, to be answered with a pong of the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """A close frame; the code is 1005 when it bears none."""

    code: int
    reason: str


#: What a peer sends: messages, pings, and how it ends. A ``PeerError`` is a mistake that ends the
#: connection, as does ``Closing``; nothing comes after either.
Event: TypeAlias = Frame | Ping | Closing | PeerError


class FrameReader(WSListener):
    """What a client sends, as it comes. To be called on the event loop's thread.

    Read into ``buffer()``, then say how much it was with ``received(size)``.

    Args:
        max_bytes: the most that a message may have, over all its fragments.

    Attributes:
        has_others: what ``received`` gave last has events that are no messages.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parser: Any = _picows_parser(self, max_bytes)
        self._events: list[Event] = []
        self._has_others = False
        self.has_others = False
        self._unread = 0  # bytes of a frame that is not complete; not 0 when that is not known
        self._ended = False
        self._joined: bytearray | None = None  # the fragments of a message so far
        self._utf8: codecs.IncrementalDecoder | None = None  # if that message is text

    def buffer(self) -> memoryview:
        """Where the next bytes go, as many as fit."""
        if self._ended:
            return _discarded
        view: memoryview = self._parser.get_buffer(-1)
        if len(view) > _KEPT_BUFFER_BYTES and not self._unread:
            self._parser = _picows_parser(self, self._max_bytes)
            view = self._parser.get_buffer(-1)
        return view[:_READ_BYTES]

    def received(self, size: int) -> list[Event]:
        """What these bytes complete, in order."""
        if self._ended:
            return []
        self._unread = size
        self._parser.buffer_updated(size)
        if self._parser.transport.is_close_frame_sent and not self._ended:
            sent = self._parser.transport.close_handshake.sent
            self._end(_mistake(int(sent.code), str(sent.reason or "")))
        events, self._events = self._events, []
        self.has_others, self._has_others = self._has_others, False
        return events

    def close(self) -> None:
        """Take nothing more, and give up the buffers."""
        self._ended = True
        self._parser = None
        self._joined = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Picows has found a frame."""
        self._unread = frame.tail_size
        if self._ended:
            return
        try:
            if (
                frame.msg_type is _TEXT_KIND
                and frame.fin
                and self._joined is None
                and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
            ):
                self._events.append(_text(frame))
                return
            event = self._event(frame)
        except PeerError as error:
            self._end(error)
        else:
            if event is not None:
                self._events.append(event)
                self._has_others |= type(event) is Ping

    def _end(self, event: Closing | PeerError) -> None:
        self._events.append(event)
        self._has_others = True
        self._ended = True

    def _event(self, frame: WSFrame) -> Frame | Ping | None:
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise ProtocolError("a reserved bit of a frame is set")
        if kind is _TEXT_KIND:
            if frame.fin and self._joined is None:
                return _text(frame)
            self._begin(codecs.getincrementaldecoder("utf-8")())
        elif kind is _BINARY_KIND:
            if frame.fin and self._joined is None:
                return frame.get_payload_as_bytes()
            self._begin(None)
        elif kind is _PING_KIND:
            return Ping(frame.get_payload_as_bytes())
        elif kind is _CLOSE_KIND:
            self._end(_closing(frame.get_payload_as_bytes()))
            return None
        elif kind is not _FRAGMENT_KIND:
            return None  # a pong
        return self._join(frame.get_payload_as_bytes(), last=bool(frame.fin))

    def _begin(self, utf8: codecs.IncrementalDecoder | None) -> None:
        if self._joined is not None:
            raise ProtocolError("a message began within another")
        self._joined = bytearray()
        self._utf8 = utf8

    def _join(self, payload: bytes, *, last: bool) -> Frame | None:
        if self._joined is None:
            raise ProtocolError("a fragment came before its message began")
        if len(self._joined) + len(payload) > self._max_bytes:
            raise MessageTooBigError(f"a message is larger than {self._max_bytes} bytes")
        self._joined += payload
        if self._utf8 is not None:
            try:
                self._utf8.decode(payload, last)  # so that a mistake is noticed where it is
            except UnicodeDecodeError as error:
                raise _not_utf8() from error
        if not last:
            return None
        joined, self._joined = self._joined, None
        return bytes(joined) if self._utf8 is None else joined.decode()


def _text(frame: WSFrame) -> str:
    try:
        return frame.get_payload_as_utf8_text()
    except UnicodeDecodeError as error:
        raise _not_utf8() from error


def _not_utf8() -> InvalidDataError:
    return InvalidDataError("a text message is not UTF-8")


def _closing(payload: bytes) -> Closing:
    if not payload:
        return Closing(_NO_CODE, "")
    code = int.from_bytes(payload[:2], "big")
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ProtocolError(f"{code} is not a close code")
    return Closing(code, payload[2:].decode())  # picows has checked it


def _mistake(code: int, reason: str) -> PeerError:
    """What picows found wrong, as an error of ours."""
    kinds: tuple[type[PeerError], ...] = (InvalidDataError, MessageTooBigError)
    return next((kind for kind in kinds if kind.close_code == code), ProtocolError)(reason)


# --- picows as a parser -----------------------------------------------------------------------


class _NoLog:
    """What picows logs of each connection, we emit as events."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def log(self, *args: Any) -> None: ...

    debug = info = warning = error = exception = log


class _NoSocket:
    """The transport and the socket of a parser: nothing leaves, everything is fine."""

    def get_extra_info(self, name: str) -> Any:
        return self if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 1  # otherwise picows writes to the file descriptor itself

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *args: Any) -> None: ...

    def getsockopt(self, *args: Any) -> int:
        return 0

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    abort = close


_no_log = _NoLog()
_no_socket = _NoSocket()

#: Brings a parser of picows to where frames begin.
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def _picows_parser(listener: WSListener, max_bytes: int) -> Any:
    """The protocol of picows for servers, past its handshake and without a connection.

    It is told nothing but bytes, and what it would send goes nowhere: uvicorn has made the
    handshake, and how a connection is answered and ended is the transport's to say.
    """
    protocol: Any = vars(_picows)["WSProtocol"]
    parser = protocol(
        None,  # host and path are for clients
        None,
        False,  # a server
        lambda request: listener,
        _no_log,
        True,  # a listener that raises ends the connection
        None,  # no timeout of the handshake
        False,  # no pings
        1,
        1,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        False,  # no pongs
        max_bytes,
        None,  # no headers
        _BUFFER_BYTES,
    )
    parser.connection_made(_no_socket)
    parser.get_buffer(-1)[: len(_HANDSHAKE)] = _HANDSHAKE
    parser.buffer_updated(len(_HANDSHAKE))
    return parser


# --- what we send -----------------------------------------------------------------------------


def wrap(messages: Iterable[Frame]) -> list[bytes]:
    """Messages as a server sends them, whole and unmasked: headers and payloads, in turn.

    What is packed goes as it is.
    """
    parts: list[bytes] = []
    for message in messages:
        if type(message) is Packed:
            parts.append(message)
            continue
        if message == "{}":  # of each three text frames one is that
            parts.append(_EMPTY_OBJECT)
            continue
        if isinstance(message, str):
            payload, short, first = message.encode(), _SHORT_TEXT, _FIN | _TEXT
        else:
            payload, short, first = message, _SHORT_BINARY, _FIN | _BINARY
        size = len(payload)
        if size < 126:
            parts.append(short[size])
        elif size < 65536:
            parts.append(struct.pack("!BBH", first, 126, size))
        else:
            parts.append(struct.pack("!BBQ", first, 127, size))
        parts.append(payload)
    return parts


def wrap_close(code: int, reason: str) -> bytes:
    """A close frame; the reason may have 123 bytes. 1005 makes one that bears no code."""
    payload = b"" if code == _NO_CODE else struct.pack("!H", code) + reason.encode()
    return bytes((_FIN | _CLOSE, len(payload))) + payload


def wrap_ping(payload: bytes = b"") -> bytes:
    """A ping with a payload of up to 125 bytes."""
    return bytes((_FIN | _PING, len(payload))) + payload


def wrap_pong(payload: bytes) -> bytes:
    """The answer to a ping."""
    return bytes((_FIN | _PONG, len(payload))) + payload
