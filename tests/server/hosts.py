"""Hosts of our applications, as their users would write them. Served by name by test_hosts.py."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from bokeh.document import Document
from bokeh.models.widgets import Div

import hyperfocal

ORIGINS = ["127.0.0.1:*"]


def one(document: Document) -> None:
    """Tells the user of the session."""
    context: Any = document.session_context
    document.add_root(Div(text=f"one of {context.user}", name="note"))
    document.on_session_destroyed(lambda context: print("destroyed", flush=True))


def two(document: Document) -> None:
    document.add_root(Div(text="two", name="note"))


def dashboards() -> Any:
    return hyperfocal.asgi_app({"/one": one, "/two": two}, allow_websocket_origin=ORIGINS)


def plain() -> Any:
    """Ours alone, under any ASGI server."""
    return dashboards()


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
    from starlette.middleware import Middleware
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            name = conn.headers.get("x-user")
            return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None

    ours = dashboards()

    @contextlib.asynccontextmanager
    async def lifespan(host: Starlette) -> AsyncGenerator[None]:
        async with hyperfocal.lifespan(ours):
            yield

    return Starlette(
        routes=[
            Route("/hello", lambda request: PlainTextResponse("hello from the host")),
            Mount("/sub/path", ours),
        ],
        middleware=[Middleware(AuthenticationMiddleware, backend=Backend())],
        lifespan=lifespan,
    )


def fastapi() -> Any:
    from fastapi import FastAPI

    ours = dashboards()

    @contextlib.asynccontextmanager
    async def lifespan(host: FastAPI) -> AsyncGenerator[None]:
        async with hyperfocal.lifespan(ours):
            yield

    host = FastAPI(lifespan=lifespan)

    @host.get("/hello")
    async def hello() -> str:
        return "hello from the host"

    host.mount("/sub/path", ours)
    return host


def django() -> Any:
    from django.conf import settings  # type: ignore[import-untyped]
    from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
    from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
    from django.urls import path  # type: ignore[import-untyped]
    from starlette.applications import Starlette
    from starlette.routing import Mount

    def hello(request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"hello from the host")

    settings.configure(
        SECRET_KEY="x", ROOT_URLCONF=(path("hello", hello),), ALLOWED_HOSTS=["*"], DEBUG=False
    )
    ours = dashboards()

    @contextlib.asynccontextmanager
    async def lifespan(host: Starlette) -> AsyncGenerator[None]:
        async with hyperfocal.lifespan(ours):
            yield

    return Starlette(
        routes=[Mount("/sub/path", ours), Mount("/", get_asgi_application())], lifespan=lifespan
    )


def forgetful() -> Any:
    """A host that does not run the lifespan."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    return Starlette(routes=[Mount("/sub/path", dashboards())])
