"""Checks of the seam to Panel. Run as a program: prints what became of each as JSON.

A process of its own, because Panel changes the process that imports it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import traceback
import weakref
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import bokeh.io
from bokeh.models.widgets import Div

from hyperfocal.auth import Visitor
from hyperfocal.document import new_document
from hyperfocal.pages import AFRESH_MESSAGE
from hyperfocal.panel import find_component_file, is_panels, runs_plain_code, watch
from hyperfocal.telemetry import HookFailed, PrewarmingStopped
from tests.support.serving import running, until

watch()
assert "panel" not in sys.modules
import panel as pn  # noqa: E402 - this is what the seam waits for
import param  # noqa: E402
from bokeh.document import Document  # noqa: E402
from panel.io.state import set_curdoc, state  # noqa: E402
from panel.models.markup import HTML  # noqa: E402

HERE = Path(__file__).parent
READY = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}},
}


class Styled(param.Parameterized):
    """Lists files beside this module."""

    _stylesheets = ("inside.py",)
    _resources = {"css": {"one": "test_seam.py"}, "js": {}}  # noqa: RUF012
    secret = "__init__.py"


def application(doc: Document) -> None:
    """Panel's objects in a document, without ``servable``."""
    text = pn.pane.Str("not yet", name="text")

    def load() -> None:
        text.object = f"loaded by {state._unblocked(doc)}"

    async def load_later() -> None:
        await asyncio.sleep(0)
        text.object += ", later"

    state.onload(load)
    state.onload(load_later)
    pn.Column(text, pn.widgets.IntSlider()).server_doc(doc)


def bokehs(doc: Document) -> None:
    """A document that has nothing to do with Panel."""
    doc.add_root(Div(text="plain"))


async def text_of(context: Any) -> str:
    (session,) = context.sessions
    (model,) = await session.with_locked_document(lambda doc: list(doc.select({"type": HTML})))
    return str(model.text)


async def the_seam_is_there_once() -> None:
    before = type(state)._thread_id
    assert type(before).__name__ == "_ThreadId"
    watch()
    assert type(state)._thread_id is before
    assert not any(type(finder).__module__.startswith("hyperfocal") for finder in sys.meta_path)
    spec: Any = pn.__spec__
    assert spec.loader is pn.__loader__
    assert not type(pn.__loader__).__module__.startswith("hyperfocal")


async def documents_of_others_are_left_alone() -> None:
    for document in (Document(), new_document()):
        with set_curdoc(document):
            assert state._thread_id is None
            state._thread_id = 5
            assert state._thread_id == 5


async def onload_callbacks_run_when_the_page_is_there() -> None:
    async with running({"/a": application}) as server, server.client("/a") as client:
        await client.pull()
        assert "not yet" in await text_of(server.context("/a"))
        await client.patch(READY)
        texts: list[str] = []
        while "later" not in (texts or [""])[-1]:
            await asyncio.sleep(0.01)
            texts.append(await text_of(server.context("/a")))
        assert "loaded by True, later" in texts[-1]


async def a_document_of_bokehs_is_left_alone() -> None:
    async with running({"/a": application, "/b": bokehs}) as server:
        theirs, ours = await server.page("/a"), await server.page("/b")
        assert "favicon.ico" in theirs.text  # which only Panel's template asks for
        assert "favicon.ico" not in ours.text
        assert "/extensions/panel/" in theirs.text  # nor does it load Panel's files
        assert "/extensions/panel/" not in ours.text
        assert "cdn.holoviz.org" not in ours.text
        assert is_panels(server.context("/a").sessions[0].document)
        assert not is_panels(server.context("/b").sessions[0].document)


async def a_session_that_ends_leaves_nothing() -> None:
    async with running({"/a": application}) as server:
        await server.page("/a")
        context = server.context("/a")
        (session,) = context.sessions
        document = weakref.ref(session.document)
        await context.discard(session, "test")
        del session
        assert not [view for view in state._views.values() if view[2] is document()]
        for _ in range(3):
            gc.collect()
        assert document() is None, gc.get_referrers(document())
        assert server.events.of(HookFailed) == []


async def pages_find_their_files_under_a_prefix() -> None:
    for url, base, found in (
        ("/a", "/pre/a", '"static/'),
        ("/", "/pre", '"/pre/static/'),
        ("/deep/er/a", "/pre/deep/er/a", '"../../static/'),
    ):
        async with running({url: application}, prefix="/pre") as server:
            page = await server.http.get(server.base.removesuffix("/pre") + base)
            assert f"src={found}extensions/panel/panel.min.js" in page.text, page.text[:2000]


async def the_location_is_that_of_the_page() -> None:
    seen: list[tuple[str, str]] = []

    def place(doc: Document) -> None:
        application(doc)
        location: Any = state.location
        seen.append((location.pathname, location.search))

    async with running({"/a": place}) as server:
        token = await server.token("/a?x=1&y=2")
        context = server.context("/a")
        await context.discard(context.sessions[0], "test")
        async with server.client("/a", token):  # whose websocket makes the session anew
            await until(lambda: len(seen) == 2)
    assert seen == [("/a", "?x=1&y=2")] * 2


async def what_depends_on_the_visitor_is_not_built_ahead() -> None:
    async with running({"/a": application}, prewarm=1) as server:
        await until(lambda: server.events.of(PrewarmingStopped))
        assert (await server.page("/a")).status_code == 200


async def only_listed_files_of_components_are_given() -> None:
    name = Styled.__module__
    assert find_component_file(name, "Styled", "_stylesheets", "inside.py") == HERE / "inside.py"
    found = find_component_file(name, "Styled", "_resources", "css/test_seam.py")
    assert found == HERE / "test_seam.py"
    for module, owner, attribute, path in (
        (name, "Styled", "_stylesheets", "test_seam.py"),
        (name, "Styled", "_stylesheets", "../panel/test_seam.py"),
        (name, "Styled", "_resources", "js/test_seam.py"),
        (name, "Styled", "_resources", "none/test_seam.py"),
        (name, "Styled", "secret", "__init__.py"),
        (name, "Styled", "__dict__", "inside.py"),
        (name, "HERE", "_stylesheets", "inside.py"),
        (name, "None", "_stylesheets", "inside.py"),
        ("antigravity", "Styled", "_stylesheets", "inside.py"),
        ("sys", "Styled", "_stylesheets", "inside.py"),
    ):
        assert find_component_file(module, owner, attribute, path) is None, (owner, attribute, path)
    assert "antigravity" not in sys.modules


async def component_files_are_served() -> None:
    async with running({"/a": application}) as server:
        path = f"/components/{Styled.__module__}/Styled/_stylesheets/inside.py"
        assert (await server.page(path)).text == (HERE / "inside.py").read_text()
        assert (await server.page(path.replace("inside.py", "test_seam.py"))).status_code == 404


async def a_page_that_begins_anew_asks_for_files_where_its_first_document_did() -> None:
    async with running({"/a": application, "/b/c": application}) as server:
        embedded = "/a/autoload.js?bokeh-autoload-element=e&bokeh-absolute-url="
        for path, root in (
            ("/a", ""),
            ("/b/c", "../"),
            (f"{embedded}http://elsewhere/inner/a", "http://elsewhere/inner/"),
            ("/a/autoload.js?bokeh-autoload-element=e&bokeh-app-path=/inner/a", "/inner/"),
        ):
            app = path.partition("/autoload.js")[0]
            token = await server.token(path)
            context = server.context(app)
            await context.discard(context.sessions[0], "test")
            async with server.client(app, token) as client:
                urls = set(re.findall(r"'url': '([^']*/panel/[^']*)'", str(await client.pull())))
            assert urls
            assert all(url.startswith(f"{root}static/extensions/panel/") for url in urls), urls
            await context.discard(context.sessions[0], "test")


async def embedded_pages_say_so_when_they_begin_anew() -> None:
    async with running({"/a": application}) as server:
        script = (await server.page("/a/autoload.js?bokeh-autoload-element=e")).text
        assert script.count(AFRESH_MESSAGE) == 1
        assert script.index(AFRESH_MESSAGE) < script.index("embed_items")


async def coroutines_that_call_plain_code_are_known() -> None:
    button = pn.widgets.Button(name="Go")

    async def waits() -> None: ...

    for method in (button._change_coroutine, button._event_coroutine, button._server_event):
        assert runs_plain_code(method)
    periodic: Any = pn.io.PeriodicCallback
    assert runs_plain_code(periodic(callback=lambda: None)._periodic_callback)
    assert not runs_plain_code(periodic(callback=waits)._periodic_callback)
    assert not runs_plain_code(button.clone)
    assert not runs_plain_code(print)


async def scripts_that_run_side_by_side_leave_bokeh_as_it_was() -> None:
    before = bokeh.io.show

    def fails(doc: Document) -> None:
        raise RuntimeError("a mistake")

    async with running({"/a": application, "/b": fails}) as server:
        pages = await asyncio.gather(*(server.page(path) for path in ("/a", "/b") * 4))
        assert {page.status_code for page in pages} <= {200, 500}
    assert bokeh.io.show is before


async def hooks_at_the_beginning_and_the_end_of_sessions_are_called() -> None:
    created: list[str] = []
    destroyed: list[Any] = []
    state.on_session_created(lambda context: created.append(context.id))
    state.on_session_destroyed(destroyed.append)
    try:
        async with running({"/a": application, "/b": bokehs}) as server:
            await server.page("/b")
            await server.page("/a")
            (session,) = server.context("/a").sessions
            assert created == [session.id]  # Bokeh's has nothing to do with it
            context = session.context
            await server.context("/a").discard(session, "test")
            assert destroyed == [context]
    finally:
        state._on_session_created.clear()
        state._on_session_destroyed.clear()


async def threads_may_be_busy_at_the_same_time() -> None:
    told: list[bool] = []
    watcher = state.param.watch(lambda event: told.append(event.new), "busy")

    def work(name: str) -> None:
        for number in range(200):
            state._add_busy_event(f"{name} {number}")
            state._remove_busy_event(f"{name} {number}")

    try:
        await asyncio.gather(*(asyncio.to_thread(work, name) for name in "abcd"))
    finally:
        state.param.unwatch(watcher)
    assert True in told
    assert state.busy is False


class _Known:
    """Believes a header."""

    pages: Mapping[str, Any] = {}
    logout_url = None

    async def user(self, visitor: Visitor) -> Any:
        return visitor.headers.get("x-user")

    async def login_url(self, visitor: Visitor) -> None:
        return None


def tells_user(doc: Document) -> None:
    pn.pane.Str(f"user {state.user}").server_doc(doc)


async def the_user_whom_the_server_knows_is_panels() -> None:
    async with running({"/a": tells_user}, auth=_Known()) as server:
        assert (await server.page("/a", headers={"X-User": "ada"})).status_code == 200
        assert "user ada" in await text_of(server.context("/a"))


CHECKS: dict[str, Callable[[], Awaitable[None]]] = {
    check.__name__: check
    for check in (
        the_seam_is_there_once,
        documents_of_others_are_left_alone,
        onload_callbacks_run_when_the_page_is_there,
        a_document_of_bokehs_is_left_alone,
        a_session_that_ends_leaves_nothing,
        pages_find_their_files_under_a_prefix,
        the_location_is_that_of_the_page,
        what_depends_on_the_visitor_is_not_built_ahead,
        only_listed_files_of_components_are_given,
        component_files_are_served,
        a_page_that_begins_anew_asks_for_files_where_its_first_document_did,
        embedded_pages_say_so_when_they_begin_anew,
        coroutines_that_call_plain_code_are_known,
        scripts_that_run_side_by_side_leave_bokeh_as_it_was,
        hooks_at_the_beginning_and_the_end_of_sessions_are_called,
        threads_may_be_busy_at_the_same_time,
        the_user_whom_the_server_knows_is_panels,
    )
}


async def main() -> dict[str, str | None]:
    results: dict[str, str | None] = {}
    for name, check in CHECKS.items():
        try:
            async with asyncio.timeout(20):
                await check()
        except BaseException:
            results[name] = traceback.format_exc()
        else:
            results[name] = None
    return results


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
