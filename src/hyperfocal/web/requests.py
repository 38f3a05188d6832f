"""What an ASGI scope says of a request, in our words."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from hyperfocal.contexts import SessionRequest
from hyperfocal.errors import AuthError
from hyperfocal.pages import RESTORE

__all__ = (
    "USER",
    "Scope",
    "header",
    "is_direct_local",
    "read_cookies",
    "read_headers",
    "read_protocol",
    "read_request",
    "restore_request",
)

Scope: TypeAlias = MutableMapping[str, Any]

#: Where a scope has the user, once somebody has asked who that is.
USER = "hyperfocal.user"

#: A request that bears one of these came through a proxy.
_PROXY_HEADERS = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-scheme",
    }
)
#: Python takes seconds for a cookie with some 10,000 of them (CVE-2024-7592); none has a few.
_MAX_BACKSLASHES = 256
_SCHEMES = {"ws": "http", "wss": "https"}
#: Arguments that speak to the server, not to the application.
_OWN_ARGUMENTS = frozenset(
    {
        "bokeh-session-id",
        "bokeh-token",
        "bokeh-autoload-element",
        "bokeh-app-path",
        "bokeh-absolute-url",
        RESTORE,
    }
)


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def is_direct_local(scope: Scope) -> bool:
    """Whether the request comes straight from this machine, through no proxy.

    A Unix socket has no peer address: it is there for a proxy, which may not say that it is one.
    """
    if any(name in _PROXY_HEADERS for name, _ in scope["headers"]):
        return False
    client = scope.get("client")
    if not client:
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def read_cookies(text: str) -> dict[str, str]:
    """The cookies in such a header, by name."""
    if text.count("\\") > _MAX_BACKSLASHES:
        return {}
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(text)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in cookies.items()}


def read_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """All headers by lower-case name; several lines of one are joined."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        # Several lines of one header are one list (RFC 9110 section 5.3); cookies have their own.
        separator = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
    return headers


def read_protocol(scope: Mapping[str, Any]) -> str:
    """``http`` or ``https``, for websockets too."""
    return _SCHEMES.get(str(scope["scheme"]), str(scope["scheme"]))


def read_request(scope: Scope) -> SessionRequest:
    """The request as applications see it, without the arguments that speak to the server."""
    headers = read_headers(scope)
    headers.pop("sec-websocket-protocol", None)  # it holds the token
    query = scope.get("query_string", b"").decode("latin-1")
    arguments: dict[str, list[bytes]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, encoding="latin-1"):
        if name not in _OWN_ARGUMENTS:
            arguments.setdefault(name, []).append(value.encode("latin-1"))
    path = scope["path"]
    raw_path = scope.get("raw_path")
    shown = raw_path.decode("latin-1") if raw_path else path
    client = scope.get("client")
    return SessionRequest(
        arguments=arguments,
        cookies=read_cookies(headers.get("cookie", "")),
        headers=headers,
        method=scope.get("method", "GET"),
        protocol=read_protocol(scope),
        host=headers.get("host", ""),
        uri=f"{shown}?{query}" if query else shown,
        path=path,
        query=query,
        remote_ip=client[0] if client else "",
        user=scope.get(USER),
    )


def restore_request(own: SessionRequest, payload: Mapping[str, Any]) -> SessionRequest:
    """The request of the page whose token a websocket presents.

    What the token knows of it goes before what the websocket's own request says.

    Raises:
        AuthError: the token, which a client may have made, says it in a shape that makes no sense.
    """
    arguments = payload.get("arguments", own.arguments)
    if not isinstance(arguments, dict) or not all(
        isinstance(values, list) and all(isinstance(value, bytes) for value in values)
        for values in arguments.values()
    ):
        raise AuthError("the token's arguments are malformed")
    for name in ("headers", "cookies"):
        texts = payload.get(name, {})
        if not isinstance(texts, dict) or not all(isinstance(v, str) for v in texts.values()):
            raise AuthError(f"the token's {name} are malformed")
    return SessionRequest(
        arguments=arguments,
        cookies=payload.get("cookies", own.cookies),
        headers=payload.get("headers", own.headers),
        method=own.method,
        protocol=own.protocol,
        host=own.host,
        uri=own.uri,
        path=own.path,
        query=own.query,
        remote_ip=own.remote_ip,
        user=own.user,
    )
