"""The exception tree, by whose fault it was.

Every error carries its fields and words itself. ``UsageError`` is a mistake of the code that
called us, ``ApplicationError`` one of the application that is being served, ``PeerError`` one of
the client at the other end of a connection. Foreign errors are translated into these where they
enter, with ``from``.
"""

from __future__ import annotations

from typing import ClassVar

from hyperfocal.labels import session_label

__all__ = (
    "ApplicationError",
    "ApplicationNotFoundError",
    "AuthError",
    "BuildError",
    "BusyError",
    "CallbackError",
    "ConfigError",
    "HyperfocalError",
    "InvalidDataError",
    "LoadError",
    "MessageTooBigError",
    "NoEventLoopError",
    "OutsideTurnError",
    "PatchError",
    "PeerError",
    "ProtocolError",
    "RequestError",
    "SessionGoneError",
    "TooManyConnectionsError",
    "TurnReentryError",
    "UnexpectedFrameError",
    "UnknownCallbackError",
    "UsageError",
)


class HyperfocalError(Exception):
    """Base of all errors that Hyperfocal raises on purpose."""


# --- the caller's mistake -------------------------------------------------------------------


class UsageError(HyperfocalError):
    """The code that called Hyperfocal asked for something impossible."""


class ConfigError(UsageError, ValueError):
    """A setting is out of range or of the wrong kind.

    Attributes:
        option: the option's name as the user wrote it, for example ``--port``.
        got: what came.
        expected: what would have been accepted, in words.
    """

    def __init__(self, option: str, got: object, expected: str) -> None:
        super().__init__(f"{option}: got {got!r}, expected {expected}")
        self.option = option
        self.got = got
        self.expected = expected


class NoEventLoopError(UsageError, RuntimeError):
    """An event loop is needed, none was given and none is running."""

    def __init__(self) -> None:
        super().__init__(
            "no event loop: pass io_loop=... to ApplicationContext, or call this from code that "
            "runs on an event loop, for example inside asyncio.run(...)"
        )


class UnknownCallbackError(UsageError, ValueError):
    """A callback to remove was never added, has fired already or has been removed already."""

    def __init__(self, kind: str, callback_id: object) -> None:
        super().__init__(
            f"there is no {kind} callback with the id {callback_id!r}: it was never added, "
            "has already run, or has already been removed"
        )
        self.kind = kind
        self.callback_id = callback_id


class TurnReentryError(UsageError, RuntimeError):
    """Code that holds a session's document asked for it again and would wait for itself."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_label(session_id)}: this code already runs with the document lock "
            "held; waiting for the lock here would wait forever. Use the document directly, or "
            "schedule the work with doc.add_next_tick_callback"
        )
        self.session_id = session_id


class OutsideTurnError(UsageError, RuntimeError):
    """A document was changed by code that does not hold its lock."""

    def __init__(self, what: str) -> None:
        # The first part is what users of Bokeh search for.
        super().__init__(
            "_pending_writes should be non-None when we have a document lock, and we should have "
            f"the lock when the document changes: {what} was changed by code that does not hold "
            "the document's lock (a thread, a @without_document_lock callback or a task of its "
            "own). Make the change in a function given to doc.add_next_tick_callback, or to "
            "session_context.with_locked_document"
        )


# --- the application's mistake --------------------------------------------------------------


class ApplicationError(HyperfocalError):
    """The application that is being served failed."""


class LoadError(ApplicationError):
    """A path could not be loaded as an application.

    Attributes:
        path: the path as the user gave it.
        reason: one line that says why.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class BuildError(ApplicationError):
    """An application raised, or reported failure, while it built a document.

    Attributes:
        url: the application's URL path.
        summary: one line about the failure.
        detail: the traceback as text; for the log and for development mode only.
    """

    def __init__(self, url: str, summary: str, detail: str) -> None:
        super().__init__(f"application {url} failed to build its document: {summary}")
        self.url = url
        self.summary = summary
        self.detail = detail


class CallbackError(ApplicationError):
    """A callback of the application raised while a client's change was applied.

    The change itself stays. ``detail`` is the traceback, for the log and development mode only.
    """

    def __init__(self, summary: str, detail: str) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail


# --- the peer's mistake ---------------------------------------------------------------------


class PeerError(HyperfocalError):
    """The client sent something that ends its connection.

    ``reason`` is safe to show to the peer: it holds nothing of the server's own. It is at most 123
    bytes of UTF-8, the room that RFC 6455 section 5.5.1 leaves in a close frame.
    """

    close_code: ClassVar[int] = 1002

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")


class ProtocolError(PeerError):
    """The frames do not make up a message (close code 1002)."""

    close_code = 1002


class UnexpectedFrameError(PeerError):
    """A binary frame where a text frame is due, or the reverse (close code 1003)."""

    close_code = 1003


class InvalidDataError(PeerError):
    """A text frame that should be JSON is not (close code 1007)."""

    close_code = 1007


class MessageTooBigError(PeerError):
    """A message exceeds a limit (close code 1009)."""

    close_code = 1009


class AuthError(PeerError):
    """A token, session id or origin was refused (close code 1008, or HTTP 403)."""

    close_code = 1008


class TooManyConnectionsError(PeerError):
    """A session has as many connections as it may (close code 1008)."""

    close_code = 1008


class ApplicationNotFoundError(PeerError):
    """Nothing is served at this path (HTTP 404)."""

    close_code = 1008


class RequestError(HyperfocalError):
    """A well-formed request cannot be carried out; the reply is ERROR, the connection goes on."""


class PatchError(RequestError):
    """A patch that cannot be decoded or does not validate. Nothing of it was applied.

    What Bokeh says of a value repeats the value, whatever its size: 500 characters are kept.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text if len(text) <= 500 else f"{text[:500]}…")


class SessionGoneError(RequestError):
    """The session was discarded while somebody was still asking for it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_label(session_id)} is gone; reload the page to get a new one"
        )
        self.session_id = session_id


class BusyError(RequestError):
    """A limit of the server is reached; what was asked for may be had later.

    Attributes:
        reason: a clause that is safe to show to anybody.
        retry_after_s: when to ask again, in seconds.
    """

    def __init__(self, reason: str, retry_after_s: int = 5) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
