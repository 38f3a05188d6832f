"""What the web needs to know of other processes that serve the same port.

``hyperfocal.cluster`` provides both; a server that is one process has neither.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

__all__ = ("Adopt", "Arrival", "Exchange", "Place", "Refusal", "Way")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A connection that another process has accepted, at the beginning of a request.

    Attributes:
        data: what has been read of it: the head of the request, and what came behind it.
        client: the address and port of its other end, if it has any.
        server: the address and port, or the path and ``None``, at which it was accepted.
        scheme: "http" or "https".
        ticket: to give to ``Exchange.answers`` once it is being answered; 0: nobody asks.
        asked: the processes that could not answer its first request, each by its number; empty:
            that request is for whoever gets it.
    """

    data: bytes
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    scheme: str
    ticket: int = 0
    asked: tuple[int, ...] = ()


#: Takes over a connection that another process has accepted.
Adopt: TypeAlias = Callable[[socket.socket, Arrival], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that a request gets instead of the process that it is for; always 503.

    Attributes:
        body: the response's body.
        media_type: what that is.
        retry_after_s: when to come again.
        refreshes: a browser shows it, and is to come again by itself.
    """

    body: bytes
    media_type: str
    retry_after_s: int
    refreshes: bool = False

    def response(self) -> bytes:
        """The whole response, behind which the connection is closed."""
        fields = {
            "content-type": self.media_type,
            "content-length": str(len(self.body)),
            "cache-control": "no-store",
            "access-control-allow-origin": "*",
            "retry-after": str(self.retry_after_s),
            "connection": "close",
        }
        if self.refreshes:
            fields["refresh"] = str(self.retry_after_s)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 503 Service Unavailable\r\n{lines}\r\n".encode() + self.body


class Way(Protocol):
    """The way to another process."""

    def send(
        self,
        connection: int,
        arrival: Arrival,
        settled: Callable[[bool], None] | None = None,
    ) -> bool:
        """Hand a connection on, by its file descriptor. Never blocks.

        Args:
            connection: its file descriptor.
            arrival: what has been read of it.
            settled: called once the other process answers (False), or has died before it did
                (True). Until then the caller keeps its own copy, and leaves it alone.

        Returns:
            Whether it is on its way. The caller closes its own copy: now, or when it is settled.
        """
        ...

    @property
    def crashed(self) -> Refusal | None:
        """What to answer when the other process dies before it answers; ``None``: nothing."""
        ...

    @property
    def busy(self) -> Refusal:
        """What to answer when it takes no more."""
        ...


class Exchange(Protocol):
    """Passes connections between the processes of a server."""

    def direct(
        self, url: bytes, headers: Sequence[tuple[bytes, bytes]], asked: Sequence[int] = ()
    ) -> Way | Refusal | None:
        """Where a request belongs: to another process, to none at the moment, or here.

        Args:
            url: the request's target, as it came.
            headers: its headers, with names in lower case.
            asked: see ``Arrival.asked``.
        """
        ...

    def open(self, adopt: Adopt) -> None:
        """Begin to receive connections, on the running event loop: this process is ready."""
        ...

    def answers(self, ticket: int) -> None:
        """A connection with this ticket is being answered, or is no more."""
        ...

    def close(self) -> None:
        """Receive no more."""
        ...


class Place(Protocol):
    """Where this process stands among those that serve the same applications."""

    @property
    def secret(self) -> bytes:
        """Signs tokens and session ids, in all processes, when none is configured."""
        ...

    def runs(self, url: str) -> bool:
        """Whether the application at this URL path runs in this process."""
        ...

    def owns(self, session_id: str) -> bool:
        """Whether the session of this id lives here, if it lives."""
        ...

    def health(self) -> dict[str, Any]:
        """What the health endpoint says of all processes."""
        ...

    def publish_folder(self, name: str, path: Path) -> None:
        """A page of this process asks for an extension's files in this folder."""
        ...

    def find_folder(self, name: str) -> Path | None:
        """The folder of an extension's files for which a page of some process has asked."""
        ...
