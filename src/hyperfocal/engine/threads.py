"""The threads that run jobs: the scheduler of a server.

The I/O loop only adds mailboxes to a queue. ``crew`` decides which thread takes them; here are the
threads, and the looks of the I/O loop at whether a job lasts. ``sinks`` writes what jobs have
collected for clients.

What threads share, and what guards it:

* The queue and the workers: ``Crew._guard``.
* The jobs of a mailbox: its own guard.
* ``_is_looking``, ``_keepers`` and their jobs, ``_is_hasty``: ``TurnThreads._guard``.
  ``_to_wake`` belongs to the I/O loop.
* What is collected for clients: see ``Collector``.
* The switch interval of the interpreter: ``haste``'s guard, which may be taken while
  ``TurnThreads._guard`` is held.
* A worker's waker: a lock that is taken; whoever has it from the crew lets it go once.

Order: ``Crew._guard`` may be taken while ``TurnThreads._guard`` is held; of others none is taken
within another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from asyncio import events
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

from hyperfocal.clock import running_loop
from hyperfocal.engine.crew import LOOK_S, Crew, ThreadLimits, Worker
from hyperfocal.engine.directories import Directories
from hyperfocal.engine.haste import begin_haste, end_haste
from hyperfocal.engine.mailbox import Mailbox, moved
from hyperfocal.engine.sinks import Collector
from hyperfocal.engine.threadloop import ThreadLoop
from hyperfocal.errors import BusyError

__all__ = ("LASTING_S", "TurnThreads")

_log = logging.getLogger("hyperfocal")

#: Seconds after which a job is known to last: what it has changed so far is told meanwhile.
LASTING_S = 0.05
#: Seconds for which replies may be collected before they are written, while more jobs wait.
_COLLECT_S = 0.0005
#: Idle threads that there should be.
_RESERVE = 3

#: What an event loop calls when it begins to run in a thread.
_set_running_loop: Any = events._set_running_loop  # pyright: ignore[reportPrivateUsage]
_monotonic = time.monotonic


#: Another number in each process that was forked.
_process = [0]


def _count_process() -> None:
    _process[0] += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_process)


class _Thread(Worker):
    """A thread and the lock on which it waits. The lock is let go by whoever wakes it."""

    __slots__ = ("clock_id", "ident", "waker")

    def __init__(self) -> None:
        super().__init__()
        self.waker = threading.Lock()
        self.waker.acquire()
        self.ident = 0  # it has not begun
        self.clock_id: int | None = None


class Keeper:
    """A thread that has a mailbox for itself; whose job comes next it is told by ``waker``."""

    __slots__ = ("jobs", "mailbox", "waker", "worker")

    def __init__(self, mailbox: Mailbox, worker: _Thread) -> None:
        self.mailbox = mailbox
        self.worker = worker
        self.waker = threading.Semaphore(0)
        self.jobs = 0  # that are to be run


def _cpu_s(worker: _Thread | None) -> float:
    if worker is None or worker.clock_id is None:
        return time.process_time()
    try:
        return time.clock_gettime(worker.clock_id)
    except OSError:  # the thread has ended
        return 0.0


class TurnThreads:
    """Runs the jobs of mailboxes in threads. See the module.

    The threads are daemons: one that is stuck in the application's code does not keep the process
    from ending.

    Args:
        limits: how many there may be.
        prepare: called in each thread before its first job.
    """

    def __init__(self, limits: ThreadLimits, prepare: Callable[[], None] = lambda: None) -> None:
        self._limits = limits
        self._prepare = prepare
        self._crew: Crew[_Thread] = Crew(limits, _Thread, _cpu_s)
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: Any = None  # what applications take for the running loop
        self._to_wake: list[_Thread] = []
        self._to_start: SimpleQueue[_Thread | None] = SimpleQueue()
        self._is_looking = False
        self._keepers: dict[Mailbox, Keeper] = {}
        self.collector = Collector(self._look_soon)
        self._local = threading.local()
        self._is_hasty = False  # it has asked for a short switch interval
        self._is_short = False  # it was said that there are no more threads to be had
        self._watched: int | None = None  # the clock of the thread of async code
        self._watched_at = (0.0, 0.0)  # what it showed at the latest look, and when that was
        #: That thread has hardly done anything but compute since the look before.
        self._is_computing = False
        self._closed = False
        #: Set when code runs; whoever waits for that clears it.
        self.stirred = threading.Event()

    def start(
        self, loop: asyncio.AbstractEventLoop, application_loop: asyncio.AbstractEventLoop
    ) -> None:
        """Begin. Jobs may be posted from now on.

        Args:
            loop: the I/O loop.
            application_loop: what code of applications takes for the loop that runs.
        """
        self._loop = loop
        self._seen = ThreadLoop.of(application_loop)
        self.collector.start(loop, self._seen)
        threading.Thread(
            target=self._start_threads, name="hyperfocal-starts-threads", daemon=True
        ).start()
        self._reserve()

    def watch(self, thread: int) -> None:
        """Count a thread that computes, the application loop's, as one that was overtaken."""
        with contextlib.suppress(AttributeError, OSError):
            self._watched = time.pthread_getcpuclockid(thread)

    def close(self) -> None:
        """Look no more. Threads that wait end; those that are in a job do so after it."""
        with self._guard:
            self._closed = True
            self._to_start.put(None)
        for worker in self._crew.close():
            self._wake(worker)
        self._restore_switch_interval()

    # --- the queue -------------------------------------------------------------------------------

    def ready(self, mailbox: Mailbox) -> None:
        """See ``mailbox.Scheduler``."""
        if mailbox.keeper is not None:
            with self._guard:
                keeper = self._keepers.get(mailbox)
                if keeper is not None:
                    keeper.jobs += 1
                    keeper.waker.release()
            if keeper is not None:
                self._look_later()
                return
        worker = self._crew.add(mailbox)
        if worker is not None:
            if running_loop() is self._loop:
                # At the end of the loop's iteration: what else has come in belongs to the same
                # run through the queue, and the loop would lose the interpreter in between.
                self._to_wake.append(worker)
                if len(self._to_wake) == 1:
                    assert self._loop is not None
                    self._loop.call_soon(self._wake_all)
            else:
                self._wake(worker)
        self._look_soon()

    def _wake_all(self) -> None:
        workers, self._to_wake = self._to_wake, []
        for worker in workers:
            self._wake(worker)

    def _wake(self, worker: _Thread) -> None:
        self._begin(worker)
        worker.waker.release()

    def _begin(self, worker: _Thread) -> None:
        if worker.ident:
            return
        worker.ident = -1
        with self._guard:
            is_closed = self._closed
            if not is_closed:
                self._to_start.put(worker)
        if is_closed:  # the thread that starts others ends
            self._start_thread(worker)

    def _start_threads(self) -> None:
        """Start threads for the others, in a thread of its own.

        ``Thread.start`` waits until the new one runs, for as long as others have the interpreter.
        """
        while (worker := self._to_start.get()) is not None:
            self._start_thread(worker)

    def _start_thread(self, worker: _Thread) -> None:
        thread = threading.Thread(
            target=self._work, args=(worker,), name="hyperfocal-turns", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more; each look tries again
            self._crew.discard(worker)
            if not self._is_short:
                self._is_short = True
                _log.error("The system gives the server no more threads: %s", error)

    def _reserve(self) -> None:
        """Begin threads for takeovers to come."""
        for worker in self._crew.reserve(_RESERVE):
            self._begin(worker)

    # --- looks, on the I/O loop ------------------------------------------------------------------

    def _look_soon(self) -> None:
        if not self._is_looking:  # asked again with the guard held
            self._look_later()

    def _look_later(self) -> None:
        with self._guard:
            if self._is_looking or self._closed or self._loop is None:
                return
            self._is_looking = True
        if not self.stirred.is_set():
            self.stirred.set()
        if running_loop() is self._loop:
            self._loop.call_later(LOOK_S, self._look)
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._loop.call_later, LOOK_S, self._look)

    def _look(self) -> None:
        with self._guard:
            self._is_looking = False  # what comes from now on needs another look
        now = _monotonic()
        workers = self._crew.look(now)
        self._look_at_loop(now)
        if not self._is_hasty and (self._is_computing or self._crew.overtaken):
            with self._guard:
                if not self._closed:
                    self._is_hasty = True
                    begin_haste()
        for worker in workers:
            self._wake(worker)
        if workers:
            self._reserve()
        if self.collector.sinks:  # replies must not wait behind a job that is stuck
            self.collector.write_all()
        lasting, is_needed = self._crew.found_lasting(now, LASTING_S)
        for keeper in self._kept():
            worker = keeper.worker
            if worker.mailbox is not None and not worker.told:
                worker.told = now - worker.since >= LASTING_S
                if worker.told:
                    lasting.append(keeper.mailbox)
                else:
                    is_needed = True
        for mailbox in lasting:
            mailbox.on_lasting()
        if is_needed:
            self._look_later()

    def _kept(self) -> Iterable[Keeper]:
        return list(self._keepers.values()) if self._keepers else ()

    def _look_at_loop(self, now: float) -> None:
        if self._watched is None:
            return
        try:
            cpu_s = time.clock_gettime(self._watched)
        except OSError:  # the thread has ended
            self._watched = None
            self._is_computing = False
            return
        used, looked = self._watched_at
        self._watched_at = cpu_s, now
        took = now - looked
        self._is_computing = took < 10 * LOOK_S and cpu_s - used > 0.3 * took
        if self._is_hasty:
            self._restore_switch_interval()

    def _restore_switch_interval(self) -> None:
        with self._guard:
            is_needed = not self._closed and (self._is_computing or self._crew.overtaken)
            if self._is_hasty and not is_needed:
                self._is_hasty = False
                end_haste()

    # --- the threads -----------------------------------------------------------------------------

    def _work(self, me: _Thread) -> None:
        me.ident = threading.get_ident()
        with contextlib.suppress(AttributeError, OSError):
            me.clock_id = time.pthread_getcpuclockid(me.ident)
        directories = Directories(me)
        process = _process[0]
        self._prepare()
        _set_running_loop(self._seen)
        self._local.worker = me
        crew, sinks, write_here = self._crew, self.collector.sinks, self.collector.write_here
        collected_at = 0.0
        me.waker.acquire()  # let go by who has started us
        while not me.retired:
            now = _monotonic()
            mailbox = crew.next(me, now)
            if self._is_hasty:
                self._restore_switch_interval()
            if sinks:
                if mailbox is None or now - collected_at > _COLLECT_S:
                    collected_at = now
                    write_here()
            else:
                collected_at = now
            if mailbox is None:
                if not me.retired:
                    me.waker.acquire()
                continue
            self._run(mailbox, directories, process)
            if mailbox.keeper is not None:
                keeper = self._keepers.get(mailbox)
                if keeper is not None and keeper.worker is me:
                    del mailbox
                    self._keep(keeper, directories, process)
                    return
            del mailbox  # a thread that waits keeps nobody's document alive

    @staticmethod
    def _run(mailbox: Mailbox, directories: Directories, process: int) -> None:
        if mailbox.directory is not None:
            directories.enter(mailbox)
        try:
            mailbox.take()()
        except BaseException:
            _log.exception("A job of the engine failed; this is a mistake of Hyperfocal's")
        if _process[0] != process:  # a child that the job has forked, and let come back from it
            os._exit(0)
        if moved.mailbox is not None:
            directories.leave(mailbox)

    def keep_thread(self, mailbox: Mailbox) -> None:
        """Have the calling thread run the jobs of this mailbox from now on, and no others.

        In a job of the mailbox. A no-op where the calling thread is none of ours.

        Raises:
            BusyError: there are as many such threads as there may be.
        """
        worker: _Thread | None = getattr(self._local, "worker", None)
        if worker is None or mailbox.keeper is not None:
            return
        with self._guard:
            if len(self._keepers) >= self._limits.own:
                raise BusyError(
                    f"{len(self._keepers)} sessions have a thread of their own, as many as may "
                    "(--own-threads)",
                    30,
                )
            keeper = Keeper(mailbox, worker)
            self._keepers[mailbox] = keeper
            mailbox.keeper = keeper
        other = self._crew.leave(worker)
        worker.mailbox = mailbox
        if other is not None:
            self._wake(other)

    def end_keeping(self, mailbox: Mailbox) -> None:
        """The mailbox's thread may end, once its job has. The mailbox gets no job after that."""
        with self._guard:
            keeper = self._keepers.get(mailbox)
        if keeper is not None:
            keeper.waker.release()

    def _keep(self, keeper: Keeper, directories: Directories, process: int) -> None:
        """Run the jobs of one mailbox, in its own thread, until it has ended."""
        worker, mailbox = keeper.worker, keeper.mailbox
        while True:
            worker.mailbox = None
            if self.collector.sinks:
                self.collector.write_here()
            keeper.waker.acquire()
            with self._guard:
                if keeper.jobs:
                    keeper.jobs -= 1
                else:  # only who has ended wakes us without a job
                    self._keepers.pop(mailbox, None)
                    mailbox.keeper = None
                    return
            worker.since, worker.told = _monotonic(), False
            worker.mailbox = mailbox
            self._run(mailbox, directories, process)

    # --- for people ------------------------------------------------------------------------------

    def lasting_jobs(self, seconds: float) -> list[tuple[Mailbox, float, int]]:
        """The jobs that have gone on for so long: their mailbox, seconds, and thread's identity."""
        now = _monotonic()
        workers = [*self._crew.at_work(), *(one.worker for one in self._kept())]
        return [
            (worker.mailbox, now - worker.since, worker.ident)
            for worker in workers
            if worker.mailbox is not None and now - worker.since >= seconds
        ]
