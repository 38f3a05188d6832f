"""Where things are, as URLs that hold behind a proxy that takes part of the path away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.requests import Request

from hyperfocal.auth import ascii_host, relative_url
from hyperfocal.web.site import Site

__all__ = ("Embedding", "relative_root", "root_url")

#: Scheme and host, as browsers write them: no user, nothing that a script would have to escape.
_URL = re.compile(
    r"(?P<scheme>https?://)"
    r"(?P<host>\[[0-9a-f:.]+\]|[^\x00-,/:;<=>?@\[\\\]^`{|}\x7f]+)(?P<port>:\d{1,5})?"
    r"(?P<path>/[^?#\\]*)?",
    re.ASCII | re.IGNORECASE,
)
_PATH = re.compile(r"/[^?#\\]*")
#: What may stand in the path of a URL (RFC 3986 section 3.3), but for quotes.
_SAFE = "/%:@!$&()*+,;=~-._"


def root_url(site: Site, scope: Mapping[str, Any]) -> str:
    """Where the server's URLs begin, as a path with a slash at its end."""
    mounted = str(scope.get("root_path", "")).rstrip("/")
    return f"{mounted}{site.settings.prefix}/"


def relative_root(site: Site, request: Request) -> str:
    """Where the server's URLs begin, for a page: a URL with a slash at its end.

    A path where a host says that we are elsewhere than the request's path, and for the page at the
    prefix itself without a slash, which a proxy that strips it does not lead to.
    """
    path, mounted = str(request.scope["path"]), str(request.scope.get("root_path", ""))
    root = root_url(site, request.scope)
    is_relative = path.startswith(mounted) and f"{path}/" != root
    return quote(relative_url(path, root) if is_relative else root)


class Embedding(NamedTuple):
    """Where a page that embeds an application says that the application is.

    Attributes:
        app_path: its URL path, as the page sees it; ``None``: the page does not say.
        absolute_url: its whole URL, for a page of another origin.
    """

    app_path: str | None
    absolute_url: str | None

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> Embedding:
        """What the arguments of ``autoload.js`` say, as it may stand in a script.

        Raises:
            ValueError: one of them is not what it should be; the error says which, and why.
        """
        path, url = arguments.get("bokeh-app-path"), arguments.get("bokeh-absolute-url")
        if path is not None:
            if not _PATH.fullmatch(path):
                raise ValueError("bokeh-app-path is not a path such as /app")
            path = quote(path, _SAFE, errors="replace")
        if url is not None:
            match = _URL.fullmatch(url)
            host = ascii_host(match["host"]) if match is not None else None
            if match is None or host is None:
                raise ValueError("bokeh-absolute-url is not a URL such as https://host/app")
            path_there = quote(match["path"] or "", _SAFE, errors="replace")
            url = f"{match['scheme']}{host}{match['port'] or ''}{path_there}"
        return cls(path, url)

    def root(self, root: str, app_path: str) -> str:
        """Where the server's URLs begin, for the page.

        Args:
            root: where they begin as the server sees it.
            app_path: the application's path below that.
        """
        # The application's own path ends where the server's begins.
        shown, ending = self.app_path, quote(app_path, _SAFE)
        if self.absolute_url is not None:
            return f"{self.absolute_url.removesuffix(ending).rstrip('/')}/"
        if shown is not None and shown.endswith(ending):
            # Two slashes would begin the name of a host.
            return f"/{shown.removesuffix(ending).strip('/')}/".replace("//", "/")
        return root
