"""The three classes of the design's promise table, on their own: no web server anywhere."""

from __future__ import annotations

import asyncio
import gc
import sys
import textwrap
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from bokeh.application import Application
from bokeh.application.application import ServerContext, SessionContext
from bokeh.application.handlers import Handler, ScriptHandler
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.models.widgets import Slider

from hyperfocal.contexts import (
    ApplicationContext,
    BokehServerContext,
    BokehSessionContext,
    SessionRequest,
)
from hyperfocal.document import new_document
from hyperfocal.errors import BuildError, NoEventLoopError, TurnReentryError
from hyperfocal.telemetry import (
    BuildFailed,
    CallbackFailed,
    HookFailed,
    SessionDestroyed,
    Telemetry,
    TimerLate,
)
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from tests.support.applications import application, tiny
from tests.support.serving import Events


class Hooked(Handler):
    """A handler whose hooks write down when they run."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def modify_document(self, doc: Document) -> None:
        self.log.append("build")

    def on_server_loaded(self, server_context: ServerContext) -> None:
        self.log.append("loaded")

    def on_server_unloaded(self, server_context: ServerContext) -> None:
        self.log.append("unloaded")

    async def on_session_created(self, session_context: SessionContext) -> None:
        self.log.append(f"created {session_context.id} {session_context.destroyed}")

    async def on_session_destroyed(self, session_context: SessionContext) -> None:
        self.log.append(f"destroyed {session_context.id}")


class Bench:
    def __init__(self, app: Application, **options: Any) -> None:
        self.clock = ManualClock()
        self.events = Events()
        self.app = ApplicationContext(
            app, url="/app", telemetry=Telemetry(self.events), clock=self.clock, **options
        )


# --- ApplicationContext ----------------------------------------------------------------------


def test_it_works_under_asyncio_run_without_a_server() -> None:
    async def main() -> list[str]:
        app = ApplicationContext(application(tiny))
        session = await app.create_session_if_needed("an-id")
        context = session.context
        found = await context.with_locked_document(
            lambda doc: [type(model).__name__ for model in doc.models]
        )
        await app.close()
        return sorted(found)

    assert asyncio.run(main()) == ["Column", "Div", "Slider"]


async def test_io_loop_takes_a_loop_a_tornado_loop_or_nothing() -> None:
    loop = asyncio.get_running_loop()

    class IOLoop:
        asyncio_loop = loop

    assert ApplicationContext(application(tiny), loop).io_loop is loop
    assert ApplicationContext(application(tiny), io_loop=IOLoop()).io_loop is loop
    assert ApplicationContext(application(tiny)).io_loop is loop


def test_without_a_loop_the_error_says_what_to_do() -> None:
    with pytest.raises(NoEventLoopError, match="io_loop"):
        _ = ApplicationContext(application(tiny)).io_loop


async def test_the_public_members_of_the_released_class_are_there() -> None:
    app = application(tiny)
    context = ApplicationContext(app, None, "/x", "/logout")
    assert context.application is app
    assert context.url == "/x"
    assert context.logout_url == "/logout"
    assert context.sessions == []
    session = await context.create_session_if_needed("a")
    assert context.sessions == [session]
    assert context.get_session("a") is session
    with pytest.raises(ValueError, match="no session"):
        context.get_session("b")
    assert session.context.logout_url == "/logout"
    await context.close()


async def test_an_empty_id_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        await Bench(application(tiny)).app.create_session_if_needed("")


async def test_simultaneous_requests_for_one_id_make_one_session() -> None:
    builds: list[int] = []

    class Slow(Handler):
        async def on_session_created(self, session_context: SessionContext) -> None:
            await settle()

        def modify_document(self, doc: Document) -> None:
            builds.append(1)

    bench = Bench(Application(Slow()))
    made = await asyncio.gather(*(bench.app.create_session_if_needed("a") for _ in range(10)))
    assert len({id(one) for one in made}) == 1
    assert builds == [1]


async def test_a_failing_build_reaches_all_waiters_and_leaves_nothing_behind() -> None:
    """Regression: today's server leaves the next request for that id hanging."""
    broken = [True]
    documents: list[weakref.ReferenceType[Document]] = []
    log: list[str] = []

    def modify(doc: Document) -> None:
        documents.append(weakref.ref(doc))
        doc.add_periodic_callback(lambda: log.append("beat"), 100)
        if broken[0]:
            raise LookupError("nothing to show")

    bench = Bench(application(modify, handlers=(Hooked(log),)))
    results = await asyncio.gather(
        *(bench.app.create_session_if_needed("a") for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(result, BuildError) for result in results)
    assert "nothing to show" in str(results[0])
    assert isinstance(results[0], BuildError)
    assert "LookupError" in results[0].detail
    assert len(bench.events.of(BuildFailed)) == 1
    assert bench.app.sessions == []
    assert log == ["created a False", "build", "destroyed a"]
    del results
    bench.events.seen.clear()
    await bench.clock.advance(1)
    gc.collect()
    assert documents[0]() is None
    broken[0] = False
    session = await bench.app.create_session_if_needed("a")
    assert bench.app.sessions == [session]


async def test_sys_exit_in_a_script_is_a_failure_of_the_application(tmp_path: Path) -> None:
    script = tmp_path / "leaves.py"
    script.write_text("import sys\nsys.exit(3)\n")
    bench = Bench(Application(ScriptHandler(filename=str(script))))
    with pytest.raises(BuildError, match="SystemExit"):
        await bench.app.create_session_if_needed("a")


async def test_a_later_session_of_the_same_id_is_another_object() -> None:
    bench = Bench(application(tiny))
    first = await bench.app.create_session_if_needed("a")
    context = first.context
    assert not context.destroyed
    await bench.app.discard(first, "test")
    assert context.destroyed
    second = await bench.app.create_session_if_needed("a")
    assert second is not first
    assert second.context is not context
    assert context.destroyed
    assert not second.context.destroyed
    assert await context.with_locked_document(lambda _: "never") is None


async def test_hooks_run_in_order() -> None:
    log: list[str] = []

    def modify(doc: Document) -> None:
        doc.on_session_destroyed(lambda context: log.append(f"document {context.id}"))

    bench = Bench(application(modify, handlers=(Hooked(log),)))
    bench.app.run_load_hook()
    await bench.app.create_session_if_needed("a")
    await bench.app.close()
    assert log == [
        "loaded", "created a False", "build", "destroyed a", "document a", "unloaded",
    ]  # fmt: skip
    assert bench.events.of(SessionDestroyed)[0].why == "server shutdown"


async def test_async_hooks_are_awaited(tmp_path: Path) -> None:
    """Regression: today's server never awaits `async def` hooks of app_hooks.py."""
    folder = tmp_path / "hooked"
    folder.mkdir()
    (folder / "main.py").write_text("")
    (folder / "app_hooks.py").write_text(
        textwrap.dedent(
            """
            import asyncio
            from bokeh.application import handlers as shelf
            log = shelf.__dict__.setdefault("_test_log", [])
            async def on_server_loaded(server_context):
                await asyncio.sleep(0); log.append("loaded")
            async def on_server_unloaded(server_context):
                await asyncio.sleep(0); log.append("unloaded")
            async def on_session_created(session_context):
                await asyncio.sleep(0); log.append("created")
            async def on_session_destroyed(session_context):
                await asyncio.sleep(0); log.append("destroyed")
            """
        )
    )
    from bokeh.application import handlers

    from hyperfocal.application import load

    bench = Bench(load(folder).application)
    log = handlers.__dict__["_test_log"]
    try:
        task = bench.app.run_load_hook()
        assert task is not None
        await task
        await bench.app.create_session_if_needed("a")
        await bench.app.close()
        assert log == ["loaded", "created", "destroyed", "unloaded"]
    finally:
        del handlers.__dict__["_test_log"]


async def test_failing_hooks_are_reported_and_hurt_nobody() -> None:
    class Broken(Handler):
        def modify_document(self, doc: Document) -> None:
            doc.on_session_destroyed(self.on_destroyed)

        def on_destroyed(self, session_context: Any) -> None:
            raise RuntimeError("document")

        def on_server_loaded(self, server_context: ServerContext) -> None:
            raise RuntimeError("loaded")

        def on_server_unloaded(self, server_context: ServerContext) -> None:
            raise RuntimeError("unloaded")

        async def on_session_created(self, session_context: SessionContext) -> None:
            raise RuntimeError("created")

        async def on_session_destroyed(self, session_context: SessionContext) -> None:
            raise RuntimeError("destroyed")

        def process_request(self, request: Any) -> dict[str, Any]:
            raise RuntimeError("request")

    log: list[str] = []
    bench = Bench(Application(Broken(), Hooked(log)))
    bench.app.run_load_hook()
    assert await bench.app.process_request(SessionRequest()) == {}
    await bench.app.create_session_if_needed("a")
    await bench.app.close()
    assert log == ["loaded", "created a False", "build", "destroyed a", "unloaded"]
    assert [str(event.error) for event in bench.events.of(HookFailed)] == [
        "loaded", "request", "created", "destroyed", "document", "unloaded",
    ]  # fmt: skip


async def test_globals_of_a_script_are_still_there_when_its_document_is_destroyed(
    tmp_path: Path,
) -> None:
    """Regression: today's server clears the module before these callbacks run."""
    script = tmp_path / "app.py"
    script.write_text(
        "from bokeh.io import curdoc\nimport sys\nword = 'still here'\n"
        "def gone(session_context):\n    sys.modules['builtins']._test_word = word\n"
        "curdoc().on_session_destroyed(gone)\n"
    )
    bench = Bench(Application(ScriptHandler(filename=str(script))))
    session = await bench.app.create_session_if_needed("a")
    await bench.app.discard(session, "test")
    import builtins

    assert builtins.__dict__.pop("_test_word") == "still here"
    assert bench.events.of(HookFailed) == []


async def test_expiry_discards_what_nobody_uses() -> None:
    bench = Bench(application(tiny))
    first = await bench.app.create_session_if_needed("a")
    blocked = await bench.app.create_session_if_needed("b")
    blocked.block_expiration()
    await bench.clock.advance(14)
    assert await bench.app.expire() == 0
    await bench.clock.advance(1)
    assert await bench.app.expire() == 1
    assert first.destroyed
    assert bench.app.sessions == [blocked]
    assert bench.events.of(SessionDestroyed)[0].why == "unused"


async def test_after_destruction_nothing_of_a_session_stays_in_memory(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        textwrap.dedent(
            """
            from bokeh.io import curdoc
            from bokeh.layouts import column
            from bokeh.models import Slider, Div, ColumnDataSource
            slider, div = Slider(start=0, end=1, value=0), Div()
            source = ColumnDataSource(dict(x=[1]))
            class Marker: pass
            marker = Marker()
            def changed(attr, old, new, marker=marker): div.text = str(new)
            changed = lambda attr, old, new: setattr(div, 'text', str(marker))
            slider.on_change('value', changed)
            slider.js_link('value', div, 'text')
            async def tick(): slider.value = 0.5
            curdoc().add_periodic_callback(tick, 100)
            curdoc().on_session_destroyed(lambda context: marker)
            curdoc().add_root(column(slider, div))
            curdoc().add_root(source) if False else None
            """
        )
    )
    bench = Bench(Application(ScriptHandler(filename=str(script))))
    session = await bench.app.create_session_if_needed("a")
    document = session.document
    module = document.modules._modules[0]
    watched: dict[str, weakref.ReferenceType[Any]] = {
        "session": weakref.ref(session),
        "context": weakref.ref(session.context),
        "document": weakref.ref(document),
        "module": weakref.ref(module),
        "marker": weakref.ref(module.marker),
        "callback": weakref.ref(module.changed),
        **{f"model {model}": weakref.ref(model) for model in document.models},
    }
    name = module.__name__
    assert name in sys.modules
    await bench.clock.advance(1)
    assert session.document.models  # it has lived
    await bench.app.discard(session, "test")
    del session, document, module
    bench.events.seen.clear()
    await settle()
    gc.collect()
    assert [what for what, reference in watched.items() if reference() is not None] == []
    assert name not in sys.modules


# --- BokehServerContext ----------------------------------------------------------------------


async def test_it_holds_its_application_weakly() -> None:
    app = ApplicationContext(application(tiny))
    server_context = app.server_context
    assert isinstance(server_context, ServerContext)
    assert server_context.application_context is app
    del app
    gc.collect()
    gone: object = server_context.application_context
    assert gone is None
    assert server_context.sessions == []
    with pytest.raises(RuntimeError, match="gone"):
        server_context.add_next_tick_callback(lambda: None)


async def test_its_sessions_are_session_contexts_that_also_do_what_sessions_do() -> None:
    bench = Bench(application(tiny))
    session = await bench.app.create_session_if_needed("a")
    (context,) = bench.app.server_context.sessions
    assert isinstance(context, BokehSessionContext)
    assert context is session.context
    assert context.id == "a"
    assert context.document is session.document
    assert await context.with_document_locked(curdoc) is session.document
    assert await context.with_locked_document(lambda doc: doc) is session.document


async def test_server_callbacks_run_once_later_and_again() -> None:
    bench = Bench(application(tiny))
    context = bench.app.server_context
    seen: list[str] = []

    async def later() -> None:
        await asyncio.sleep(0)
        seen.append("timeout")

    ids = [
        context.add_next_tick_callback(lambda: seen.append("tick")),
        context.add_timeout_callback(later, 150),
        context.add_periodic_callback(lambda: seen.append("beat"), 100),
    ]
    assert len(set(ids)) == 3
    await bench.clock.advance(0.25)
    assert seen == ["tick", "beat", "timeout", "beat"]
    for remove, callback_id in (
        (context.remove_next_tick_callback, ids[0]),
        (context.remove_timeout_callback, ids[1]),
        (context.remove_periodic_callback, "never-was"),
        (context.remove_timeout_callback, ids[2]),
    ):
        with pytest.raises(ValueError, match=r"no .* callback with the id"):
            remove(callback_id)
    context.remove_periodic_callback(ids[2])
    await bench.clock.advance(1)
    assert len(seen) == 4


async def test_removing_before_anything_was_added_is_the_same_error() -> None:
    with pytest.raises(ValueError, match="next tick callback with the id 'x'"):
        Bench(application(tiny)).app.server_context.remove_next_tick_callback("x")


async def test_what_is_not_callable_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="callable"):
        Bench(application(tiny)).app.server_context.add_next_tick_callback(3)  # type: ignore[arg-type]


async def test_a_failing_server_callback_is_reported_by_name_and_stays() -> None:
    bench = Bench(application(tiny))

    def broken() -> None:
        raise RuntimeError("no")

    async def broken_later() -> None:
        raise SystemExit

    bench.app.server_context.add_periodic_callback(broken, 100)
    bench.app.server_context.add_periodic_callback(broken_later, 100)
    await bench.clock.advance(0.25)
    failures = bench.events.of(CallbackFailed)
    assert len(failures) == 4
    assert "broken" in failures[0].callback
    assert failures[0].url == "/app"


async def test_a_server_callback_that_raises_cancelled_error_or_an_interrupt_stays() -> None:
    bench = Bench(application(tiny))

    def broken() -> None:
        raise asyncio.CancelledError

    def interrupting() -> None:
        raise KeyboardInterrupt

    async def broken_later() -> None:
        raise asyncio.CancelledError

    for callback in (broken, interrupting, broken_later):
        bench.app.server_context.add_periodic_callback(callback, 100)
    await bench.clock.advance(0.25)
    assert len(bench.events.of(CallbackFailed)) == 6


async def test_after_unloading_no_callback_can_be_added() -> None:
    bench = Bench(application(tiny))
    bench.app.server_context.add_periodic_callback(lambda: None, 100)
    await bench.app.close()
    with pytest.raises(RuntimeError, match="unloaded"):
        bench.app.server_context.add_next_tick_callback(lambda: None)


async def test_there_is_no_session_while_it_is_built() -> None:
    seen: list[Any] = []

    def modify(doc: Document) -> None:
        assert isinstance(doc.session_context, BokehSessionContext)
        seen.append(doc.session_context.session)

    session = await Bench(application(modify)).app.create_session_if_needed("a")
    assert seen == [None]
    assert session.context.session is session


async def test_a_destroyed_hook_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    from hyperfocal.application import hooks

    monkeypatch.setattr(hooks, "_DESTROYED_TIMEOUT_S", 0.01)

    class Hanging(Handler):
        def modify_document(self, doc: Document) -> None:
            doc.title = "built"

        async def on_session_destroyed(self, session_context: SessionContext) -> None:
            await asyncio.Event().wait()

    bench = Bench(Application(Hanging()))
    session = await bench.app.create_session_if_needed("a")
    await bench.app.discard(session, "test")
    assert session.destroyed
    (failed,) = bench.events.of(HookFailed)
    assert isinstance(failed.error, TimeoutError)


async def test_a_slow_periodic_callback_is_said_once() -> None:
    bench = Bench(application(tiny))

    def slow() -> None:
        bench.clock.set(bench.clock.monotonic() + 0.5)

    bench.app.server_context.add_periodic_callback(slow, 100)
    await bench.clock.advance(3)
    (late,) = bench.events.of(TimerLate)
    assert "slow" in late.words()
    assert "said once" in late.words()


async def test_server_callbacks_can_be_added_and_removed_from_threads() -> None:
    bench = Bench(application(tiny))
    context = bench.app.server_context
    _ = bench.app.io_loop
    seen: list[int] = []
    ran = asyncio.Event()

    def work() -> None:
        seen.append(threading.get_ident())
        ran.set()

    def elsewhere() -> list[str]:
        gone = context.add_timeout_callback(lambda: seen.append(-1), 1000)
        context.remove_timeout_callback(gone)
        return [context.add_next_tick_callback(work) for _ in range(10)]

    ids = await asyncio.gather(*(asyncio.to_thread(elsewhere) for _ in range(4)))
    assert len({one for some in ids for one in some}) == 40
    await asyncio.wait_for(ran.wait(), 5)
    await settle()
    assert seen == [threading.get_ident()] * 40


async def test_all_are_gone_when_the_application_unloads() -> None:
    bench = Bench(application(tiny))
    seen: list[str] = []
    cancelled: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append("endless")

    bench.app.server_context.add_periodic_callback(lambda: seen.append("beat"), 100)
    bench.app.server_context.add_next_tick_callback(endless)
    await bench.clock.advance(0.1)
    task = bench.app.run_unload_hook()
    assert task is not None
    await task
    await bench.clock.advance(1)
    assert seen == ["beat"]
    assert cancelled == ["endless"]


async def test_a_server_callback_updates_every_session() -> None:
    bench = Bench(application(tiny))
    sessions = [await bench.app.create_session_if_needed(name) for name in "abc"]

    async def update() -> None:
        for context in bench.app.server_context.sessions:
            await context.with_locked_document(
                lambda doc: setattr(doc.get_model_by_name("slider"), "value", 42)
            )

    bench.app.server_context.add_next_tick_callback(update)
    await settle()
    found = [session.document.get_model_by_name("div") for session in sessions]
    assert [getattr(div, "text", None) for div in found] == ["42"] * 3


# --- BokehSessionContext ---------------------------------------------------------------------


async def test_it_is_bokehs_session_context_and_the_documents() -> None:
    bench = Bench(application(tiny))
    session = await bench.app.create_session_if_needed("a")
    context = session.document.session_context
    assert isinstance(context, BokehSessionContext)
    assert isinstance(context, SessionContext)
    assert context is session.context
    assert context.session is session
    assert context.server_context is bench.app.server_context


async def test_it_can_be_made_by_hand() -> None:
    bench = Bench(application(tiny))
    document = Document()
    document.add_root(Slider(start=0, end=1, value=0))
    context = BokehSessionContext("by-hand", BokehServerContext(bench.app), document)
    assert (context.id, context.destroyed, context.request) == ("by-hand", False, None)
    order: list[int] = []

    async def work(number: int) -> int:
        async def locked(doc: Document) -> int:
            order.append(number)
            await asyncio.sleep(0)
            order.append(number)
            return len(doc.roots)

        return await context.with_locked_document(locked) or 0

    assert await asyncio.gather(*(work(number) for number in range(3))) == [1, 1, 1]
    assert order == [0, 0, 1, 1, 2, 2]
    assert document.session_context is context


async def test_a_document_keeps_its_callbacks_when_a_context_is_made_for_it_by_hand() -> None:
    bench = Bench(application(tiny))
    document = Document()
    slider = Slider(start=0, end=10, value=0)
    document.add_root(slider)
    seen: list[Any] = []
    document.on_change(lambda event: seen.append(getattr(event, "attr", None)))
    document.add_next_tick_callback(lambda: seen.append("tick"))
    context = BokehSessionContext("by-hand", bench.app.server_context, document)
    assert document.session_context is context
    await context.with_locked_document(lambda doc: setattr(slider, "value", 3))
    await settle()
    assert [one for one in seen if one is not None] == ["value", "tick"]


async def test_with_locked_document_works_in_on_session_created() -> None:
    seen: list[Any] = []

    class Early(Handler):
        def modify_document(self, doc: Document) -> None:
            seen.append(("build", doc.title))

        async def on_session_created(self, session_context: SessionContext) -> None:
            def title(doc: Document) -> str:
                doc.title = "set early"
                return doc.title

            seen.append(await session_context.with_locked_document(title))  # type: ignore[arg-type,func-returns-value]

    bench = Bench(Application(Early()))
    await bench.app.create_session_if_needed("a")
    assert seen == ["set early", ("build", "set early")]
    assert bench.events.of(HookFailed) == []


async def test_with_locked_document_works_in_on_session_destroyed() -> None:
    seen: list[Any] = []

    class Late(Handler):
        def modify_document(self, doc: Document) -> None:
            doc.title = "built"

        async def on_session_destroyed(self, session_context: SessionContext) -> None:
            seen.append(session_context.destroyed)
            seen.append(await session_context.with_locked_document(lambda doc: doc.title))  # type: ignore[arg-type,return-value,func-returns-value]

    bench = Bench(Application(Late()))
    session = await bench.app.create_session_if_needed("a")
    await bench.app.discard(session, "test")
    assert seen == [False, "built"]


async def test_with_locked_document_refuses_to_wait_for_itself() -> None:
    bench = Bench(application(tiny))
    context = (await bench.app.create_session_if_needed("a")).context

    async def again(doc: Document) -> None:
        await context.with_locked_document(lambda _: None)

    with pytest.raises(TurnReentryError):
        await context.with_locked_document(again)


async def test_its_exception_reaches_the_caller_alone() -> None:
    bench = Bench(application(tiny))
    context = (await bench.app.create_session_if_needed("a")).context

    def fail(doc: Document) -> None:
        raise LookupError("mine")

    results = await asyncio.gather(
        context.with_locked_document(fail),
        context.with_locked_document(lambda doc: "fine"),
        return_exceptions=True,
    )
    assert isinstance(results[0], LookupError)
    assert results[1] == "fine"


async def test_the_request_is_there_in_the_shape_that_applications_know() -> None:
    bench = Bench(application(tiny))
    request = SessionRequest(
        arguments={"n": [b"3", b"4"]},
        cookies={"c": "v"},
        headers={"user-agent": "test", "x-some-thing": "y"},
    )
    session = await bench.app.create_session_if_needed("a", request, payload={"k": "v"})
    seen = session.context.request
    assert seen.arguments == {"n": [b"3", b"4"]}
    assert seen.cookies == {"c": "v"}
    assert seen.cookies["c"].value == "v"
    assert seen.headers["User-Agent"] == seen.headers["USER-agent"] == "test"
    assert seen.headers.get("X-SOME-THING") == "y"
    assert "x-some-thing" in seen.headers
    assert list(seen.headers) == ["User-Agent", "X-Some-Thing"]
    assert session.context.token_payload == {"k": "v"}


async def test_a_token_made_by_bokeh_gives_its_payload() -> None:
    from bokeh.util.token import generate_jwt_token

    bench = Bench(application(tiny))
    token = generate_jwt_token("a", extra_payload={"user": "ann"})  # type: ignore[arg-type]
    session = await bench.app.create_session_if_needed("a", token=token)
    assert session.context.token_payload == {"user": "ann"}


def test_a_document_of_our_making_knows_a_context_made_by_hand() -> None:
    async def main() -> bool:
        app = ApplicationContext(application(tiny))
        document = new_document()
        context = BokehSessionContext("x", app.server_context, document)
        return document.session_context is context

    assert asyncio.run(main())


async def test_a_callback_that_never_ends_does_not_keep_its_session_from_ending() -> None:
    cancelled: list[str] = []

    def modify(doc: Document) -> None:
        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append("endless")

        doc.add_next_tick_callback(endless)  # type: ignore[arg-type]

    bench = Bench(application(modify))
    session = await bench.app.create_session_if_needed("a")
    await settle()
    assert session.turns.nowait() is None
    async with asyncio.timeout(10):
        await bench.app.close()
    assert cancelled == ["endless"]
    assert session.destroyed
