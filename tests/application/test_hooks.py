"""Lifecycle hooks: plain or async, in order, and one that fails keeps nobody else from running."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.application.application import Application
from bokeh.application.handlers import Handler
from bokeh.application.handlers.lifecycle import LifecycleHandler

from hyperfocal.application import Hooks, load
from hyperfocal.telemetry import Counters, Event, HookFailed, Telemetry

CONTEXT: Any = object()
SESSION_HOOKS = ("session_created", "session_destroyed")
SERVER_HOOKS = ("server_loaded", "server_unloaded")


class Heard:
    """What telemetry was told, and how often."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.counters = Counters()

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        return [
            (event.url, event.hook, repr(event.error))
            for event in self.events
            if isinstance(event, HookFailed)
        ]

    def hooks(self, application: Application) -> Hooks:
        return Hooks(application, Telemetry(self.events.append, self.counters), "/app")


@pytest.fixture
def heard() -> Heard:
    return Heard()


class Noting(LifecycleHandler):
    """Notes every call; raises or waits on demand."""

    def __init__(
        self,
        name: str,
        log: list[str],
        *,
        error: BaseException | None = None,
        waits: bool = False,
    ) -> None:
        super().__init__()

        def plain(context: Any) -> None:
            assert context is CONTEXT
            log.append(name)
            if error is not None:
                raise error

        async def waiting(context: Any) -> None:
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            plain(context)

        made: Any = waiting if waits else plain
        self._on_server_loaded = made
        self._on_server_unloaded = made
        self._on_session_created = made
        self._on_session_destroyed = made


async def run(hooks: Hooks, hook: str) -> None:
    """Run a hook of either kind to its end."""
    result: Any = getattr(hooks, hook)(CONTEXT)
    if isinstance(result, list):
        left: list[Awaitable[None]] = result
        for awaitable in left:
            await awaitable
    else:
        await result


async def locked(function: Callable[[Any], Any]) -> Any:
    """A turn, without a session."""
    result = function(None)
    return await result if asyncio.iscoroutine(result) else result


EACH = pytest.mark.parametrize("hook", [*SESSION_HOOKS, *SERVER_HOOKS])
ERRORS = pytest.mark.parametrize(
    "error", [ValueError("broken"), SystemExit(3), KeyError("x")], ids=repr
)


@EACH
async def test_the_hooks_of_all_handlers_run_in_order(heard: Heard, hook: str) -> None:
    log: list[str] = []
    application = Application(Noting("a", log), Noting("b", log), Handler(), Noting("c", log))
    await run(heard.hooks(application), hook)
    assert log == ["a", "b", "c"]
    assert heard.events == []


@EACH
async def test_async_hooks_are_awaited_to_their_end(heard: Heard, hook: str) -> None:
    log: list[str] = []
    application = Application(Noting("a", log, waits=True), Noting("b", log, waits=True))
    await run(heard.hooks(application), hook)
    assert log == ["a begins", "a", "b begins", "b"]
    assert heard.events == []


@ERRORS
@pytest.mark.parametrize("waits", [False, True], ids=["plain", "async"])
@EACH
async def test_a_hook_that_fails_is_counted_and_keeps_no_other_from_running(
    heard: Heard, hook: str, waits: bool, error: BaseException
) -> None:
    log: list[str] = []
    application = Application(
        Noting("a", log, waits=waits),
        Noting("broken", log, error=error, waits=waits),
        Noting("c", log, waits=waits),
    )
    await run(heard.hooks(application), hook)
    assert [name for name in log if "begins" not in name] == ["a", "broken", "c"]
    assert heard.failures == [("/app", f"on_{hook}", repr(error))]
    assert heard.counters[HookFailed] == 1
    assert heard.events[0].cause is error


@EACH
async def test_each_failure_is_counted_by_itself(heard: Heard, hook: str) -> None:
    log: list[str] = []
    errors = [ValueError("one"), ValueError("two")]
    application = Application(*(Noting("x", log, error=error) for error in errors))
    await run(heard.hooks(application), hook)
    assert [event.cause for event in heard.events] == errors


@pytest.mark.parametrize("hook", SERVER_HOOKS)
async def test_plain_server_hooks_have_run_when_the_call_returns(heard: Heard, hook: str) -> None:
    log: list[str] = []
    application = Application(Noting("a", log), Noting("b", log, waits=True))
    left = getattr(heard.hooks(application), hook)(CONTEXT)
    assert log == ["a"]
    assert len(left) == 1
    await left[0]
    assert log == ["a", "b begins", "b"]


@pytest.mark.parametrize("hook", SESSION_HOOKS)
async def test_a_hook_may_be_cancelled_with_its_task_and_is_no_failure_then(
    heard: Heard, hook: str
) -> None:
    begun = asyncio.Event()
    handler = LifecycleHandler()

    async def endless(context: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    made: Any = endless
    handler._on_session_created = handler._on_session_destroyed = made
    task = asyncio.create_task(run(heard.hooks(Application(handler)), hook))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard.events == []


@EACH
async def test_a_hook_may_give_something_to_wait_for_that_gives_another(
    heard: Heard, hook: str
) -> None:
    log: list[str] = []
    handler = LifecycleHandler()

    async def inner() -> None:
        log.append("inner")

    async def outer() -> Awaitable[None]:
        log.append("outer")
        return inner()

    made: Any = lambda context: outer()  # noqa: E731 - a plain function that gives an awaitable
    handler._on_server_loaded = handler._on_server_unloaded = made
    handler._on_session_created = handler._on_session_destroyed = made
    await run(heard.hooks(Application(handler)), hook)
    assert log == ["outer", "inner"]


# --- app_hooks.py ---------------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Where the hooks of a directory leave their notes."""
    notes: list[str] = []
    monkeypatch.setattr(sys, "hyperfocal_notes", notes, raising=False)
    yield notes


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., Application]:
    def made(hooks: str, name: str = "app_hooks.py") -> Application:
        (tmp_path / "main.py").write_text("", encoding="utf-8")
        (tmp_path / name).write_text(f"import asyncio, sys\n{hooks}", encoding="utf-8")
        return load(tmp_path).application

    return made


def source(keyword: str) -> str:
    wait = "    await asyncio.sleep(0)\n" if keyword.startswith("async") else ""
    return "".join(
        f"{keyword} on_{hook}({hook.partition('_')[0]}_context):\n"
        f"{wait}    sys.hyperfocal_notes.append('{hook}')\n"
        for hook in (*SERVER_HOOKS, *SESSION_HOOKS)
    )


@pytest.mark.parametrize("name", ["app_hooks.py", "server_lifecycle.py"])
@pytest.mark.parametrize("keyword", ["def", "async def"])
@EACH
async def test_the_hooks_of_a_directory_run_to_their_end(
    heard: Heard,
    seen: list[str],
    directory: Callable[..., Application],
    hook: str,
    keyword: str,
    name: str,
) -> None:
    await run(heard.hooks(directory(source(keyword), name)), hook)
    assert seen == [hook]
    assert heard.events == []


@EACH
async def test_a_failing_async_hook_of_a_directory_is_told_with_its_traceback(
    heard: Heard, seen: list[str], directory: Callable[..., Application], hook: str
) -> None:
    text = source("async def").replace("sys.hyperfocal_notes.append", "1 / 0, str")
    await run(heard.hooks(directory(text)), hook)
    assert heard.failures == [("/app", f"on_{hook}", "ZeroDivisionError('division by zero')")]
    cause = heard.events[0].cause
    assert cause is not None
    frames = []
    traceback = cause.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert f"on_{hook}" in frames


async def test_a_directory_without_hooks_has_none_to_run(tmp_path: Path, heard: Heard) -> None:
    (tmp_path / "main.py").write_text("", encoding="utf-8")
    hooks = heard.hooks(load(tmp_path).application)
    for hook in (*SERVER_HOOKS, *SESSION_HOOKS):
        await run(hooks, hook)
    assert await hooks.process_request(None) == {}
    assert heard.events == []


async def test_process_request_of_a_directory_is_asked(
    heard: Heard, directory: Callable[..., Application]
) -> None:
    application = directory("def process_request(request):\n    return {'user': request}\n")
    assert await heard.hooks(application).process_request("ada") == {"user": "ada"}


# --- process_request ------------------------------------------------------------------------------


class Answering(Handler):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def process_request(self, request: Any) -> dict[str, Any]:
        if isinstance(self.answer, BaseException):
            raise self.answer
        answer: dict[str, Any] = self.answer
        return answer


async def test_what_the_handlers_make_of_a_request_is_merged_and_the_last_one_wins(
    heard: Heard,
) -> None:
    application = Application(
        Answering({"a": 1, "b": 1}), Handler(), Answering({"b": 2}), Answering({"c": 3})
    )
    assert await heard.hooks(application).process_request(None) == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("bad", [ValueError("broken"), SystemExit(1), None, 5], ids=repr)
async def test_a_handler_that_fails_on_a_request_is_counted_and_the_others_are_heard(
    heard: Heard, bad: Any
) -> None:
    application = Application(Answering({"a": 1}), Answering(bad), Answering({"c": 3}))
    assert await heard.hooks(application).process_request(None) == {"a": 1, "c": 3}
    assert [hook for _, hook, _ in heard.failures] == ["process_request"]
    assert heard.counters[HookFailed] == 1


# --- applications that have their own way ---------------------------------------------------------


class Own(Application):
    """Notes before and after its handlers' hooks."""

    def __init__(self, log: list[str], *handlers: Handler) -> None:
        super().__init__(*handlers)
        self.log = log

    async def on_session_created(self, session_context: Any) -> None:
        self.log.append("before")
        await super().on_session_created(session_context)
        self.log.append("after")

    def process_request(self, request: Any) -> dict[str, Any]:
        return {**super().process_request(request), "own": request}


async def test_an_application_that_overrides_a_hook_is_asked_itself_and_once(heard: Heard) -> None:
    log: list[str] = []
    hooks = heard.hooks(Own(log, Noting("a", log), Noting("b", log)))
    await hooks.session_created(CONTEXT)
    assert log == ["before", "a", "b", "after"]


async def test_the_hooks_that_it_does_not_override_run_as_always(heard: Heard) -> None:
    log: list[str] = []
    hooks = heard.hooks(Own(log, Noting("a", log, error=ValueError()), Noting("b", log)))
    await hooks.session_destroyed(CONTEXT)
    assert log == ["a", "b"]
    assert heard.counters[HookFailed] == 1


async def test_an_overridden_hook_that_fails_is_counted(heard: Heard) -> None:
    log: list[str] = []
    hooks = heard.hooks(Own(log, Noting("a", log, error=ValueError("broken"))))
    await hooks.session_created(CONTEXT)
    assert heard.failures == [("/app", "on_session_created", "ValueError('broken')")]


async def test_an_overridden_process_request_is_asked_once(heard: Heard) -> None:
    hooks = heard.hooks(Own([], Answering({"a": 1})))
    assert await hooks.process_request("r") == {"a": 1, "own": "r"}


async def test_an_application_may_override_a_server_hook(heard: Heard) -> None:
    log: list[str] = []

    class Loading(Application):
        def on_server_loaded(self, server_context: Any) -> None:
            log.append("own")

    hooks = heard.hooks(Loading(Noting("a", log)))
    await run(hooks, "server_loaded")
    await run(hooks, "server_unloaded")
    assert log == ["own", "a"]


# --- doc.on_session_destroyed ---------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True], ids=["plain", "async"])
async def test_a_documents_own_callback_runs_to_its_end(heard: Heard, waits: bool) -> None:
    got: list[Any] = []

    async def waiting(context: Any) -> None:
        await asyncio.sleep(0)
        got.append(context)

    await heard.hooks(Application()).document_destroyed(
        waiting if waits else got.append, CONTEXT, locked
    )
    assert got == [CONTEXT]
    assert heard.events == []


@ERRORS
@pytest.mark.parametrize("waits", [False, True], ids=["plain", "async"])
async def test_a_documents_own_callback_that_fails_is_counted(
    heard: Heard, waits: bool, error: BaseException
) -> None:
    def plain(context: Any) -> None:
        raise error

    async def waiting(context: Any) -> None:
        await asyncio.sleep(0)
        raise error

    await heard.hooks(Application()).document_destroyed(
        waiting if waits else plain, CONTEXT, locked
    )
    assert heard.failures == [("/app", "doc.on_session_destroyed", repr(error))]
