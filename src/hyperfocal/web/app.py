"""The ASGI application and its routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from hyperfocal.web.addresses import relative_root
from hyperfocal.web.development import CHANNEL
from hyperfocal.web.endpoints import (
    Endpoint,
    application_endpoints,
    component_file,
    failed,
    health,
    index,
    not_found,
    thumbnail,
)
from hyperfocal.web.listing import Served
from hyperfocal.web.login import Guard, login_routes
from hyperfocal.web.site import Site
from hyperfocal.web.static import Folder
from hyperfocal.web.websocket import NoSuchWebSocket, WebSocketEndpoint

__all__ = ("make_app",)


def make_app(site: Site) -> Starlette:
    """The ASGI application that serves a site.

    Its lifespan runs the load and unload hooks; a host that mounts it has to run that lifespan.
    """
    prefix = site.settings.prefix
    routes: list[BaseRoute] = []
    # The longest paths first: "/" would take what belongs to others.
    for served in sorted(site.served, key=lambda one: len(one.url), reverse=True):
        routes += _application_routes(site, served)
    routes += [
        Route(f"{prefix}/health", health(site)),
        Route(
            f"{prefix}/components/{{module}}/{{name}}/{{attribute}}/{{path:path}}", component_file
        ),
        Mount(f"{prefix}/static/extensions", _Extensions(site)),
        Mount(f"{prefix}/static", Folder(site.statics.bokehjs)),
    ]
    if site.provider is not None:
        routes[:0] = login_routes(site, site.provider)
    if site.development is not None:
        channel = WebSocketRoute(f"{prefix}/{CHANNEL}", site.development.page)
        channel.app = Guard(site, channel.app)  # it tells tracebacks
        routes.insert(0, channel)
    if site.settings.ico_path != "none":
        routes.append(Route(f"{prefix}/favicon.ico", _favicon(site.settings.ico_path)))
    if not site.settings.disable_index and not any(served.url == "/" for served in site.served):
        routes.append(_page(site, f"{prefix}/", index(site)))
        if prefix:
            routes.append(_page(site, prefix, index(site)))

    routes.append(WebSocketRoute("/{path:path}", NoSuchWebSocket(site)))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with site.lifespan():
            yield

    app = _App(
        site,
        debug=False,
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: not_found, Exception: failed},
    )
    # A slash too much leads to the page (see below) and nowhere else: Starlette's own way would
    # answer with absolute URLs, which are wrong behind a proxy that strips a prefix.
    app.router.redirect_slashes = False
    return app


class _App(Starlette):
    """The ASGI application. Begins what a host has not begun, whose lifespan is not ours."""

    def __init__(self, site: Site, **options: Any) -> None:
        super().__init__(**options)
        self.state.site = site
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the lifespan."""
        if not self._site.begun and scope["type"] != "lifespan":
            await self._site.begin_late()
        await super().__call__(scope, receive, send)


def _application_routes(site: Site, served: Served) -> list[BaseRoute]:
    base = site.settings.prefix + served.path
    endpoints = application_endpoints(site, served)
    routes: list[BaseRoute] = [
        WebSocketRoute(f"{base}/ws", Guard(site, WebSocketEndpoint(site, served))),
        _guarded(site, "script", f"{base}/autoload.js", endpoints["autoload"], "GET", "OPTIONS"),
        _guarded(site, "data", f"{base}/metadata", endpoints["metadata"]),
        _page(site, base or "/", endpoints["page"]),
    ]
    if served.path:
        routes.append(_page(site, f"{base}/", _without_slash(site, served)))
    if served.thumbnail is not None:
        picture = thumbnail(served.thumbnail)
        routes.append(_guarded(site, "data", f"{base}/thumbnail", picture))
    static = served.context.application.static_path
    if static is None:
        if served.path:
            routes.append(Mount(f"{base}/static", Folder(site.statics.bokehjs)))
    elif served.path:
        routes.append(Mount(f"{base}/static", Guard(site, Folder(Path(static)))))
    else:
        # An application at "/" shares "/static" with BokehJS: its own files come first there.
        routes += _shared_static(site, Path(static))
    return routes


def _guarded(
    site: Site,
    kind: Literal["page", "script", "data"],
    path: str,
    endpoint: Endpoint,
    *methods: str,
) -> Route:
    """A route that is for those whom the site's provider knows."""
    route = Route(path, endpoint, methods=methods or ("GET",))
    route.app = Guard(site, route.app, kind)
    return route


def _page(site: Site, path: str, endpoint: Endpoint) -> Route:
    return _guarded(site, "page", path, endpoint)


def _shared_static(site: Site, static: Path) -> list[BaseRoute]:
    own = Guard(site, Folder(static))
    bokehjs = Folder(site.statics.bokehjs)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await own(scope, receive, send)
        except HTTPException as error:
            if error.status_code != 404:
                raise
            await bokehjs(scope, receive, send)

    base = site.settings.prefix
    return [
        Mount(f"{base}/static/extensions", _Extensions(site)),
        Mount(f"{base}/static", either),
    ]


def _without_slash(site: Site, served: Served) -> Endpoint:
    """Relative URLs in pages count from a path without a slash at its end."""

    async def endpoint(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(relative_root(site, request) + served.path.lstrip("/") + query)

    return endpoint


def _favicon(path: str) -> Endpoint:
    """The icon that browsers show in tabs: our own, or a file's."""
    if path == "default":
        icon, kind = files("hyperfocal.web").joinpath("favicon.svg").read_bytes(), "image/svg+xml"
    else:
        icon, kind = Path(path).read_bytes(), "image/x-icon"

    async def endpoint(request: Request) -> Response:
        return Response(icon, 200, {"Cache-Control": "public, max-age=86400"}, kind)

    return endpoint


class _Extensions:
    """``static/extensions/<name>/<file>``: folders that are known once a page asks for them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._folders: dict[str, Folder] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = str(scope.get("root_path", ""))
        rest = str(scope["path"]).removeprefix(root).lstrip("/")
        name = rest.partition("/")[0]
        path = self._site.statics.extension(name)
        if path is None:
            raise HTTPException(404)
        folder = self._folders.setdefault(name, Folder(path))
        await folder({**scope, "root_path": f"{root}/{name}"}, receive, send)
