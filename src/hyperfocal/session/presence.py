"""Who is connected to a session, and how long it stays when nobody is."""

from __future__ import annotations

import threading

from hyperfocal.clock import Clock
from hyperfocal.publishing import Client, Subscribers
from hyperfocal.session.expiry import ExpiryRules

__all__ = ("Presence",)

_MAX_PAGES = 10_000


class Presence:
    """The clients of one session, the pages that have come by, and what keeps the session.

    Clients come and go on the I/O loop. What applications may call (``block`` and its kin), and
    what turns call (``subscribe``, ``note_page``), is a single step of what it changes, or guarded.

    Args:
        clock: tells since when nobody has been there.
        rules: how long that may last.

    Attributes:
        requested: the application has asked that the session go as soon as it can.
        subscribers: the clients.
    """

    def __init__(self, clock: Clock, rules: ExpiryRules) -> None:
        self._clock = clock
        self._rules = rules
        self._guard = threading.Lock()  # of _blocked
        self.subscribers = Subscribers()
        self._pages: set[str] = set()
        self._met: set[str] = set()
        self._lost: dict[str, float] = {}  # page -> when its connection was lost
        self._blocked = 0
        self._idle_since = clock.monotonic()
        self.requested = False

    def __len__(self) -> int:
        return len(self.subscribers)

    @property
    def blocked(self) -> int:
        """How many have asked that the session stay."""
        return self._blocked

    @property
    def idle_s(self) -> float:
        """Seconds since the last client has gone, or since it began; clients may be there."""
        return self._clock.monotonic() - self._idle_since

    def join(self, client: Client, page: str) -> bool:
        """A client of this page has connected; it does not have the document yet.

        Returns:
            whether one of this page has been here before; past a number of pages that no honest
            use reaches, every page has.
        """
        self.subscribers.add(client)
        self._lost.pop(page, None)
        if page in self._met or len(self._met) >= _MAX_PAGES:
            return True
        self._met.add(page)
        return False

    def leave(self, client: Client, page: str, *, lost: bool) -> None:
        """A client has gone. One that was lost rather than closed is waited for for longer."""
        if not self.subscribers.discard(client):
            return
        self.touch()
        self._lost.pop(page, None)
        if lost and len(self._lost) < _MAX_PAGES:
            self._lost[page] = self._idle_since

    def is_unused(self, seconds: float, now: float) -> bool:
        """Whether nobody has been there for so long, and nobody wants it to stay."""
        return not self.subscribers and not self._blocked and now - self._idle_since >= seconds

    def end(self, reason: str) -> None:
        """Tell all clients that it is over, and forget them."""
        for client in self.subscribers.clear():
            client.end(reason)

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
        with self._guard:
            self._blocked += 1

    def unblock(self) -> None:
        """Take back one ``block``.

        Raises:
            RuntimeError: nothing was blocked.
        """
        with self._guard:
            if self._blocked == 0:
                raise RuntimeError("unblock_expiration called more often than block_expiration")
            self._blocked -= 1
        self.touch()

    def is_due(self, now: float) -> bool:
        """Whether nobody has been there for long enough (monotonic seconds)."""
        due = self._rules.expires_at(
            clients=len(self.subscribers),
            blocked=self._blocked,
            requested=self.requested,
            idle_since=self._idle_since,
            lost_at=max(list(self._lost.values()), default=None),
        )
        return due is not None and due <= now
