"""Who a visitor is: the interface of providers, and what they see of requests.

A provider says who a request comes from, and where people log in who are nobody yet. It may bring
pages of its own for that. Nothing here knows of the web server: a request comes as a ``Visitor``,
and a page answers with an ``Answer``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = (
    "XSRF",
    "Answer",
    "AuthPage",
    "AuthProvider",
    "SetCookie",
    "Visitor",
    "check_xsrf",
    "local_target",
    "new_xsrf",
    "user_name",
)

#: The cookie and the form field that have to agree where a form changes something.
XSRF = "_xsrf"
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A request, as providers see it.

    Attributes:
        method: in capitals.
        path: without the query.
        query: arguments of the URL, all values of each.
        form: arguments of the body, where that is a form.
        headers: by lower-case name.
        cookies: by name.
        body: as it came.
        query_string: as it came, without the question mark.
        scheme: ``http`` or ``https``.
        host: with the port, as the browser said it.
        remote_ip: where it comes from; empty where that has no address, as on a Unix socket.
        root: the URL path under which the server is, with a slash at its end.
        host_user: the user whom the application knows in which this one is mounted, if any.
    """

    method: str = "GET"
    path: str = "/"
    query: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    form: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cookies: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    query_string: str = ""
    scheme: str = "http"
    host: str = ""
    remote_ip: str = ""
    root: str = "/"
    host_user: Any = None

    def argument(self, name: str, default: str = "") -> str:
        """The last value of an argument, of the body before the URL."""
        values = self.form.get(name) or self.query.get(name)
        return values[-1] if values else default


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCookie:
    """A cookie for the browser to keep; with ``max_age_s`` of 0 one to forget."""

    name: str
    value: str
    max_age_s: int | None = None
    path: str = "/"
    domain: str | None = None
    secure: bool = False
    http_only: bool = True
    same_site: str = "lax"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a page of a provider answers. With ``redirect`` the body does not matter."""

    body: str | bytes = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[SetCookie, ...] = ()
    content_type: str = "text/html; charset=utf-8"
    redirect: str | None = None


#: A page of a provider.
AuthPage: TypeAlias = Callable[[Visitor], Awaitable[Answer]]


@runtime_checkable
class AuthProvider(Protocol):
    """Says who visitors are. All of it runs on the event loop; nothing may block."""

    @property
    def pages(self) -> Mapping[str, AuthPage]:
        """What the provider answers itself, by URL path below the server's own."""
        ...

    @property
    def logout_url(self) -> str | None:
        """Where people log out, or ``None``."""
        ...

    async def user(self, visitor: Visitor) -> Any:
        """Who this is: a name, or whatever the applications shall know; ``None``: nobody yet."""
        ...

    async def login_url(self, visitor: Visitor) -> str | None:
        """Where somebody who is nobody yet may become somebody; ``None``: nowhere."""
        ...


def user_name(user: Any) -> str | None:
    """By what name a user goes, whatever a provider has made of them; ``None``: by none."""
    if isinstance(user, str):
        return user
    if isinstance(user, bytes):
        return user.decode("utf-8", "replace")
    for name in ("username", "name", "email", "display_name", "identity", "sub", "id"):
        found = user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
        if isinstance(found, str | int) and not isinstance(found, bool):
            return str(found)
    return None


def new_xsrf() -> str:
    """What a form and a cookie have to agree on."""
    return secrets.token_urlsafe(24)


def check_xsrf(visitor: Visitor) -> bool:
    """Whether a request comes from a form of ours, where it may change something.

    Other sites can have a browser send a form with its cookies, and can read neither.
    """
    if visitor.method not in _UNSAFE:
        return True
    cookie = visitor.cookies.get(XSRF, "")
    said = (
        visitor.argument(XSRF)
        or visitor.headers.get("x-xsrftoken", "")
        or visitor.headers.get("x-csrftoken", "")
    )
    return bool(cookie) and hmac.compare_digest(cookie.encode(), said.encode())


def local_target(target: str, default: str) -> str:
    """A URL path that a form was told to lead to; another site's is not taken."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return default
    return target
