"""What the transports share: they move the frames between a websocket and its connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hyperfocal.connection import Connection, Outbox
from hyperfocal.errors import PeerError, SessionGoneError

__all__ = ("ABNORMAL", "CLOSE_TIMEOUT_S", "MOST_READS", "TAKE_OVER", "Connect", "closing_of")

#: Makes the connection, given the outbox that the transport drains.
Connect: TypeAlias = Callable[[Outbox], Connection]

#: The extension of an ASGI scope under which a server offers to move the frames itself:
#: ``take_over(connect, outbox_bytes)``, called after the websocket has been accepted. True: it
#: does, and the application is to say and hear nothing more; False: it cannot.
TAKE_OVER = "hyperfocal.take_over"

#: Seconds that a peer has to answer a close before its connection is dropped.
CLOSE_TIMEOUT_S = 5.0
#: Reads of one client whose messages may wait; then nothing more is read until half are done.
MOST_READS = 8
#: Closed without a close frame (RFC 6455 section 7.1.5).
ABNORMAL = 1006


def closing_of(error: BaseException) -> tuple[int, str]:
    """The code and the reason with which to close a connection that an error has ended."""
    if isinstance(error, PeerError):
        return error.close_code, error.reason
    if isinstance(error, SessionGoneError):
        return 1001, str(error)[:120]
    return 1011, ""
