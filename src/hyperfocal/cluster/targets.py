"""What a request asks for: which application, and which of its sessions. Pure; no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qsl, unquote

from hyperfocal.auth import named_session

__all__ = ("Kind", "Target", "Targets")


class Kind(Enum):
    """What kind of answer a request expects."""

    #: A page, for a person.
    PAGE = auto()
    #: ``autoload.js``: a page for a place within another page.
    SCRIPT = auto()
    WEBSOCKET = auto()
    #: Something else that the application's code has to answer.
    OTHER = auto()
    #: A file. Any process can send it.
    FILE = auto()
    #: A file of a custom component. Processes that have loaded the component can send it.
    COMPONENT = auto()
    #: Nothing of an application's: the start page, health, what is not there.
    SERVER = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for.

    Attributes:
        kind: the kind of answer that it expects.
        url: the URL path of the application, where it is an application's to answer.
        session_id: the session that it names, if it names one. Nobody has checked that it may.
        element_id: of a script: the element that it is for.
        component: of a component's file: its module, class and attribute, and the file's path.
    """

    kind: Kind
    url: str | None = None
    session_id: str | None = None
    element_id: str = ""
    component: tuple[str, ...] = ()

    @property
    def makes_session(self) -> bool:
        """Whether a new session is to be made for it, wherever that may be."""
        return self.session_id is None and self.kind in (Kind.PAGE, Kind.SCRIPT)


_KINDS = {
    "": Kind.PAGE,
    "/": Kind.OTHER,  # leads to the page
    "/autoload.js": Kind.SCRIPT,
    "/ws": Kind.WEBSOCKET,
    "/metadata": Kind.OTHER,
}

Headers = Sequence[tuple[bytes, bytes]]


class Targets:
    """Reads requests as the routes of the site do.

    Args:
        prefix: the URL path under which everything is served: "" or "/like/this".
        urls: URL paths of the applications.
    """

    def __init__(self, prefix: str, urls: Iterable[str]) -> None:
        self._prefix = prefix
        # The longest first: "/" would take what belongs to others.
        self._urls = sorted(urls, key=len, reverse=True)
        self._component = re.compile(
            re.escape(prefix) + "/components/([^/]+)/([^/]+)/([^/]+)/(.*)", re.DOTALL
        )

    def read(self, url: bytes, headers: Headers) -> Target:
        """What a request asks for.

        Args:
            url: the request's target, as it came.
            headers: its headers, with names in lower case.
        """
        raw_path, _, query = url.partition(b"#")[0].partition(b"?")
        if b"://" in raw_path:  # a whole URL, as proxies send them
            raw_path = b"/" + raw_path.partition(b"://")[2].partition(b"/")[2]
        path = raw_path.decode("latin-1")
        path = unquote(path) if "%" in path else path
        kind, app = self._application(path)
        component = self._component.fullmatch(path) if kind is Kind.SERVER else None
        if component is not None:
            return Target(Kind.COMPONENT, component=component.groups())
        if app is None or kind is Kind.FILE:
            return Target(kind, app)
        if kind is Kind.WEBSOCKET:
            token = _offered_token(headers)
            return Target(kind, app, named_session(token) if token else None)
        arguments: dict[str, str] = {}
        if b"bokeh" in query or b"%" in query:
            arguments = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        return Target(
            kind,
            app,
            _given_session(arguments, headers),
            arguments.get("bokeh-autoload-element", ""),
        )

    def _application(self, path: str) -> tuple[Kind, str | None]:
        if not path.startswith(self._prefix):
            return Kind.SERVER, None
        path = path[len(self._prefix) :]
        if path.startswith("/static/") and "/static" not in self._urls:
            return Kind.FILE, None
        for url in self._urls:
            base = url.rstrip("/")
            if not path.startswith(base):
                continue
            rest = path[len(base) :]
            if not base and rest in ("", "/"):
                return Kind.PAGE, url
            kind = _KINDS.get(rest)
            if kind is not None and rest != "/":
                return kind, url
            if base and rest == "/":
                return Kind.OTHER, url
            if base and rest.startswith("/static/"):
                return Kind.FILE, url
        return Kind.SERVER, None


def _given_session(arguments: dict[str, str], headers: Headers) -> str | None:
    token = arguments.get("bokeh-token")
    named = named_session(token) if token else None
    if named is not None:
        return named
    given = arguments.get("bokeh-session-id")
    if given:
        return given
    for name, value in headers:
        if name == b"bokeh-session-id" and value:
            return value.decode("latin-1")
    return None


def _offered_token(headers: Headers) -> str | None:
    """The token, which a client offers as the second of its subprotocols."""
    values = [value for name, value in headers if name == b"sec-websocket-protocol"]
    offered = b",".join(values).decode("latin-1").split(",")
    return offered[1].strip() if len(offered) > 1 else None
