"""The public members of the classes that Bokeh releases, as docs/migrating.md tells of them."""

from __future__ import annotations

import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import bokeh.server
import pytest
from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler, Handler
from bokeh.document import Document
from bokeh.models.widgets import Div
from bokeh.server import auth_provider, contexts, session
from bokeh.server.server import BaseServer
from bokeh.server.server import Server as BokehsServer

import hyperfocal
from hyperfocal.session import Session
from tests.support.applications import named, tiny
from tests.support.serving import ROOT, running

PAGE = (ROOT / "docs" / "migrating.md").read_text()

RELEASED: list[type[Any]] = [
    BokehsServer,
    BaseServer,
    contexts.ApplicationContext,
    contexts.BokehServerContext,
    contexts.BokehSessionContext,
    session.ServerSession,
    Application,
    Handler,
    auth_provider.AuthProvider,
]
OURS = {
    "Server": hyperfocal.Server,
    "ApplicationContext": hyperfocal.ApplicationContext,
    "BokehServerContext": hyperfocal.BokehServerContext,
    "BokehSessionContext": hyperfocal.BokehSessionContext,
    "ServerSession": Session,
}


def public(kind: type[Any]) -> set[str]:
    """The public members of a class; what its objects get when they are made is beside it."""
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def rows(name: str) -> list[tuple[set[str], str]]:
    """What the page says of a class: members, and what they are here."""
    found = [line.split(" | ") for line in PAGE.splitlines() if line.startswith(f"| `{name}`: ")]
    return [(set(re.findall(r"`(\w+)`", cells[0])) - {name}, cells[1]) for cells in found]


@pytest.mark.parametrize("kind", RELEASED, ids=lambda kind: kind.__name__)
def test_every_public_member_has_its_row(kind: type[Any]) -> None:
    name = kind.__name__
    told = rows(name)
    assert public(kind) <= set().union(*(members for members, _ in told))
    ours = OURS.get(name)
    if ours is None:
        return
    own = public(ours) | set(inspect.signature(ours).parameters) | {"id", "document"}
    for members, here in told:
        if not here.startswith("deliberately different"):
            assert members <= own, name


def test_every_module_has_its_row() -> None:
    for module in pkgutil.iter_modules(bokeh.server.__path__):
        assert f"`{module.name}`" in PAGE or f"`bokeh.server.{module.name}`" in PAGE or (
            module.name in {"server", "contexts", "session", "auth_provider"}
        ), module.name  # fmt: skip


def test_the_server_knows_where_it_is(tmp_path: Path) -> None:
    index = tmp_path / "index.html"
    index.write_text("{{ root }}")
    server = hyperfocal.Server(tiny, port=0, address="127.0.0.1", prefix="/p", index=str(index))
    try:
        assert server.url == f"http://127.0.0.1:{server.port}/p"
        assert (server.address, server.prefix) == ("127.0.0.1", "/p")
        assert (server.index, server.unix_socket) == (str(index), None)
    finally:
        server.unlisten()
    path = str(tmp_path / "socket")
    server = hyperfocal.Server(tiny, unix_socket=path)
    server.unlisten()
    assert server.unix_socket == path


async def test_a_session_has_what_applications_reach_for() -> None:
    reached: list[Any] = []

    def app(doc: Document) -> None:
        div = Div(text="no", name="div")
        doc.add_root(div)

        def reach() -> None:
            context: Any = doc.session_context
            reached.append(context.session)
            div.text = f"{context.session.connection_count} here"

        doc.add_next_tick_callback(reach)

    async with running({"/a": app}) as server, server.client("/a") as client:
        div = named(await client.pull(), "div")
        assert div["attributes"]["text"] in ("0 here", "1 here")
        (session,) = reached
        assert session is server.context("/a").get_session(session.id)
        assert session.connection_count == 1
        assert session.document.roots
        assert await session.with_document_locked(lambda: session.document) is session.document
        assert 0 <= session.milliseconds_since_last_unsubscribe < 60_000
        session.request_expiration()
        assert session.expiration_requested
        session.block_expiration()
        assert (session.expiration_blocked, session.expiration_blocked_count) == (True, 1)
        session.unblock_expiration()
        assert not session.destroyed
        await server.context("/a").discard(session, "in this test")
        assert session.destroyed


async def test_an_application_of_ones_own_class_is_asked_for_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text("p {}")

    class Titled(Application):
        def initialize_document(self, doc: Document) -> None:
            super().initialize_document(doc)
            doc.title = "Of a class"

    class WithFiles(Handler):
        def modify_document(self, doc: Document) -> None:
            pass

        def static_path(self) -> str | None:
            return str(tmp_path)

    app = Titled(metadata={"kind": "own"})
    app.add(FunctionHandler(tiny))
    app.add(WithFiles())
    async with running({"/a": app}) as server:
        assert "Of a class" in (await server.page("/a")).text
        assert (await server.page("/a/metadata")).json() == {"url": "/a", "data": {"kind": "own"}}
        assert (await server.page("/a/static/own.css")).text == "p {}"


async def test_a_handler_of_ones_own_that_fails_is_a_page_that_says_so() -> None:
    class Broken(Handler):
        def modify_document(self, doc: Document) -> None:
            self._failed = True
            self._error = "it is broken"
            self._error_detail = "in many places"

    async with running({"/a": Application(Broken())}, dev=True) as server:
        page = await server.page("/a")
        assert page.status_code == 500
        assert "it is broken" in page.text
        assert "in many places" in page.text
