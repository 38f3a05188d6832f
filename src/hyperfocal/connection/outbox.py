"""The bounded queue between turns and a client's own pace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from hyperfocal.wire import Frame

__all__ = ("CloseRequest", "Outbox")

#: "Try again later" (RFC 6455 registry): stock BokehJS comes back and pulls the document afresh.
OVERFLOW_CODE = 1013

#: What may wait before a client is told of later turns in one message; at most a quarter of the
#: bound.
_LAG_BYTES = 1024 * 1024
#: Frames that may wait, however small.
_MAX_FRAMES = 100_000


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """How the transport should close: a code of RFC 6455 section 7.4 and up to 123 bytes."""

    code: int
    reason: str


class Outbox:
    """Frames that wait for one client. Offering never waits; a transport takes what is there.

    Safe from any thread, except that only one may ``take`` and tell what was ``sent`` at a time.
    ``_guard`` guards every attribute; nothing is called while it is held.

    Past the bound the queue is thrown away and the connection is to be closed: a client that
    missed something pulls the whole document when it comes back.

    Args:
        max_bytes: the bound. One message larger than that is let through when nothing else waits.
        wake: called when there is something to take or the close request changes; must not block.

    Attributes:
        closing: how to close, once what is queued has been sent; ``None``: stay open.
        queued_bytes: how much waits (characters of text frames count as bytes).
        on_room: called after a client that lagged has taken what waited for it.
    """

    __slots__ = (
        "_frames",
        "_guard",
        "_lag_bytes",
        "_lagged",
        "_max_bytes",
        "_taken",
        "_wake",
        "closing",
        "on_room",
        "queued_bytes",
    )

    def __init__(self, max_bytes: int, wake: Callable[[], None]) -> None:
        self._max_bytes = max_bytes
        self._lag_bytes = min(_LAG_BYTES, max_bytes // 4)
        self._wake = wake
        self._guard = threading.Lock()
        self._frames: list[Frame] = []
        self.queued_bytes = 0
        self._taken = 0
        self.closing: CloseRequest | None = None
        self._lagged = False
        self.on_room: Callable[[], None] | None = None

    @property
    def lagging(self) -> bool:
        """Whether so much waits that what comes next had better not be queued as it comes.

        Looking at it makes ``on_room`` being called later.
        """
        if self.queued_bytes <= self._lag_bytes and not self._lagged:
            return False
        with self._guard:
            self._lagged = self.queued_bytes > self._lag_bytes
            return self._lagged

    @property
    def overflowed(self) -> bool:
        """Whether the client did not keep up."""
        return self.closing is not None and self.closing.code == OVERFLOW_CODE

    def offer(self, frames: tuple[Frame, ...]) -> bool:
        """Queue the frames of one message.

        Returns:
            False if they did not fit: the queue is gone and the connection is to be closed. Once it
            is to be closed, frames are ignored.
        """
        size = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        with self._guard:
            if self.closing is not None:
                return True
            fits = len(self._frames) <= _MAX_FRAMES and not (
                self.queued_bytes and self.queued_bytes + size > self._max_bytes
            )
            if fits:
                self._frames.extend(frames)
                self.queued_bytes += size
            else:
                self._overflow()
        self._wake()
        return fits

    def take(self) -> list[Frame]:
        """Everything that waits, in order; nothing is left. It counts until ``sent``."""
        with self._guard:
            frames, self._frames = self._frames, []
            self._taken = self.queued_bytes
        return frames

    def sent(self) -> None:
        """All that was taken has left."""
        with self._guard:
            self.queued_bytes -= self._taken
            self._taken = 0
            has_room = self._lagged and self.queued_bytes <= self._lag_bytes
            if has_room:
                self._lagged = False
        if has_room and self.on_room is not None:
            self.on_room()

    def overflow(self) -> None:
        """Throw away what is queued and have the connection closed: the client does not read."""
        with self._guard:
            if self.closing is not None:
                return
            self._overflow()
        self._wake()

    def _overflow(self) -> None:
        self.closing = CloseRequest(
            OVERFLOW_CODE, "the client does not read; come back and pull again"
        )
        self._frames.clear()

    def close(self, code: int, reason: str) -> None:
        """Take nothing more; the transport closes when what is queued has been sent."""
        with self._guard:
            if self.closing is not None:
                return
            self.closing = CloseRequest(code, reason)
        self._wake()
