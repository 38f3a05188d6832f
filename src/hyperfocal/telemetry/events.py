"""The events, one frozen class each. ``level`` is the level at which the log shows them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hyperfocal.telemetry.failures import shown, text_of, worded

__all__ = (
    "ApplicationLoaded",
    "ApplicationUnloaded",
    "BegunAfresh",
    "BuildFailed",
    "CallbackFailed",
    "ConnectionClosed",
    "ConnectionOpened",
    "ConnectionRefused",
    "EncodingFailed",
    "Event",
    "HookFailed",
    "LoopBlocked",
    "MemoryUsage",
    "OutboxOverflowed",
    "PatchRefused",
    "SessionCreated",
    "SessionDestroyed",
    "Statistics",
    "TimerLate",
    "TurnLong",
)


_MAX_CHARS = 500


def _shown(words: object) -> str:
    """What a client may have worded, for one line of the log: it cannot begin a line of its own."""
    text = str(words)
    if len(text) > _MAX_CHARS:
        text = f"{text[:_MAX_CHARS]}…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events.

    ``error`` is set where an exception is the cause. ``session`` is what the session is called
    (``hyperfocal.labels``), never its id.
    """

    level: ClassVar[int] = logging.INFO

    def words(self) -> str:
        """One line for the log."""
        raise NotImplementedError

    @property
    def cause(self) -> BaseException | None:
        """The exception behind the event; its traceback goes to the log."""
        return None


@dataclass(frozen=True, slots=True)
class ApplicationLoaded(Event):
    """An application's ``on_server_loaded`` hooks have run."""

    url: str
    level: ClassVar[int] = logging.DEBUG

    def words(self) -> str:
        """One line for the log."""
        return f"application {self.url} loaded"


@dataclass(frozen=True, slots=True)
class ApplicationUnloaded(Event):
    """An application's ``on_server_unloaded`` hooks have run."""

    url: str
    level: ClassVar[int] = logging.DEBUG

    def words(self) -> str:
        """One line for the log."""
        return f"application {self.url} unloaded"


@dataclass(frozen=True, slots=True)
class SessionCreated(Event):
    """A session has been built. ``seconds`` is how long that took."""

    url: str
    session: str
    seconds: float
    level: ClassVar[int] = logging.DEBUG

    def words(self) -> str:
        """One line for the log."""
        return f"{self.url}: session {self.session} created in {self.seconds * 1000:.0f} ms"


@dataclass(frozen=True, slots=True)
class SessionDestroyed(Event):
    """A session has been discarded, and why."""

    url: str
    session: str
    why: str
    level: ClassVar[int] = logging.DEBUG

    def words(self) -> str:
        """One line for the log."""
        return f"{self.url}: session {self.session} destroyed ({self.why})"


@dataclass(frozen=True, slots=True)
class BegunAfresh(Event):
    """A page came back and found another session than it had; it was told so."""

    url: str
    session: str

    def words(self) -> str:
        """One line for the log."""
        return f"{self.url}: a page that came back begins anew, with session {self.session}"


@dataclass(frozen=True, slots=True)
class BuildFailed(Event):
    """The application failed to build a document."""

    url: str
    session: str
    error: BaseException
    detail: str
    level: ClassVar[int] = logging.ERROR

    def words(self) -> str:
        """One line, and the application's own traceback below it."""
        head = f"{self.url}: building a document failed: {text_of(self.error)}"
        return f"{head}\n{self.detail.rstrip()}" if self.detail else head


@dataclass(frozen=True, slots=True)
class PrewarmingStopped(Event):
    """Sessions of this application are not built ahead any more, and why."""

    url: str
    why: str
    level: ClassVar[int] = logging.INFO

    def words(self) -> str:
        """One line for the log."""
        return f"{self.url}: no sessions are built ahead: {self.why}"


@dataclass(frozen=True, slots=True)
class HookFailed(Event):
    """A lifecycle hook raised; the server goes on."""

    url: str
    hook: str
    error: BaseException
    level: ClassVar[int] = logging.ERROR

    def words(self) -> str:
        """One line for the log."""
        return f"{self.url}: hook {self.hook} failed: {shown(self.error)}; going on without it"

    @property
    def cause(self) -> BaseException | None:
        """The exception that the hook raised."""
        return self.error


@dataclass(frozen=True, slots=True)
class CallbackFailed(Event):
    """A callback of the application raised; it stays registered."""

    url: str
    callback: str
    error: BaseException
    session: str | None = None
    level: ClassVar[int] = logging.ERROR

    def words(self) -> str:
        """One line for the log."""
        where = f" in session {self.session}" if self.session else ""
        return f"{self.url}: callback {self.callback} failed{where}: {shown(self.error)}"

    @property
    def cause(self) -> BaseException | None:
        """The exception that the callback raised."""
        return self.error


@dataclass(frozen=True, slots=True)
class EncodingFailed(Event):
    """Something in a document has no JSON form; clients are told all the rest.

    ``what`` names it, and ``others`` counts what could not be encoded beside it in one message.
    There is no traceback: it would be the encoder's, and as long as the document is deep.
    """

    url: str
    session: str
    what: str
    error: BaseException
    others: int = 0
    level: ClassVar[int] = logging.ERROR

    def words(self) -> str:
        """One line for the log."""
        what = f"{self.what} (and {self.others:,} more)" if self.others else self.what
        why = _shown(worded(self.error))
        return f"{self.url}: cannot tell clients of session {self.session} of {what}: {why}"


@dataclass(frozen=True, slots=True)
class LoopBlocked(Event):
    """Code has kept an event loop for longer than it may. Said once each time.

    ``seconds`` is how long so far; ``callback`` says whose code it is, with its file and line,
    where that is known; ``stack`` is what ran at that moment, as text. ``is_io``: it is the loop
    that has the sockets, so that everybody waits.
    """

    seconds: float
    callback: str | None
    stack: str
    is_io: bool
    level: ClassVar[int] = logging.WARNING

    def words(self) -> str:
        """What is known, and the stack below it."""
        what = self.callback if self.callback else "code"
        whom = "everybody" if self.is_io else "other async callbacks"
        return (
            f"{what} has kept the event loop, and so {whom}, waiting for more than "
            f"{self.seconds:g} s. Async code should await what takes time, or give it to "
            f"asyncio.to_thread. It is here:\n{self.stack.rstrip()}"
        )


@dataclass(frozen=True, slots=True)
class TurnLong(Event):
    """A callback holds its session's document for longer than ``seconds``. Said once.

    ``callback`` is its name, where that is known; ``stack`` is where it is at the moment, as text.
    """

    url: str
    session: str
    seconds: float
    callback: str | None = None
    stack: str = ""
    level: ClassVar[int] = logging.WARNING

    def words(self) -> str:
        """What is known, and the stack below it."""
        which = f"callback {self.callback}" if self.callback else "a callback"
        where = f". It is here:\n{self.stack.rstrip()}" if self.stack else ""
        return (
            f"{self.url}: {which} has held the document of session {self.session} for "
            f"{self.seconds:g} s; everything else in this session waits for it{where}"
        )


@dataclass(frozen=True, slots=True)
class TimerLate(Event):
    """A periodic callback took longer than its period. Said once per callback."""

    url: str
    callback: str
    period_s: float
    took_s: float
    level: ClassVar[int] = logging.WARNING

    def words(self) -> str:
        """One line for the log."""
        return (
            f"{self.url}: periodic callback {self.callback} took {self.took_s * 1000:.0f} ms, "
            f"longer than its period of {self.period_s * 1000:.0f} ms; the beats it missed are "
            "skipped (said once)"
        )


@dataclass(frozen=True, slots=True)
class ConnectionOpened(Event):
    """A client has connected to a session."""

    url: str
    session: str
    level: ClassVar[int] = logging.DEBUG

    def words(self) -> str:
        """One line for the log."""
        return f"{self.url}: connection to session {self.session} opened"


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Event):
    """A client has gone. ``code`` is the websocket's close code."""

    url: str
    session: str
    code: int
    reason: str
    level: ClassVar[int] = logging.DEBUG

    def words(self) -> str:
        """One line for the log."""
        why = f" ({_shown(self.reason)})" if self.reason else ""
        return f"{self.url}: connection to session {self.session} closed with {self.code}{why}"


@dataclass(frozen=True, slots=True)
class ConnectionRefused(Event):
    """A page or websocket was refused before it reached a session."""

    url: str
    peer: str
    reason: str
    level: ClassVar[int] = logging.WARNING

    def words(self) -> str:
        """One line for the log."""
        return f"{_shown(self.url)}: refused {self.peer}: {_shown(self.reason)}"


@dataclass(frozen=True, slots=True)
class PatchRefused(Event):
    """A client's request was answered with ERROR; nothing of it was applied."""

    url: str
    session: str
    error: BaseException
    level: ClassVar[int] = logging.WARNING

    def words(self) -> str:
        """One line for the log."""
        why = _shown(text_of(self.error))
        return f"{self.url}: refused a request in session {self.session}: {why}"


@dataclass(frozen=True, slots=True)
class OutboxOverflowed(Event):
    """A client did not read; its connection is closed so that it comes back and pulls afresh."""

    url: str
    session: str
    queued_bytes: int
    level: ClassVar[int] = logging.WARNING

    def words(self) -> str:
        """One line for the log."""
        return (
            f"{self.url}: a client of session {self.session} does not read "
            f"({self.queued_bytes} bytes wait); closing its connection"
        )


@dataclass(frozen=True, slots=True)
class Statistics(Event):
    """How much there is to do, told at intervals.

    ``sessions`` has by URL path how many sessions an application has, and how many of them nobody
    has open.
    """

    connections: int
    sessions: Mapping[str, tuple[int, int]]
    level: ClassVar[int] = logging.DEBUG

    def words(self) -> str:
        """One line, and one more for each application."""
        lines = [f"[pid {os.getpid()}] {self.connections} clients connected"]
        lines += (
            f"  {url} has {sessions} sessions with {unused} unused"
            for url, (sessions, unused) in self.sessions.items()
        )
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class MemoryUsage(Event):
    """What the process has in memory, and what it has asked for, in bytes, told at intervals."""

    resident: int
    virtual: int
    level: ClassVar[int] = logging.INFO

    def words(self) -> str:
        """One line for the log."""
        resident, virtual = self.resident / 2**20, self.virtual / 2**20
        return f"[pid {os.getpid()}] Memory usage: {resident:.2f} MB (RSS), {virtual:.2f} MB (VMS)"
