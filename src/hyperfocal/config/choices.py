"""The words that settings of few values may have."""

from __future__ import annotations

from enum import StrEnum

__all__ = ("AsyncLoop", "LogLevel", "SessionIds", "WebSocketTransport")


class SessionIds(StrEnum):
    """Who may choose session ids (``--session-ids``)."""

    #: Ids and tokens of clients are taken from direct requests of the same machine, as long as
    #: no secret is configured; otherwise like ``signed``.
    AUTO = "auto"
    #: Clients may choose any id and make their own tokens.
    UNSIGNED = "unsigned"
    #: The server makes and signs ids; an id that a client brings must bear a valid signature.
    SIGNED = "signed"
    #: The server makes no ids: every request must bring one that bears a valid signature.
    EXTERNAL_SIGNED = "external-signed"


class WebSocketTransport(StrEnum):
    """What moves the frames of websockets (``--websocket-transport``)."""

    #: ``native`` where picows can be imported, else ``asgi``.
    AUTO = "auto"
    #: picows, on the connections that uvicorn accepts.
    NATIVE = "native"
    #: Uvicorn's own.
    ASGI = "asgi"


class AsyncLoop(StrEnum):
    """On which event loop ``async`` code of applications runs (``--async-loop``)."""

    #: ``host`` where the ASGI application is mounted in another, else ``own``.
    AUTO = "auto"
    #: One of its own, in a thread.
    OWN = "own"
    #: The one that serves.
    HOST = "host"


class LogLevel(StrEnum):
    """How much is logged (``--log-level``)."""

    #: Everything, the frames of websockets included.
    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
