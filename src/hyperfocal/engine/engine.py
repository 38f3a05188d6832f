"""Where code runs: the engine of a server, and the one of contexts that are made by hand."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar

from hyperfocal.clock import running_loop
from hyperfocal.engine.application_loop import ApplicationLoop
from hyperfocal.engine.crew import ThreadLimits
from hyperfocal.engine.mailbox import Mailbox, Owner
from hyperfocal.engine.sinks import Sink
from hyperfocal.engine.threads import TurnThreads

__all__ = ("Coroutines", "Engine", "InlineEngine", "Outcome", "ThreadedEngine")

_T = TypeVar("_T")


class Engine(ABC):
    """Runs the code of applications, and says where."""

    #: Whether plain code runs in threads.
    has_threads = False

    @property
    @abstractmethod
    def loop(self) -> asyncio.AbstractEventLoop:
        """The I/O loop: sockets and timers."""

    @property
    @abstractmethod
    def application_loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which ``async`` code of applications runs."""

    @abstractmethod
    def ready(self, mailbox: Mailbox) -> None:
        """See ``mailbox.Scheduler``."""

    @abstractmethod
    def collect(self, sink: Sink) -> None:
        """Something waits to be written to this connection. From any thread."""

    @property
    def collector(self) -> Callable[[Sink], None]:
        """``collect``, for those who call it again and again."""
        return self.collect

    def mailbox(self, owner: Owner) -> Mailbox:
        """A mailbox whose jobs this engine runs."""
        return Mailbox(self, owner)

    def keep_thread(self, mailbox: Mailbox) -> None:  # noqa: B027 - a no-op where there are none
        """Have the calling thread run this mailbox's jobs from now on. In a job of it.

        Raises:
            BusyError: there are as many such threads as there may be.
        """

    def end_keeping(self, mailbox: Mailbox) -> None:  # noqa: B027
        """The mailbox gets no job any more; a thread of its own may end."""

    def lasting_jobs(self, seconds: float) -> list[tuple[Mailbox, float, int]]:
        """The jobs that have gone on for so long: mailbox, seconds, and thread's identity."""
        return []

    def close(self) -> None:  # noqa: B027
        """End what belongs to the engine, and wait for no code of an application."""

    async def call(self, owner: Owner, call: Callable[[], _T]) -> _T:
        """Have plain code of an application run, outside of all sessions, in this context.

        A caller that is cancelled leaves it alone.
        """
        return await self.call_in(self.mailbox(owner), call)

    async def call_in(self, mailbox: Mailbox, call: Callable[[], _T]) -> _T:
        """The same, with this mailbox held. A caller that is cancelled leaves it alone."""
        context = copy_context()
        outcome = Outcome()

        def job() -> None:
            try:
                outcome.run(lambda: context.run(call))
            finally:
                mailbox.release()

        mailbox.post(job)
        found: _T = await outcome
        return found

    async def settle(self, result: Any) -> Any:
        """What awaitables give in the end, awaited on the application loop, in this context."""
        while inspect.isawaitable(result):
            result = await self._awaited(result)
        return result

    async def _awaited(self, awaitable: Awaitable[Any]) -> Any:
        if asyncio.get_running_loop() is self.application_loop:
            return await awaitable
        future = asyncio.run_coroutine_threadsafe(_of(awaitable), self.application_loop)
        return await asyncio.wrap_future(future)


class Coroutines:
    """Coroutines of one owner that run on the application loop. Safe from any thread.

    Args:
        engine: whose loop that is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: set[concurrent.futures.Future[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], context: Context) -> None:
        """Run a coroutine in a copy of the context."""
        loop = self._engine.application_loop
        future = context.copy().run(asyncio.run_coroutine_threadsafe, work, loop)
        self._running.add(future)
        future.add_done_callback(self._running.discard)

    def cancel(self) -> None:
        """Cancel all."""
        for future in list(self._running):
            future.cancel()


class InlineEngine(Engine):
    """Runs everything on one event loop, jobs in place where that is possible.

    Args:
        loop: the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[Mailbox] = deque()
        self._running = False
        self._sinks: list[Sink] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        return self._loop

    @property
    def application_loop(self) -> asyncio.AbstractEventLoop:
        """The same loop."""
        return self._loop

    def ready(self, mailbox: Mailbox) -> None:
        """See ``mailbox.Scheduler``: now, unless a job runs; on the loop's thread."""
        self._ready.append(mailbox)
        if running_loop() is self._loop:
            self._run()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            while self._ready:
                self._ready.popleft().take()()
        finally:
            self._running = False

    def collect(self, sink: Sink) -> None:
        """See ``Engine``."""
        self._sinks.append(sink)
        if len(self._sinks) == 1:
            if running_loop() is self._loop:
                self._loop.call_soon(self._write)
            elif not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._write)

    def _write(self) -> None:
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            sink.write_on_loop()


class ThreadedEngine(Engine):
    """Runs jobs in threads, and ``async`` code on a loop of its own. See ``docs/architecture.md``.

    Args:
        limits: how many threads there may be.
        prepare: called in each thread of the engine before anything else.

    Attributes:
        on_host: run ``async`` code on the I/O loop, which belongs to a host. Set it before
            ``start``.
    """

    has_threads = True

    def __init__(
        self,
        limits: ThreadLimits,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.limits = limits
        self.on_host = False
        self._prepare = prepare
        self._threads = TurnThreads(limits, prepare)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own: ApplicationLoop | None = None
        self._guard = threading.Lock()

    @property
    def stirred(self) -> threading.Event:
        """Set when code runs; whoever waits for that clears it."""
        return self._threads.stirred

    @property
    def own_loop(self) -> ApplicationLoop | None:
        """The loop of ``async`` code, once it has a thread of its own."""
        return self._own

    def start(self) -> None:
        """Begin, on the I/O loop. A no-op the second time."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._threads.start(self._loop, self.application_loop)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """See ``Engine``."""
        if self._loop is None:
            self.start()
        assert self._loop is not None
        return self._loop

    @property
    def application_loop(self) -> asyncio.AbstractEventLoop:
        """See ``Engine``; its thread begins with the first look."""
        if self.on_host:
            return self.loop
        with self._guard:
            if self._own is None:
                self._own = ApplicationLoop(self._prepare)
                self._threads.watch(self._own.thread_ident)
            return self._own.loop

    def mailbox(self, owner: Owner) -> Mailbox:
        """See ``Engine``."""
        return Mailbox(self._threads, owner)

    def ready(self, mailbox: Mailbox) -> None:
        """See ``mailbox.Scheduler``."""
        self._threads.ready(mailbox)

    def collect(self, sink: Sink) -> None:
        """See ``Engine``."""
        self._threads.collector.collect(sink)

    @property
    def collector(self) -> Callable[[Sink], None]:
        """``collect``, for those who call it again and again."""
        return self._threads.collector.collect

    def keep_thread(self, mailbox: Mailbox) -> None:
        """See ``Engine``."""
        self._threads.keep_thread(mailbox)

    def end_keeping(self, mailbox: Mailbox) -> None:
        """See ``Engine``."""
        self._threads.end_keeping(mailbox)

    def lasting_jobs(self, seconds: float) -> list[tuple[Mailbox, float, int]]:
        """See ``Engine``."""
        return self._threads.lasting_jobs(seconds)

    def close(self) -> None:
        """See ``Engine``."""
        self._threads.close()
        if self._own is not None:
            self._own.close()


class Outcome:
    """What a call in another thread gives, for a coroutine that awaits it. Made on its loop."""

    __slots__ = ("_future", "_loop", "given")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[Any] = self._loop.create_future()
        #: Whether ``give_now`` was called.
        self.given = False

    def __await__(self) -> Any:
        return self._future.__await__()

    @property
    def done(self) -> bool:
        """Whether it is known, or nobody waits any more."""
        return self._future.done()

    async def wait(self, timeout_s: float) -> None:
        """Wait until it is known, or for so many seconds."""
        await asyncio.wait({self._future}, timeout=timeout_s)

    def cancel(self) -> None:
        """Nobody waits any more. On its loop."""
        self._future.cancel()

    def run(self, call: Callable[[], Any]) -> None:
        """Call it and let the coroutine know. In any thread."""
        try:
            result = call()
        except BaseException as error:  # SystemExit, too, is the application's own affair
            self.fail(error)
        else:
            self.give(result)

    def give(self, result: Any) -> None:
        """It is this. In any thread."""
        self._soon(self._future.set_result, result)

    def give_now(self, result: Any) -> None:
        """It is this. On its loop, where somebody still waits."""
        self.given = True
        self._future.set_result(result)

    def fail(self, error: BaseException) -> None:
        """It failed. In any thread."""
        if isinstance(error, StopIteration):  # which no future can hold
            wrapped = RuntimeError("StopIteration")
            wrapped.__cause__ = error
            error = wrapped
        self._soon(self._future.set_exception, error)

    def call_soon(self, call: Callable[..., object], *args: Any) -> None:
        """Have it called on the coroutine's loop; now, if this is there.

        Raises:
            RuntimeError: the loop is closed.
        """
        if running_loop() is self._loop:
            call(*args)
        else:
            self._loop.call_soon_threadsafe(call, *args)

    def _soon(self, settle: Callable[[Any], None], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            self.call_soon(self._settle, settle, value)

    def _settle(self, settle: Callable[[Any], None], value: Any) -> None:
        if not self._future.done():
            settle(value)
            if settle == self._future.set_exception:
                self._future.exception()  # seen: whoever awaits it gets it all the same


async def _of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
