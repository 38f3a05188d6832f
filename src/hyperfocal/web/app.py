"""The ASGI application and its routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from hyperfocal.web.endpoints import (
    Endpoint,
    application_endpoints,
    component_file,
    health,
    index,
    not_found,
)
from hyperfocal.web.pages import root_url
from hyperfocal.web.site import Served, Site
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
        Route(f"{prefix}/favicon.ico", _favicon),
        Route(
            f"{prefix}/components/{{module}}/{{name}}/{{attribute}}/{{path:path}}", component_file
        ),
        Mount(f"{prefix}/static/extensions", _Extensions(site)),
        Mount(f"{prefix}/static", Folder(site.statics.bokehjs)),
    ]
    if not any(served.url == "/" for served in site.served):
        routes.append(Route(f"{prefix}/", index(site)))
        if prefix:
            routes.append(Route(prefix, index(site)))

    routes.append(WebSocketRoute("/{path:path}", NoSuchWebSocket(site)))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with site.lifespan():
            yield

    app = Starlette(
        debug=False,
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: not_found},
    )
    # A slash too much leads to the page (see below) and nowhere else: Starlette's own way would
    # answer with absolute URLs, which are wrong behind a proxy that strips a prefix.
    app.router.redirect_slashes = False
    app.state.site = site
    return app


def _application_routes(site: Site, served: Served) -> list[BaseRoute]:
    base = site.settings.prefix + served.path
    endpoints = application_endpoints(site, served)
    routes: list[BaseRoute] = [
        WebSocketRoute(f"{base}/ws", WebSocketEndpoint(site, served)),
        Route(f"{base}/autoload.js", endpoints["autoload"], methods=["GET", "OPTIONS"]),
        Route(f"{base}/metadata", endpoints["metadata"]),
        Route(base or "/", endpoints["page"]),
    ]
    if served.path:
        routes.append(Route(f"{base}/", _without_slash(site, served)))
    static = served.context.application.static_path
    if static is None:
        if served.path:
            routes.append(Mount(f"{base}/static", Folder(site.statics.bokehjs)))
    elif served.path:
        routes.append(Mount(f"{base}/static", Folder(Path(static))))
    else:
        # An application at "/" shares "/static" with BokehJS: its own files come first there.
        routes += _shared_static(site, Path(static))
    return routes


def _shared_static(site: Site, static: Path) -> list[BaseRoute]:
    own = Folder(static)
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
        return RedirectResponse(root_url(site, request) + served.path.lstrip("/") + query)

    return endpoint


async def _favicon(request: Request) -> Response:
    icon = files("hyperfocal.web").joinpath("favicon.svg").read_bytes()
    return Response(icon, 200, {"Cache-Control": "public, max-age=86400"}, "image/svg+xml")


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
