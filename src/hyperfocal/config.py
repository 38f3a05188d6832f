"""The server's settings: frozen, validated once, errors that name the option."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal

from hyperfocal.errors import ConfigError

__all__ = ("SessionIds", "Settings", "WebSocketTransport")


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


def _option(
    default: Any, option: str, *, low: float | None = None, high: float | None = None
) -> Any:
    return field(default=default, metadata={"option": option, "low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Units are in the names.

    Raises:
        ConfigError: a value is out of range; the error names the option.
    """

    #: Interface to listen on; ``None`` means localhost only.
    address: str | None = None
    #: TCP port; 0 lets the system choose.
    port: int = _option(5006, "--port", low=0, high=65535)
    #: URL path under which everything is served, "" or "/like/this".
    prefix: str = ""
    #: Hosts (``host[:port]``, ``*`` patterns allowed) whose pages may open websockets.
    websocket_origins: tuple[str, ...] = ()
    #: Who may choose session ids.
    session_ids: SessionIds = SessionIds.AUTO
    #: Whether clients may replace the whole document (PUSH-DOC) and set JavaScript callbacks;
    #: ``None``: direct requests of this machine may, as long as no secret is configured.
    allow_push_doc: bool | None = None
    #: Signs tokens and session ids; ``None`` makes one that lives as long as the server.
    secret_key: bytes | None = None
    #: How long a token may make a new session, in seconds.
    token_expiration_s: int = _option(300, "--session-token-expiration", low=1)
    #: How long a session without clients lives, in milliseconds.
    unused_session_lifetime_ms: int = _option(15_000, "--unused-session-lifetime", low=1)
    #: The same for a session whose last connection was lost rather than closed, in milliseconds.
    lost_session_lifetime_ms: int = _option(600_000, "--lost-session-lifetime", low=1)
    #: How often unused sessions are looked for, in milliseconds.
    check_unused_sessions_ms: int = _option(17_000, "--check-unused-sessions", low=1)
    #: Milliseconds between pings on idle websockets; 0 sends none.
    keep_alive_ms: int = _option(37_000, "--keep-alive", low=0)
    #: Largest head of an HTTP request, that of a websocket's handshake included, in bytes.
    http_max_header_bytes: int = _option(64 * 1024, "--http-max-header-size", low=8192)
    #: How long a request may take to come, in milliseconds.
    http_request_timeout_ms: int = _option(30_000, "--http-request-timeout", low=1)
    #: What moves the frames of websockets under ``hyperfocal serve``.
    websocket_transport: WebSocketTransport = WebSocketTransport.AUTO
    #: Largest message that a client may send, in bytes over all its frames.
    websocket_max_message_bytes: int = _option(
        20 * 1024 * 1024, "--websocket-max-message-size", low=1024
    )
    #: Binary buffers that one message may announce.
    websocket_max_buffers: int = _option(10_000, "--websocket-max-buffers", low=0)
    #: Bytes that may wait for a client that does not read before it is disconnected.
    outbox_max_bytes: int = _option(64 * 1024 * 1024, "--outbox-max-bytes", low=64 * 1024)
    #: Processes that serve; with ``isolate``, for each application. 0: as many as there are cores.
    num_procs: int = _option(1, "--num-procs", low=0, high=1000)
    #: Give each application processes of its own.
    isolate: bool = False
    #: Sessions in all, those being built included; 0: as many as there are.
    max_sessions: int = _option(10_000, "--max-sessions", low=0)
    #: Sessions of one application; 0: as many as there are.
    max_sessions_per_application: int = _option(0, "--max-sessions-per-application", low=0)
    #: Sessions of one client address; 0: as many as there are.
    max_sessions_per_address: int = _option(0, "--max-sessions-per-address", low=0)
    #: Sessions that one client address may open in a minute; 0: as many as it likes.
    max_new_sessions_per_minute: int = _option(0, "--max-new-sessions-per-minute", low=0)
    #: Connections to one session.
    max_connections_per_session: int = _option(1_000, "--max-connections-per-session", low=1)
    #: Memory of the process past which no session is made, in bytes; 0: no matter.
    max_memory_bytes: int = _option(0, "--max-memory", low=0)
    #: Callbacks that may run in worker threads at once; with 0 all run on the event loop.
    callback_threads: int = _option(32, "--callback-threads", low=0, high=1000)
    #: Documents that may be built in worker threads at once; with 0 all are built on the event
    #: loop.
    build_threads: int = _option(4, "--build-threads", low=0, high=1000)
    #: A plain callback that takes no longer, in milliseconds, three times in a row, runs on the
    #: event loop.
    quick_callback_ms: int = _option(10, "--quick-callback", low=0)
    #: The same for building a document.
    quick_build_ms: int = _option(25, "--quick-build", low=0)
    #: How long building a document may take, in milliseconds; 0: as long as it likes.
    build_timeout_ms: int = _option(120_000, "--build-timeout", low=0)
    #: Documents that may wait for a thread to be built in; more visitors are sent away.
    build_queue: int = _option(100, "--build-queue", low=0)
    #: How long code may block the event loop before that is logged, in milliseconds; 0: never.
    warn_blocked_ms: int = _option(1_000, "--warn-blocked", low=0)
    #: How long a callback may hold its session's document before that is logged, in milliseconds;
    #: 0: never.
    warn_long_turn_ms: int = _option(10_000, "--warn-long-turn", low=0)
    #: Sessions of each application to have ready for visitors: a number, or "auto" to learn from
    #: arrivals.
    prewarm: int | Literal["auto"] = 0
    #: With "auto", the memory that the sessions of one application that wait may take, in bytes.
    prewarm_max_bytes: int = _option(256 * 1024 * 1024, "--prewarm-max-bytes", low=0)
    #: Let Bokeh compute once per class what is the same for all models of a class
    #: (``hyperfocal.document.acceleration``). For the whole process.
    accelerate: bool = True
    #: Show tracebacks to clients. Never in production.
    dev: bool = False

    def __post_init__(self) -> None:
        for spec in fields(self):
            option = spec.metadata.get("option")
            if option is None:
                continue
            value = getattr(self, spec.name)
            low, high = spec.metadata["low"], spec.metadata["high"]
            expected = (
                f"a whole number from {low} to {high}"
                if high is not None
                else (f"a whole number of at least {low}")
            )
            if not isinstance(value, int) or isinstance(value, bool):
                raise ConfigError(option, value, expected)
            if (low is not None and value < low) or (high is not None and value > high):
                raise ConfigError(option, value, expected)
        try:
            object.__setattr__(self, "session_ids", SessionIds(self.session_ids))
        except ValueError:
            choices = ", ".join(SessionIds)
            raise ConfigError("--session-ids", self.session_ids, f"one of {choices}") from None
        try:
            transport = WebSocketTransport(self.websocket_transport)
        except ValueError:
            choices = ", ".join(WebSocketTransport)
            raise ConfigError(
                "--websocket-transport", self.websocket_transport, f"one of {choices}"
            ) from None
        object.__setattr__(self, "websocket_transport", transport)
        self._check_prewarm()
        push: Any = self.allow_push_doc
        if push is not None and not isinstance(push, bool):
            raise ConfigError("--allow-push-doc", push, "True, False or None")
        prefix = self.prefix.strip("/")
        parts = prefix.split("/") if prefix else []
        if not all(re.fullmatch(r"[\w.~-]+", part) and part not in (".", "..") for part in parts):
            raise ConfigError("--prefix", self.prefix, 'a URL path such as "/apps"')
        object.__setattr__(self, "prefix", f"/{prefix}" if prefix else "")
        secret: Any = self.secret_key
        if secret is not None and (not isinstance(secret, bytes) or not secret):
            raise ConfigError("--secret-key", secret, "bytes, and not none of them")

    def _check_prewarm(self) -> None:
        number: Any = self.prewarm
        if number == "auto":
            return
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 1000:
            raise ConfigError("--prewarm", number, "a whole number from 0 to 1000, or auto")
