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

from hyperfocal.document import own_session_hook
from hyperfocal.telemetry import HookFailed, Telemetry

__all__ = ("Hooks",)

#: Seconds that a hook at a session's end may take; then the session goes without it.
_DESTROYED_TIMEOUT_S = 5.0


async def _settle(result: Any) -> None:
    while inspect.isawaitable(result):
        result = await result


async def _in_place(function: Callable[..., Any], call: Callable[[], Any]) -> Any:
    return call()


class Hooks:
    """Runs the hooks of one application.

    Args:
        application: whose handlers' hooks they are.
        telemetry: hears of failures.
        url: the application's URL path, for telemetry.
        run: runs a plain function of the application, given it and what calls it, wherever it
            belongs; by default in place.
    """

    def __init__(
        self,
        application: Application,
        telemetry: Telemetry,
        url: str,
        run: Callable[[Callable[..., Any], Callable[[], Any]], Awaitable[Any]] | None = None,
    ) -> None:
        self._application = application
        self._telemetry = telemetry
        self._url = url
        self._run_plain = run if run is not None else _in_place

    def _receivers(self, hook: str) -> list[Any]:
        """Who is asked: the handlers in order, or an application that has its own way."""
        if getattr(type(self._application), hook) is not getattr(Application, hook):
            return [self._application]
        return list(self._application.handlers)

    def server_loaded(self, context: ServerContext) -> list[Awaitable[None]]:
        """Run ``on_server_loaded``; gives what is left to await of ``async`` hooks, in order."""
        return self._start("on_server_loaded", context)

    def server_unloaded(self, context: ServerContext) -> list[Awaitable[None]]:
        """Run ``on_server_unloaded``; gives what is left to await of ``async`` hooks."""
        return self._start("on_server_unloaded", context)

    def _start(self, hook: str, context: ServerContext) -> list[Awaitable[None]]:
        pending: list[Awaitable[None]] = []
        for receiver in self._receivers(hook):
            try:
                result = getattr(receiver, hook)(context)
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                self._failed(hook, error)
            else:
                if inspect.isawaitable(result):
                    pending.append(self._guarded(hook, result))
        return pending

    async def _guarded(self, hook: str, result: Awaitable[Any]) -> None:
        try:
            await _settle(result)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self._failed(hook, error)

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
            try:
                async with asyncio.timeout(timeout_s):
                    await _settle(self._call(receiver, hook, context))
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                self._failed(hook, error)

    def _call(self, receiver: Any, hook: str, context: SessionContext) -> Any:
        function = own_session_hook(receiver, hook)
        if function is None:
            return getattr(receiver, hook)(context)
        return self._run_plain(function, partial(function, context))

    async def document_destroyed(
        self, callback: Callable[[SessionContext], Any], context: SessionContext
    ) -> None:
        """Run one ``doc.on_session_destroyed`` callback. In a turn of the session."""
        try:
            async with asyncio.timeout(_DESTROYED_TIMEOUT_S):
                await _settle(await self._run_plain(callback, partial(callback, context)))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self._failed("doc.on_session_destroyed", error)

    def process_request(self, request: Any) -> Mapping[str, Any]:
        """What the handlers add to the session's token payload, from the request."""
        payload: dict[str, Any] = {}
        for receiver in self._receivers("process_request"):
            try:
                payload.update(receiver.process_request(request))
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                self._failed("process_request", error)
        return payload

    def _failed(self, hook: str, error: BaseException) -> None:
        self._telemetry.emit(HookFailed(self._url, hook, error))
