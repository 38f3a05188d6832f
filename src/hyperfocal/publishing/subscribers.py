"""The clients of a session, as those see them who have something to tell."""

from __future__ import annotations

import threading
from typing import Protocol

from hyperfocal.wire import Frame

__all__ = ("Client", "Subscribers")


class Client(Protocol):
    """A connection, as a session sees it. All methods are safe from any thread."""

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


class Subscribers:
    """Who is connected, and who of them has the document. Safe from any thread.

    Clients come and go on the I/O loop, and get the document in turns. ``_guard`` guards what
    changes; the tuple that ``current`` gives is never changed, only replaced.
    """

    __slots__ = ("_clients", "_current", "_guard")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._clients: dict[Client, bool] = {}  # client -> it has the document
        self._current: tuple[Client, ...] | None = ()

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client: Client) -> None:
        """A client has connected; it does not have the document yet."""
        with self._guard:
            self._clients[client] = False

    def subscribe(self, client: Client) -> None:
        """The client gets the document; from here on it gets changes. In a turn."""
        if self._clients.get(client) is False:
            with self._guard:
                if client in self._clients:
                    self._clients[client] = True
                    self._current = None

    def discard(self, client: Client) -> bool:
        """A client has gone. Returns whether it was there."""
        with self._guard:
            self._current = None
            return self._clients.pop(client, None) is not None

    def current(self) -> tuple[Client, ...]:
        """The clients that get changes."""
        current = self._current
        if current is None:
            with self._guard:
                current = tuple(client for client, has in self._clients.items() if has)
                self._current = current
        return current

    def clear(self) -> list[Client]:
        """Forget all clients. Returns who was there."""
        with self._guard:
            clients = list(self._clients)
            self._clients.clear()
            self._current = ()
        return clients
