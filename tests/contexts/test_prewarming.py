"""Sessions built ahead: right by construction, and ready when the visitor comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bokeh.application.handlers import Handler, ServerLifecycleHandler
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.models.widgets import Div
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal import needs_visitor
from hyperfocal.config import Settings
from hyperfocal.contexts import ApplicationContext, SessionRequest
from hyperfocal.contexts.prewarming import (
    GRACE_S,
    MAX_AGE_S,
    RETRY_S,
    Demand,
    building_ahead,
)
from hyperfocal.errors import BuildError, ConfigError
from hyperfocal.telemetry import PrewarmingStopped, SessionCreated, SessionDestroyed, Telemetry
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from tests.support.applications import application, tiny
from tests.support.serving import Events, running, until


class App:
    """An application that counts what happens."""

    def __init__(self, act: Callable[[Document], Any] = lambda document: None) -> None:
        self.built: list[Document] = []
        self.act = act

    def __call__(self, document: Document) -> None:
        self.built.append(document)
        document.add_root(Div(text="ready"))
        self.act(document)


class Hooked(Handler):
    """A handler whose hooks note whom they were called for."""

    def __init__(self, *, safe: bool = False) -> None:
        super().__init__()
        self.created: list[str] = []
        self.destroyed: list[str] = []
        self.documents: list[Document] = []
        self.hold: asyncio.Event | None = None

        def hook() -> None: ...

        if safe:
            hook.__hyperfocal_prewarm_safe__ = True  # type: ignore[attr-defined]
        self._on_session_created = hook

    def modify_document(self, doc: Document) -> None: ...

    async def on_session_created(self, session_context: Any) -> None:
        self.documents.append(session_context.document)
        if self.hold is not None:
            await self.hold.wait()
        self.created.append(f"{session_context.id} with {len(session_context.document.roots)}")

    async def on_session_destroyed(self, session_context: Any) -> None:
        self.destroyed.append(session_context.id)


@asynccontextmanager
async def prewarmed(
    app: Any,
    *handlers: Handler,
    size: Any = 2,
    prepare: Callable[[ApplicationContext], None] = lambda context: None,
) -> AsyncGenerator[tuple[ApplicationContext, Events, ManualClock]]:
    events, time = Events(), ManualClock()
    context = ApplicationContext(
        application(app, handlers=handlers),
        settings=Settings(prewarm=size),
        telemetry=Telemetry(events),
        clock=time,
    )
    prepare(context)
    context.start_prewarming()
    await settle()
    try:
        yield context, events, time
    finally:
        await context.close()


async def test_a_visitor_gets_a_session_that_is_ready() -> None:
    app, hooked = App(), Hooked()
    async with prewarmed(app, hooked) as (context, events, clock):
        assert len(app.built) == 2
        assert context.sessions == []
        assert hooked.created == []
        request = SessionRequest(arguments={"a": [b"1"]})
        session = await context.create_session_if_needed("mine", request, payload={"more": 1})
        assert session.document is app.built[0]
        assert (session.id, session.context.id) == ("mine", "mine")
        assert session.context.request is request
        assert session.context.token_payload == {"more": 1}
        assert context.get_session("mine") is session
        assert hooked.created == ["mine with 1"]
        assert [event.session for event in events.of(SessionCreated)] == [session.label]
        await settle()
        assert len(app.built) == 2  # the visitor's page and websocket come first
        await clock.advance(GRACE_S)
        assert len(app.built) == 3  # the pool is full again
        await context.discard(session, "test")
        assert hooked.destroyed == ["mine"]


async def test_each_visitor_gets_another_one_and_late_ones_wait_for_theirs() -> None:
    app = App()
    async with prewarmed(app) as (context, _, _):
        sessions = [await context.create_session_if_needed(str(number)) for number in range(4)]
        assert len({id(session.document) for session in sessions}) == 4


async def test_callbacks_of_a_session_built_ahead_start_when_the_visitor_comes() -> None:
    beats: list[Document] = []
    app = App(lambda doc: doc.add_periodic_callback(lambda: beats.append(curdoc()), 1000))
    async with prewarmed(app, size=1) as (context, _, clock):
        await clock.advance(5)
        assert beats == []
        session = await context.create_session_if_needed("mine")
        await clock.advance(2)
        assert beats == [session.document] * 2


LOOKS: dict[str, Callable[[Any], Any]] = {
    "the request": lambda doc: doc.session_context.request,
    "the session's id": lambda doc: doc.session_context.id,
    "the token's payload": lambda doc: doc.session_context.token_payload,
    "needs_visitor()": lambda doc: needs_visitor(),
}


@pytest.mark.parametrize("what", LOOKS)
async def test_a_document_that_depends_on_its_visitor_is_never_built_ahead(what: str) -> None:
    app = App(LOOKS[what])
    async with prewarmed(app) as (context, events, _):
        (stopped,) = events.of(PrewarmingStopped)
        assert what in stopped.why
        session = await context.create_session_if_needed("mine")
        assert session.document is app.built[1]
        await settle()
        assert len(app.built) == 2


async def test_what_only_the_request_can_tell_may_be_missing_without_harm() -> None:
    def greet(document: Document) -> None:
        context: Any = document.session_context
        name = context.request.arguments["name"][0].decode()
        document.add_root(Div(text=name))

    async with prewarmed(App(greet)) as (context, events, _):
        (stopped,) = events.of(PrewarmingStopped)
        assert "the request" in stopped.why
        request = SessionRequest(arguments={"name": [b"Ada"]})
        session = await context.create_session_if_needed("mine", request)
        assert session.document.roots[1].text == "Ada"  # type: ignore[attr-defined]


async def test_what_the_building_starts_may_not_look_before_the_visitor_has_come() -> None:
    app = App()
    async with prewarmed(app) as (context, events, clock):
        assert len(app.built) == 2
        for document in app.built:
            context_of: Any = document.session_context
            assert context_of.request is None  # as a thread of theirs might look
        session = await context.create_session_if_needed("mine")
        assert session.document is app.built[2]
        (stopped,) = events.of(PrewarmingStopped)
        assert "the request" in stopped.why
        await clock.advance(GRACE_S)
        assert [len(document.roots) for document in app.built] == [0, 0, 1]


async def test_closing_while_one_is_built_takes_it_down() -> None:
    gone: list[Document] = []
    waits = Hooked(safe=True)
    waits.hold = asyncio.Event()
    app = App()
    async with prewarmed(app, waits) as (_, events, _):
        waits.documents[0].on_session_destroyed(lambda context: gone.append(context.document))  # type: ignore[attr-defined]
    assert gone == waits.documents
    assert app.built == []
    assert events.of(PrewarmingStopped) == []


async def test_looking_at_the_request_later_is_fine() -> None:
    def later(document: Any) -> None:
        document.add_next_tick_callback(lambda: document.session_context.request)

    app = App(later)
    async with prewarmed(app) as (context, events, clock):
        await context.create_session_if_needed("mine")
        await clock.advance(GRACE_S)
        assert events.of(PrewarmingStopped) == []
        assert len(app.built) == 3


async def test_a_hook_that_is_safe_runs_ahead_and_once() -> None:
    safe, usual = Hooked(safe=True), Hooked()
    async with prewarmed(App(), safe, usual, size=1) as (_, events, _):
        assert len(safe.created) == 1
        assert "ahead-" not in "".join(usual.created)
        assert events.of(PrewarmingStopped) != []  # this hook looks at the id: not so safe


async def test_hooks_of_modules_are_marked_with_the_decorator(tmp_path: Path) -> None:
    module = tmp_path / "hooks.py"
    module.write_text(
        "from hyperfocal import prewarm_safe\n"
        "@prewarm_safe\n"
        "def on_session_created(session_context):\n"
        "    session_context.server_context.seen.append(session_context.document)\n"
    )
    hooks = ServerLifecycleHandler(filename=str(module))
    seen: list[Document] = []

    def prepare(context: Any) -> None:
        context.server_context.seen = seen

    async with prewarmed(App(), hooks, size=1, prepare=prepare) as (context, events, _):
        assert events.of(PrewarmingStopped) == []
        (ready,) = seen
        session = await context.create_session_if_needed("mine")
        assert session.document is ready
        assert seen.count(ready) == 1


async def test_sessions_that_nobody_takes_are_built_anew_after_a_while() -> None:
    gone: list[Document] = []

    def note(context: Any) -> None:
        gone.append(context.document)

    app = App(lambda doc: doc.on_session_destroyed(note))
    async with prewarmed(app) as (context, events, clock):
        await clock.advance(MAX_AGE_S + 1)
        assert len(app.built) == 4
        assert gone == app.built[:2]
        session = await context.create_session_if_needed("mine")
        assert session.document is app.built[2]
        assert events.of(SessionDestroyed) == []
    assert len(gone) == len(app.built)


async def test_a_pool_can_be_emptied_and_fills_again() -> None:
    app = App()
    async with prewarmed(app) as (context, _, clock):
        pool = context._maker.prewarming
        assert pool is not None
        assert len(pool) == 2
        await pool.empty()
        await clock.advance(GRACE_S)
        assert len(app.built) == 4
        assert not app.built[0].roots


async def test_an_application_that_fails_is_built_ahead_again_once_it_works() -> None:
    broken = True

    def maybe(document: Document) -> None:
        if broken:
            raise LookupError("not now")

    app = App(maybe)
    async with prewarmed(app) as (context, events, clock):
        assert len(app.built) == 1
        assert "not now" in events.of(PrewarmingStopped)[0].why
        with pytest.raises(BuildError):
            await context.create_session_if_needed("first")
        await settle()
        assert len(app.built) == 2
        broken = False
        await clock.advance(RETRY_S)
        assert len(app.built) == 2  # until a visitor's session has worked
        await context.create_session_if_needed("second")
        await settle()
        assert len(app.built) == 5


async def test_an_application_that_fails_only_when_built_ahead_is_tried_less_and_less() -> None:
    def only_for_visitors(document: Document) -> None:
        if building_ahead.get() is not None:
            raise LookupError("nobody is here")

    app = App(only_for_visitors)
    async with prewarmed(app, size=1) as (context, events, clock):
        for number in range(400):  # one visitor a second
            await context.create_session_if_needed(f"visitor-{number}")
            await clock.advance(1.0)
        failed = len(events.of(PrewarmingStopped))
        # After 10, 20, 40, 80, 160 seconds: 5 more tries in 400 seconds.
        assert failed == 1 + 5
        assert len(app.built) == 400 + failed


async def test_a_session_that_could_be_built_ahead_makes_up_for_failures() -> None:
    broken = False

    def now_and_then(document: Document) -> None:
        if broken:
            raise LookupError("not now")

    app = App(now_and_then)
    async with prewarmed(app, size=1) as (context, events, clock):
        for number in range(3):
            broken = True
            await context.create_session_if_needed(f"a-{number}")  # takes the one that is ready
            await clock.advance(GRACE_S)
            broken = False
            assert len(events.of(PrewarmingStopped)) == number + 1
            await clock.advance(RETRY_S)
            await context.create_session_if_needed(f"b-{number}")
            await settle()  # it works again, after the shortest time


async def test_without_the_setting_nothing_is_built_ahead() -> None:
    app = App(lambda document: needs_visitor())
    async with prewarmed(app, size=0) as (context, _, _):
        assert app.built == []
        await context.create_session_if_needed("mine")
        await settle()
        assert len(app.built) == 1


async def test_a_page_shows_a_session_that_was_built_ahead() -> None:
    app = App(tiny)
    async with running({"/a": application(app)}, prewarm=1) as server:
        await until(lambda: len(app.built) == 1)
        async with server.client("/a") as client:
            document = await client.pull()
            assert len(document["roots"]) == 2
            slider = document["roots"][1]["attributes"]["children"][0]
            await client.set(slider["id"], "value", 3)
            assert client.patches()[-1]["new"] == "3"
        assert server.context("/a").sessions[0].document is app.built[0]


async def test_auto_keeps_one_ready_and_more_when_many_come() -> None:
    app = App()
    async with prewarmed(app, size="auto") as (context, _, clock):
        assert len(app.built) == 1
        await context.create_session_if_needed("one")
        await clock.advance(1)
        assert len(app.built) == 2


# --- how many -------------------------------------------------------------------------------------

arrivals = st.lists(st.floats(min_value=0, max_value=100), max_size=60)


@given(arrivals, st.floats(min_value=0, max_value=30), st.integers(-(10**6), 10**9))
def test_auto_stays_within_its_bounds(gaps: list[float], build_s: float, grown: int) -> None:
    demand, now = Demand(256 * 1024 * 1024), 0.0
    demand.built(build_s, grown)
    for gap in gaps:
        now += gap
        demand.arrived(now)
    assert 0 <= demand.target(now) <= 32
    assert demand.target(now + 10_000) <= 1


def test_auto_wants_more_for_a_crowd_and_for_slow_builds() -> None:
    def target(visitors: int, build_s: float, max_bytes: int = 2**40) -> int:
        demand = Demand(max_bytes)
        demand.built(build_s, 0)
        for number in range(visitors):
            demand.arrived(number * 0.5)
        return demand.target(visitors * 0.5)

    assert target(1, 0.1) == 1
    assert target(100, 5) > target(100, 1) > target(2, 1)
    assert target(1000, 5, max_bytes=0) == 0
    assert target(1000, 60) == 32


@pytest.mark.parametrize("value", [-1, 1001, True, "many", 1.5])
def test_a_size_out_of_range_names_the_option(value: Any) -> None:
    with pytest.raises(ConfigError, match="--prewarm"):
        Settings(prewarm=value)
