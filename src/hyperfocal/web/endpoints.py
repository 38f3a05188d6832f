"""What each URL of an application, and of the server itself, answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
)

from hyperfocal.engine import Owner
from hyperfocal.errors import AuthError, BuildError, BusyError
from hyperfocal.pages import (
    AFRESH_SCRIPT,
    IndexEntry,
    autoload_script,
    doubt_script,
    failure_script,
    notice_page,
)
from hyperfocal.panel import find_component_file, is_panels, panel_autoload_script
from hyperfocal.web.addresses import Embedding, relative_root, root_url
from hyperfocal.web.listing import Served
from hyperfocal.web.pages import PageEndpoint, refused
from hyperfocal.web.site import Site
from hyperfocal.web.static import Folder

__all__ = (
    "Endpoint",
    "application_endpoints",
    "component_file",
    "failed",
    "health",
    "index",
    "not_found",
    "thumbnail",
)

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

#: Seconds after which a thread that runs a job is shown as stuck.
_STUCK_S = 10.0

_ELEMENT_ID = re.compile(r"[\w.:-]{1,200}", re.ASCII)


def application_endpoints(site: Site, served: Served) -> dict[str, Endpoint]:
    """The endpoints of one application, by the name of their route."""

    async def autoload(request: Request) -> Response:
        cors = _cors(site, request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=cors)
        element_id = request.query_params.get("bokeh-autoload-element", "")
        if not _ELEMENT_ID.fullmatch(element_id):
            return _script(
                "throw new Error('autoload.js needs the argument bokeh-autoload-element');",
                400,
                cors,
            )
        try:
            page = Embedding.of(request.query_params)
        except ValueError as error:
            return _script(f"throw new Error('{error}');", 400, cors)
        root = page.root(root_url(site, request.scope), served.path)
        try:
            visit = await site.visits.admit(served, request.scope, request.query_params, root)
            session = await site.visits.session_of(served, visit)
        except AuthError as error:
            refused(site, served, request, error.reason)
            return _script(failure_script(error.reason, element_id), 403, cors)
        except BusyError as error:
            text = "This server is busy. Reload the page in some seconds."
            refused(site, served, request, error.reason)
            headers = {**cors, "Retry-After": str(error.retry_after_s)}
            return _script(failure_script(text, element_id), 503, headers)
        except BuildError as error:
            detail = f" ({error.summary})" if site.settings.dev else ""
            text = f"This application could not be started{detail}."
            return _script(failure_script(text, element_id), 200, cors)
        doubt = ""
        try:
            site.visits.check_origin(request.scope)
        except AuthError as error:  # as the websocket's will be, and browsers keep its reason
            text = f"This page may not show the application: {error.reason}."
            doubt = f"{doubt_script(text, element_id)}\n"
        bundle = None
        if request.query_params.get("resources") != "none":
            bundle = site.statics.bundle(root)
        shown_path = page.app_path or "/"  # Bokeh's snippets leave that away
        if bundle is not None and bundle.resources is not None and is_panels(session.document):
            resources = bundle.resources
            script = await session.turns.run(
                lambda turn: panel_autoload_script(
                    turn.document,
                    visit.token,
                    resources,
                    element_id,
                    root_url=root,
                    app_path=shown_path,
                    absolute_url=page.absolute_url,
                    before=AFRESH_SCRIPT,
                )
            )
        else:
            script = autoload_script(
                visit.token,
                element_id,
                bundle,
                app_path=shown_path,
                absolute_url=page.absolute_url,
                before=AFRESH_SCRIPT,
            )
        return _script(doubt + script, 200, cors)

    async def metadata(request: Request) -> Response:
        data: Any = served.context.application.metadata
        if callable(data):
            data = await site.engine.call(Owner("", served.url, "metadata"), data)
        return JSONResponse({"url": served.url, "data": data or {}})

    return {"page": PageEndpoint(site, served).answer, "autoload": autoload, "metadata": metadata}


def _script(text: str, status: int, headers: dict[str, str]) -> Response:
    return Response(
        text, status, {**headers, "Cache-Control": "no-store"}, "application/javascript"
    )


def _cors(site: Site, request: Request) -> dict[str, str]:
    """Any page may load the script; only pages that may connect may do so with cookies.

    The script holds a token for the session that it makes, which knows the visitor's cookies.
    """
    origin = request.headers.get("origin")
    asked = request.headers.get("access-control-request-headers")
    headers = {
        "Access-Control-Allow-Origin": origin or "*",
        "Access-Control-Allow-Methods": "GET, OPTIONS",
        "Access-Control-Allow-Headers": asked or "*",
        "Vary": "Origin",
    }
    if origin is not None and site.visits.origins.allows(origin):
        headers["Access-Control-Allow-Credentials"] = "true"
    return headers


async def component_file(request: Request) -> Response:
    """A file of a custom component of Panel's. Pages of other origins may use it."""
    names = request.path_params
    site: Site = request.app.state.site
    find = partial(
        find_component_file, names["module"], names["name"], names["attribute"], names["path"]
    )
    path = await site.engine.call(Owner("", "/", "a file of a component"), find)
    if path is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
    return FileResponse(path, headers=headers)


def index(site: Site) -> Endpoint:
    """The list of applications, or the way to the only one."""

    async def endpoint(request: Request) -> Response:
        root = relative_root(site, request)
        entries = [_entry(served, root) for served in site.served]
        if len(entries) == 1 and not site.settings.disable_index_redirect:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(entries[0].href + query, status_code=302)
        prefix = root_url(site, request.scope).rstrip("/")
        # A template of the operator's is code, too.
        html = await site.engine.call(
            Owner("", "/", "the index"), lambda: site.index.page(entries, root, prefix)
        )
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    return endpoint


def _entry(served: Served, root: str) -> IndexEntry:
    href = root + served.url.lstrip("/")
    thumbnail = f"{href}/thumbnail" if served.thumbnail is not None else None
    return IndexEntry(href, served.title, served.description, thumbnail, served.url)


def thumbnail(path: Path) -> Endpoint:
    """The picture of an application."""
    folder = Folder(path.parent)

    async def endpoint(request: Request) -> Response:
        return await folder.get_response(path.name, request.scope)

    return endpoint


def health(site: Site) -> Endpoint:
    """For load balancers: alive, and how much there is to do."""

    async def endpoint(request: Request) -> Response:
        sessions = [session for served in site.served for session in served.context.sessions]
        everywhere = site.place.health() if site.place is not None else {}
        is_stopping = site.stopping.asked()
        return JSONResponse(
            {
                "status": "stopping" if is_stopping else "ok",
                "applications": len(site.served),
                "sessions": len(sessions),
                "tasks": len(asyncio.all_tasks()),
                "connections": sum(session.connection_count for session in sessions),
                "threads": _threads(site),
                "events": site.counters.as_dict(),
                **everywhere,
            },
            503 if is_stopping else 200,
            headers={"Cache-Control": "no-store"},
        )

    return endpoint


def _threads(site: Site) -> dict[str, Any]:
    """How many jobs run in threads, and which of them have lasted so long that they are stuck."""
    jobs = site.engine.lasting_jobs(0.0)
    return {
        "running": len(jobs),
        "stuck": [
            {
                "application": mailbox.owner.application,
                "what": mailbox.owner.name,
                "seconds": round(seconds, 1),
            }
            for mailbox, seconds, _ in jobs
            if seconds >= _STUCK_S
        ],
    }


async def failed(request: Request, error: Exception) -> Response:
    """A page for a mistake of the server's; whoever runs the application logs the error."""
    html = notice_page(
        "Something went wrong",
        "The server could not answer this request. The details are in its log. You can try again; "
        "if it happens again, please tell whoever runs it.",
    )
    return HTMLResponse(html, status_code=500)


async def not_found(request: Request, error: Exception) -> Response:
    """A page that says what is wrong with the URL."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status != 404:
        return HTMLResponse(
            notice_page(f"Error {status}", "The request was not understood."), status_code=status
        )
    html = notice_page("There is nothing here", f"No application is served at {request.url.path}.")
    return HTMLResponse(html, status_code=404)
