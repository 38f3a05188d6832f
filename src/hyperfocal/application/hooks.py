"""Lifecycle hooks of all handlers, and what happens when one fails.

The policy is one for all: a hook that raises is logged with its traceback and counted
(``HookFailed``), the other hooks run, the server and the session go on. A hook may be plain or
``async``; Bokeh's handlers hand the coroutine of an ``async def`` hook back without awaiting it,
so each handler's result is awaited here until there is nothing left to await. A hook at a session's
end that takes longer than 5 seconds counts as failed.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from bokeh.application.application import Application, ServerContext, SessionContext

from hyperfocal.document import request_hook, session_hook
from hyperfocal.engine import Engine, InlineEngine, Owner
from hyperfocal.telemetry import HookFailed, Telemetry

__all__ = ("Hooks",)

#: Seconds that a hook at a session's end may take; then the session goes without it.
_DESTROYED_TIMEOUT_S = 5.0


class Hooks:
    """Runs the hooks of one application: plain ones in threads, ``async`` ones on their loop.

    Args:
        application: whose handlers' hooks they are.
        telemetry: hears of failures.
        url: the application's URL path.
        engine: gives the engine that runs them; by default they run on the loop of the caller.
        has_threads: that engine has threads.
    """

    def __init__(
        self,
        application: Application,
        telemetry: Telemetry,
        url: str,
        engine: Callable[[], Engine] | None = None,
        *,
        has_threads: bool = False,
    ) -> None:
        self._application = application
        self._telemetry = telemetry
        self._url = url
        self._engine = engine if engine is not None else _inline
        self._has_threads = has_threads

    def _receivers(self, hook: str) -> list[Any]:
        """Who is asked: the handlers in order, or an application that has its own way."""
        if getattr(type(self._application), hook) is not getattr(Application, hook):
            return [self._application]
        return list(self._application.handlers)

    def server_loaded(self, context: ServerContext) -> list[Awaitable[None]]:
        """Run ``on_server_loaded``; gives what is left to await, in order."""
        return self._start("on_server_loaded", context)

    def server_unloaded(self, context: ServerContext) -> list[Awaitable[None]]:
        """Run ``on_server_unloaded``; gives what is left to await, in order."""
        return self._start("on_server_unloaded", context)

    def _start(self, hook: str, context: ServerContext) -> list[Awaitable[None]]:
        calls = [partial(getattr(one, hook), context) for one in self._receivers(hook)]
        if self._has_threads:
            return [self._guarded(hook, call) for call in calls]
        pending: list[Awaitable[None]] = []
        for call in calls:
            try:
                result = call()
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                self._telemetry.emit(HookFailed(self._url, hook, error))
            else:
                if inspect.isawaitable(result):
                    pending.append(self._settled(hook, result))
        return pending

    async def _guarded(
        self, hook: str, call: Callable[[], Any], timeout_s: float | None = None
    ) -> None:
        """Call it where it belongs, and await what it gives; whatever it raises is told."""
        try:
            async with asyncio.timeout(timeout_s):
                result = await self._engine().call(Owner("", self._url, f"hook {hook}"), call)
                await self._engine().settle(result)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            await self._failed(hook, error)

    async def _settled(self, hook: str, result: Awaitable[Any]) -> None:
        try:
            await self._engine().settle(result)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            await self._failed(hook, error)

    async def session_created(
        self, context: SessionContext, *, wanted: Callable[[Any], bool] | None = None
    ) -> None:
        """Run ``on_session_created``, before the document is built.

        Args:
            context: the session's context.
            wanted: says of a handler, or of an application with a way of its own, whether its
                hook is to run; by default all run.
        """
        await self._run("on_session_created", context, wanted=wanted)

    async def session_destroyed(self, context: SessionContext) -> None:
        """Run ``on_session_destroyed``, before the document is taken apart."""
        await self._run("on_session_destroyed", context, _DESTROYED_TIMEOUT_S)

    async def _run(
        self,
        hook: str,
        context: SessionContext,
        timeout_s: float | None = None,
        *,
        wanted: Callable[[Any], bool] | None = None,
    ) -> None:
        for receiver in self._receivers(hook):
            if wanted is not None and not wanted(receiver):
                continue
            function = session_hook(receiver, hook)
            if function is not None:
                await self._guarded(hook, partial(function, context), timeout_s)

    async def document_destroyed(
        self,
        callback: Callable[[SessionContext], Any],
        context: SessionContext,
        locked: Callable[[Callable[[Any], Any]], Awaitable[Any]],
    ) -> None:
        """Run one ``doc.on_session_destroyed`` callback, in a turn: ``locked`` gives one."""
        hook = "doc.on_session_destroyed"
        try:
            async with asyncio.timeout(_DESTROYED_TIMEOUT_S):
                # On the application's loop, where what it gives is awaited.
                await self._engine().settle(locked(lambda _: callback(context)))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            await self._failed(hook, error)

    async def process_request(self, request: Any) -> Mapping[str, Any]:
        """What the handlers add to the session's token payload, from the request."""
        payload: dict[str, Any] = {}
        for receiver in self._receivers("process_request"):
            function = request_hook(receiver)
            if function is None:
                continue

            def add(function: Callable[..., Any] = function) -> None:
                payload.update(function(request))

            await self._guarded("process_request", add)
        return payload

    async def _failed(self, hook: str, error: BaseException) -> None:
        """Tell it, in a thread: what an exception says of itself is the application's code."""
        event = HookFailed(self._url, hook, error)
        owner = Owner("", self._url, f"hook {hook}")
        await self._engine().call(owner, partial(self._telemetry.emit, event))


def _inline() -> Engine:
    return InlineEngine(asyncio.get_running_loop())
