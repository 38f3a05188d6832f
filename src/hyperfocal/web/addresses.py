"""Where things are, as URLs that hold behind a proxy that takes part of the path away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request

from hyperfocal.auth import relative_url
from hyperfocal.web.site import Site

__all__ = ("autoload_root", "relative_root", "root_url")


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


def autoload_root(root: str, app_path: str, *, shown: str | None, absolute: str | None) -> str:
    """Where the server's URLs begin, for a page that embeds an application.

    Args:
        root: where they begin as the server sees it.
        app_path: the application's path below that.
        shown: the application's path as the page sees it, if it says.
        absolute: the application's whole URL, if the page says.
    """
    # The application's own path ends where the server's begins.
    if absolute is not None:
        parts = urlsplit(absolute)
        return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix(app_path).rstrip('/')}/"
    if shown is not None and shown.startswith("/") and shown.endswith(app_path):
        # Two slashes would begin the name of a host.
        return f"/{shown.removesuffix(app_path).strip('/')}/".replace("//", "/")
    return root
