"""The event loop, as the application's code sees it from a worker thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import weakref
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, ClassVar

__all__ = ("ThreadLoop",)


class ThreadLoop:
    """Stands for an event loop in another thread; what has to happen there is sent there.

    Plain callbacks may call ``asyncio.create_task``, ``loop.call_later`` and the like: under other
    servers they run on the loop's own thread, where that works. Everything that is not named here
    is the loop's own. It looks like a loop that runs, because it does.
    """

    _known: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadLoop]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Any:
        """The one that stands for this loop."""
        known = cls._known.get(loop)
        if known is None:
            known = cls._known.setdefault(loop, cls(loop))
        return known

    @property
    def _real(self) -> asyncio.AbstractEventLoop:
        loop = self._loop()
        if loop is None:
            raise RuntimeError("the event loop is gone")
        return loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call it on the loop's thread as soon as that gets to it."""
        return self._real.call_soon_threadsafe(callback, *args, context=context)

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call it on the loop's thread after so many seconds."""
        return self.call_at(self._real.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call it on the loop's thread at this time of ``loop.time()``, in seconds."""
        loop = self._real
        own: Any = (
            self  # a handle tells its loop when it is cancelled, which uvloop's does not take
        )
        handle = asyncio.TimerHandle(when, callback, args, own, context)
        context = context if context is not None else copy_context()

        def run() -> None:
            if not handle.cancelled():
                context.run(callback, *args)

        loop.call_soon_threadsafe(loop.call_at, when, run)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """The loop's own timer goes on, and finds that there is nothing to do."""

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, **kw: Any
    ) -> asyncio.Task[Any]:
        """A task of the loop. Made on the loop's thread, for which the calling one waits."""
        if asyncio.get_running_loop() is self._real:  # a function that was sent there
            return self._real.create_task(coro, name=name, **kw)
        made: concurrent.futures.Future[asyncio.Task[Any]] = concurrent.futures.Future()

        def make() -> None:
            try:
                made.set_result(self._real.create_task(coro, name=name, **kw))
            except BaseException as error:
                made.set_exception(error)

        self._real.call_soon_threadsafe(make)
        return made.result()
