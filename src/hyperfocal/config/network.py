"""The table of options, first part: how the server is reached, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from hyperfocal.config.choices import SessionIds, WebSocketTransport
from hyperfocal.config.kinds import (
    Choice,
    File,
    FileMode,
    Flag,
    Many,
    Prefix,
    Secret,
    SecretText,
    Text,
    Whole,
)
from hyperfocal.config.options import Bokeh, option

__all__ = ("Access", "Http", "Listening", "Login", "Tls", "WebSockets")

_MIB = 1024 * 1024
_SIGNED = MappingProxyType(
    {
        **dict.fromkeys(("1", "true", "True", "yes", "on"), "signed"),
        **dict.fromkeys(("0", "false", "False", "no", "off"), None),
    }
)


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Listening:
    """Where the server listens."""

    address: str | None = option(
        "address",
        Text("ADDRESS"),
        None,
        "Address to listen on, 0.0.0.0 for all of this machine's.",
        shown="localhost",
        common=True,
    )
    port: int = option(
        "port",
        Whole(0, 65535, "PORT"),
        5006,
        "Port to listen on; 0 takes a free one.",
        bokeh=Bokeh.of("default_server_port"),
        common=True,
    )
    unix_socket: str | None = option(
        "unix-socket",
        Text("PATH"),
        None,
        "Unix socket to listen on, for a proxy on this machine, in place of an address and port.",
    )
    unix_socket_mode: int = option(
        "unix-socket-mode",
        FileMode(),
        0o600,
        "Who may open the Unix socket: 600 the server's user, 660 the group as well.",
    )
    prefix: str = option("prefix", Prefix(), "", "URL path to serve everything under.")


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Tls:
    """What is between the server and its visitors."""

    ssl_certfile: str | None = option(
        "ssl-certfile",
        File(),
        None,
        "Serve https with the certificate (and those that vouch for it) in this file, in PEM.",
        bokeh=Bokeh.of("ssl_certfile"),
    )
    ssl_keyfile: str | None = option(
        "ssl-keyfile",
        File(),
        None,
        "The certificate's private key, in PEM.",
        shown="in the same file",
        bokeh=Bokeh.of("ssl_keyfile"),
    )
    ssl_password: str | None = option(
        "ssl-password",
        SecretText(),
        None,
        "The password of the private key, if it has one.",
        bokeh=Bokeh.of("ssl_password"),
        on_command_line=False,  # where all of the machine's users could read it
    )
    use_xheaders: bool = option(
        "use-xheaders",
        Flag(),
        False,
        "Believe X-Real-Ip or X-Forwarded-For, and X-Scheme or X-Forwarded-Proto: only for servers "
        "that nobody reaches but through a proxy, which sets them.",
        common=True,
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Access:
    """Who may do what."""

    websocket_origins: tuple[str, ...] = option(
        "allow-websocket-origin",
        Many("HOST[:PORT]"),
        (),
        "A host whose pages may connect; * stands for one label. May be given several times.",
        shown="localhost, and --address, at the port",
        bokeh=Bokeh("BOKEH_ALLOW_WS_ORIGIN", "allowed_ws_origin"),
        common=True,
    )
    session_ids: SessionIds = option(
        "session-ids",
        Choice(SessionIds),
        SessionIds.AUTO,
        "Who may choose session ids. auto: clients of this machine, unless BOKEH_SECRET_KEY is "
        "set; unsigned: anybody; signed: the server, or whoever signs with BOKEH_SECRET_KEY; "
        "external-signed: only the latter.",
        bokeh=Bokeh.of("sign_sessions", _SIGNED),
    )
    secret_key: bytes | None = option(
        "secret-key",
        Secret(),
        None,
        "Signs tokens and session ids.",
        shown="one that lives as long as the server",
        bokeh=Bokeh.of("secret_key"),
        on_command_line=False,  # where all of the machine's users could read it
    )
    include_headers: tuple[str, ...] = option(
        "include-headers",
        Many("NAME..."),
        (),
        "Headers of requests that applications see, and no others. Several may follow.",
        shown="all of them",
        greedy=True,
    )
    exclude_headers: tuple[str, ...] = option(
        "exclude-headers",
        Many("NAME..."),
        (),
        "Headers of requests that applications do not see.",
        greedy=True,
    )
    include_cookies: tuple[str, ...] = option(
        "include-cookies",
        Many("NAME..."),
        (),
        "Cookies that applications see, and no others. Several may follow.",
        shown="all of them",
        greedy=True,
    )
    exclude_cookies: tuple[str, ...] = option(
        "exclude-cookies",
        Many("NAME..."),
        (),
        "Cookies that applications do not see.",
        greedy=True,
    )
    token_expiration_s: int = option(
        "session-token-expiration",
        Whole(1, unit="SECONDS"),
        300,
        "How long a page's token may make a new session.",
    )
    allow_push_doc: bool | None = option(
        "allow-push-doc",
        Flag(),
        None,
        "Whether clients may replace the whole document, as push_session of bokeh.client does, "
        "and set JavaScript callbacks.",
        shown="clients of this machine, unless BOKEH_SECRET_KEY is set",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Login:
    """Who visitors are."""

    auth_module: str | None = option(
        "auth-module",
        File(),
        None,
        "A Python file that says who visitors are and where they log in; only those whom it knows "
        "are let in. Its code is run.",
        shown="everybody is let in",
        bokeh=Bokeh.of("auth_module"),
    )
    password_file: str | None = option(
        "password-file",
        File(),
        None,
        "Let in those who know a password, on a login page: a file of names and hashed passwords, "
        "which `hyperfocal password FILE NAME` writes.",
        common=True,
    )
    login_lifetime_s: int = option(
        "login-lifetime",
        Whole(60, unit="SECONDS"),
        7 * 86_400,
        "How long people stay logged in with --password-file.",
    )
    cookie_secret: str | None = option(
        "cookie-secret",
        SecretText(),
        None,
        "Signs the cookies of --auth-module and --password-file. Better set by "
        "HYPERFOCAL_COOKIE_SECRET: other users of the machine can read command lines.",
        bokeh=Bokeh.of("cookie_secret"),
    )
    xsrf_cookies: bool = option(
        "enable-xsrf-cookies",
        Flag(),
        False,
        "Refuse forms on the pages of --auth-module that do not bring along what "
        "xsrf_form_html() writes.",
        bokeh=Bokeh.of("xsrf_cookies"),
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Http:
    """What a request may be."""

    http_max_header_bytes: int = option(
        "http-max-header-size",
        Whole(8192, unit="BYTES"),
        64 * 1024,
        "Largest headers of a request, cookies included; what is larger is answered with 431.",
    )
    http_request_timeout_ms: int = option(
        "http-request-timeout",
        Whole(1, unit="MILLISECONDS"),
        30_000,
        "How long a request may take to come; what takes longer is answered with 408.",
    )
    shutdown_delay_ms: int = option(
        "shutdown-delay",
        Whole(0, 20_000, unit="MILLISECONDS"),
        10_000,
        "How long the server goes on after SIGTERM where somebody asks /health, which says "
        "'stopping' meanwhile, with status 503; it ends sooner once it has said so three times.",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class WebSockets:
    """How the frames of websockets move, and what a client may send."""

    keep_alive_ms: int = option(
        "keep-alive",
        Whole(0, unit="MILLISECONDS"),
        37_000,
        "How often to ping clients; 0 never does.",
    )
    websocket_transport: WebSocketTransport = option(
        "websocket-transport",
        Choice(WebSocketTransport),
        WebSocketTransport.AUTO,
        "What moves the frames of websockets: native: picows, the fast one; asgi: uvicorn's own; "
        "auto: native where picows is installed.",
    )
    websocket_max_message_bytes: int = option(
        "websocket-max-message-size",
        Whole(1024, unit="BYTES"),
        20 * _MIB,
        "Largest message a client may send.",
    )
    websocket_compression_level: int | None = option(
        "websocket-compression-level",
        Whole(0, 9, "LEVEL"),
        None,
        "Compress what websockets carry, with zlib at this level, 1 fast to 9 small. Such servers "
        "use the asgi transport.",
        shown="no compression",
    )
    websocket_compression_mem_level: int | None = option(
        "websocket-compression-mem-level",
        Whole(1, 9, "LEVEL"),
        None,
        "The memory that it may take for each connection, 1 little to 9 much.",
        shown="8, with --websocket-compression-level",
    )
    websocket_max_buffers: int = option(
        "websocket-max-buffers",
        Whole(0),
        10_000,
        "Binary buffers that one message of a client may have.",
    )
    outbox_max_bytes: int = option(
        "outbox-max-bytes",
        Whole(65_536, unit="BYTES"),
        64 * _MIB,
        "What may wait for a client that does not read before it is disconnected.",
    )
