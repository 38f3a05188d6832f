"""Who is connected to a session, and how long it stays when nobody is."""

from __future__ import annotations

from typing import Protocol

from hyperfocal.clock import Clock
from hyperfocal.session.expiry import ExpiryRules
from hyperfocal.wire import Frame

__all__ = ("Client", "Presence")

_MAX_PAGES = 10_000


class Client(Protocol):
    """A connection, as a session sees it."""

    @property
    def lagging(self) -> bool:
        """Whether so much waits for it that it had better be told less often."""
        ...

    def offer(self, frames: tuple[Frame, ...]) -> None:
        """Queue the frames of one message. Must not block and must not raise."""
        ...

    def end(self, reason: str) -> None:
        """The session is over; close the connection. Must not block and must not raise."""
        ...

    def give_up(self) -> None:
        """It has missed too much: have it come back and pull. Must not block and must not raise."""
        ...


class Presence:
    """The clients of one session, the pages that have come by, and what keeps the session.

    Args:
        clock: tells since when nobody has been there.
        rules: how long that may last.

    Attributes:
        requested: the application has asked that the session go as soon as it can.
    """

    def __init__(self, clock: Clock, rules: ExpiryRules) -> None:
        self._clock = clock
        self._rules = rules
        self._clients: dict[Client, bool] = {}  # client -> it has the document
        self._pages: set[str] = set()
        self._met: set[str] = set()
        self._lost: dict[str, float] = {}  # page -> when its connection was lost
        self._blocked = 0
        self._idle_since = clock.monotonic()
        self.requested = False

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def blocked(self) -> int:
        """How many have asked that the session stay."""
        return self._blocked

    def join(self, client: Client, page: str) -> bool:
        """A client of this page has connected; it does not have the document yet.

        Returns:
            whether one of this page has been here before; past a number of pages that no honest
            use reaches, every page has.
        """
        self._clients[client] = False
        self._lost.pop(page, None)
        if page in self._met or len(self._met) >= _MAX_PAGES:
            return True
        self._met.add(page)
        return False

    def subscribe(self, client: Client) -> None:
        """The client gets the document; from here on it gets changes."""
        if client in self._clients:
            self._clients[client] = True

    def subscribers(self) -> list[Client]:
        """The clients that get changes. From any thread."""
        clients = list(self._clients.items())  # in one step, which no other thread interrupts
        return [client for client, has_document in clients if has_document]

    def leave(self, client: Client, page: str, *, lost: bool) -> None:
        """A client has gone. One that was lost rather than closed is waited for for longer."""
        if self._clients.pop(client, None) is None:
            return
        self.touch()
        self._lost.pop(page, None)
        if lost and len(self._lost) < _MAX_PAGES:
            self._lost[page] = self._idle_since

    def is_unused(self, seconds: float, now: float) -> bool:
        """Whether nobody has been there for so long, and nobody wants it to stay."""
        return not self._clients and not self._blocked and now - self._idle_since >= seconds

    def end(self, reason: str) -> None:
        """Tell all clients that it is over, and forget them."""
        for client in self._clients:
            client.end(reason)
        self._clients.clear()

    def note_page(self, page: str) -> bool:
        """A page is about to get the document. Returns whether it has had it before.

        Past a number of pages that no honest use reaches, every page counts as known: that
        costs it some speed, the reverse would cost it its arrays.
        """
        if page in self._pages or len(self._pages) >= _MAX_PAGES:
            return True
        self._pages.add(page)
        return False

    def touch(self) -> None:
        """Count the time without clients from now."""
        self._idle_since = self._clock.monotonic()

    def block(self) -> None:
        """Keep the session until ``unblock``."""
        self._blocked += 1

    def unblock(self) -> None:
        """Take back one ``block``.

        Raises:
            RuntimeError: nothing was blocked.
        """
        if self._blocked == 0:
            raise RuntimeError("unblock_expiration called more often than block_expiration")
        self._blocked -= 1
        self.touch()

    def is_due(self, now: float) -> bool:
        """Whether nobody has been there for long enough (monotonic seconds)."""
        due = self._rules.expires_at(
            clients=len(self._clients),
            blocked=self._blocked,
            requested=self.requested,
            idle_since=self._idle_since,
            lost_at=max(self._lost.values(), default=None),
        )
        return due is not None and due <= now
