"""Who visitors are, before anything else is answered; and the pages on which they say so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hyperfocal.auth import relative_url
from hyperfocal.auth.provider import Answer, AuthPage, AuthProvider, SetCookie, Visitor
from hyperfocal.engine import Owner
from hyperfocal.pages import failure_script, notice_page
from hyperfocal.telemetry import ConnectionRefused, log_failure
from hyperfocal.web.requests import USER, read_cookies, read_headers, read_protocol
from hyperfocal.web.site import Site
from hyperfocal.web.websocket import refuse

__all__ = ("Guard", "login_routes")

_log = logging.getLogger("hyperfocal")

#: The largest form that is read, in bytes.
_MAX_FORM_BYTES = 64 * 1024
_NO_STORE = {"Cache-Control": "no-store"}
_UNKNOWN = "you have to log in first"


def _visitor(
    scope: Mapping[str, Any], root: str, form: Mapping[str, list[str]], body: bytes
) -> Visitor:
    headers = read_headers(scope)
    query = scope.get("query_string", b"").decode("latin-1")
    client = scope.get("client")
    host_user = scope.get("user")
    if getattr(host_user, "is_authenticated", True) is False:
        host_user = None
    return Visitor(
        method=str(scope.get("method", "GET")),
        path=str(scope["path"]),
        query=parse_qs(query, keep_blank_values=True),
        form=form,
        headers=headers,
        cookies=read_cookies(headers.get("cookie", "")),
        body=body,
        query_string=query,
        scheme=read_protocol(scope),
        host=headers.get("host", ""),
        remote_ip=client[0] if client else "",
        root=root,
        host_user=host_user,
    )


def _root(site: Site, scope: Mapping[str, Any]) -> str:
    return f"{str(scope.get('root_path', '')).rstrip('/')}{site.settings.prefix}/"


class Guard:
    """Asks who it is before an ASGI application answers, and lets nobody in who is nobody.

    Without a provider everybody may come in; who they are is then the matter of the application
    in which this one is mounted, if any, and its middleware.

    Args:
        site: the site, which has the provider.
        app: what is behind.
        kind: what the application answers with. From a page people can be led to where they log
            in; a script says what is wrong in the page that embeds it.
    """

    def __init__(
        self, site: Site, app: ASGIApp, kind: Literal["page", "script", "data"] = "data"
    ) -> None:
        self._site = site
        self._app = app
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have the application answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        provider = self._site.provider
        if provider is None and scope.get("user") is None:
            await self._app(scope, receive, send)
            return
        root = _root(self._site, scope)
        visitor = _visitor(scope, root, {}, b"")
        engine = self._site.engine
        if provider is None:
            user = visitor.host_user
        else:
            try:
                user = await engine.settle(provider.user(visitor))
                login = await engine.settle(provider.login_url(visitor)) if not user else None
            except Exception as error:
                what = "Asking who a visitor is failed"
                # What an exception says of itself is somebody's code, too.
                await engine.call(
                    Owner("", visitor.path, "authentication"),
                    partial(log_failure, _log, logging.ERROR, what, error=error),
                )
                await self._fail(scope, receive, send)
                return
            if not user:
                await self._turn_away(scope, receive, send, visitor, login)
                return
        scope[USER] = user
        await self._app(scope, receive, send)

    async def _turn_away(
        self, scope: Scope, receive: Receive, send: Send, visitor: Visitor, login: str | None
    ) -> None:
        if scope["type"] == "websocket":
            await receive()  # websocket.connect
            await refuse(self._site, visitor.path, scope, send, 403, _UNKNOWN)
            return
        response: Response
        if self._kind == "page" and login is not None and visitor.method in ("GET", "HEAD"):
            response = RedirectResponse(_login_target(self._site, visitor, login), 302, _NO_STORE)
            await response(scope, receive, send)
            return
        peer = visitor.remote_ip or "a local client"
        self._site.telemetry.emit(ConnectionRefused(visitor.path, peer, _UNKNOWN))
        if self._kind == "script":
            element = visitor.argument("bokeh-autoload-element")
            cors = {**_NO_STORE, "Access-Control-Allow-Origin": "*"}
            script = failure_script(f"To see this, {_UNKNOWN}.", element)
            response = Response(script, 403, cors, "application/javascript")
        elif self._kind == "page":
            html = notice_page("You have to log in", "This page is not for everybody.")
            response = HTMLResponse(html, 403, _NO_STORE)
        else:
            response = PlainTextResponse(f"{_UNKNOWN}\n", 403, _NO_STORE)
        await response(scope, receive, send)

    async def _fail(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            reason = "who you are could not be told; see the server's log"
            await refuse(self._site, str(scope["path"]), scope, send, 500, reason)
            return
        html = notice_page(
            "Something went wrong", "Who you are could not be told. See the server's log."
        )
        await HTMLResponse(html, 500, _NO_STORE)(scope, receive, send)


def _login_target(site: Site, visitor: Visitor, login: str) -> str:
    """Where to log in, and where that leads afterwards."""
    provider = site.provider
    if provider is not None and login in provider.pages:
        login = relative_url(visitor.path, visitor.root.rstrip("/") + login)
    if urlsplit(login).query:
        return login  # says itself what comes afterwards
    back = f"{visitor.path}?{visitor.query_string}" if visitor.query_string else visitor.path
    if urlsplit(login).scheme:
        back = f"{visitor.scheme}://{visitor.host}{back}"
    return f"{login}?next={quote(back, safe='')}"


def login_routes(site: Site, provider: AuthProvider) -> list[BaseRoute]:
    """The pages that the provider brings along."""
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]
    return [
        Route(site.settings.prefix + path, _endpoint(site, page), methods=methods)
        for path, page in provider.pages.items()
    ]


def _endpoint(site: Site, page: AuthPage) -> Any:
    async def endpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_FORM_BYTES:
                return PlainTextResponse("The form is too large\n", 413, _NO_STORE)
        form: dict[str, list[str]] = {}
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            try:
                form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=100)
            except ValueError:
                return PlainTextResponse("The form makes no sense\n", 400, _NO_STORE)
        root = _root(site, request.scope)
        answer = await site.engine.settle(page(_visitor(request.scope, root, form, body)))
        return _response(answer)

    return endpoint


def _response(answer: Answer) -> Response:
    response: Response
    if answer.redirect is not None:
        status = answer.status if 300 <= answer.status < 400 else 302
        response = RedirectResponse(answer.redirect, status)
    else:
        response = Response(answer.body, answer.status, media_type=answer.content_type)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    for name, value in answer.headers:
        response.headers[name] = value
    for cookie in answer.cookies:
        _set(response, cookie)
    return response


def _set(response: Response, cookie: SetCookie) -> None:
    same_site: Any = cookie.same_site
    response.set_cookie(
        cookie.name,
        cookie.value,
        max_age=cookie.max_age_s,
        path=cookie.path,
        domain=cookie.domain,
        secure=cookie.secure,
        httponly=cookie.http_only,
        samesite=same_site,
    )
