"""Which thread runs what: the decisions of the scheduler, without a thread in sight.

One thread, the *taker*, works through the mailboxes that are ready, one job each, in the order in
which they became ready. A job that lasts must keep nobody waiting, so ``look`` is called every few
milliseconds while mailboxes wait. A taker whose job has gone on for longer than the limit is
*overtaken*: it keeps the job, and another thread has the queue. How many are set to work depends on
what keeps the takers:

* Takers that wait for something (``time.sleep``, a database) use no processor. Twice as many
  threads are added with each look until nothing waits any more: with 40 callbacks that sleep at
  once the forty-first does not wait for forty times the limit.
* Takers that compute share one interpreter, and more of them help nobody. One is added, and only
  when all others are overtaken.

When the takers get on, all but one go back to waiting.

Each thread that is in a job counts for the visitor and for the application on whose account that
is. A mailbox whose visitor or application has as many threads as it may is set aside until a job of
theirs ends, so that only those wait who are over their share.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hyperfocal.engine.mailbox import Mailbox, Owner

__all__ = ("LIMIT_S", "LOOK_S", "Crew", "ThreadLimits", "Worker")

#: Seconds between two looks while mailboxes wait.
LOOK_S = 0.002
#: Seconds after which it is asked whether a job computes or waits.
PATIENCE_S = 0.002
#: Seconds after which a job is overtaken.
LIMIT_S = 0.005
#: Who uses less than this share of a processor is waiting for something.
_WAITING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class ThreadLimits:
    """How many threads there may be.

    Attributes:
        threads: for the jobs of all mailboxes.
        per_visitor: in jobs of one visitor at once.
        per_application: in jobs of one application at once.
        own: threads that belong to one session each; they count apart.
    """

    threads: int = 64
    per_visitor: int = 8
    per_application: int = 32
    own: int = 256


class Worker:
    """One thread, as the crew sees it.

    Attributes:
        mailbox: whose job it runs; ``None``: none.
        since: when that began, in seconds on the monotonic clock.
        taking: it takes the next mailbox when its job ends.
        retired: it waits for no more jobs; its thread ends.
        told: its job is known to last.
        sample: of the job it is in, what was seen at the latest look: when the job had begun, when
            the look was, and the processor seconds of the thread.
    """

    __slots__ = ("mailbox", "retired", "sample", "since", "taking", "told")

    def __init__(self) -> None:
        self.mailbox: Mailbox | None = None
        self.since = 0.0
        self.taking = False
        self.retired = False
        self.told = False
        self.sample: tuple[float, float, float] = (-1.0, 0.0, 0.0)


W = TypeVar("W", bound=Worker)


class Crew(Generic[W]):
    """The threads of one engine and the mailboxes that are ready.

    Methods may be called from any thread. ``_guard`` guards every attribute and those of the
    workers; nothing of anybody else is called while it is held, except what is given here.

    Args:
        limits: how many threads there may be.
        make: makes a worker.
        cpu_s: how many processor seconds the thread of a worker has used; with ``None`` the whole
            process.
    """

    def __init__(
        self, limits: ThreadLimits, make: Callable[[], W], cpu_s: Callable[[W | None], float]
    ) -> None:
        self.limits = limits
        self._make = make
        self._cpu_s = cpu_s
        self._guard = threading.Lock()
        self._ready: deque[Mailbox] = deque()
        self._aside: dict[tuple[str, str], deque[Mailbox]] = {}
        self._workers: list[W] = []
        self._idle: list[W] = []
        self._taking = 0
        self._surplus = 0
        self._burst = 1
        self._closed = False
        #: Nobody may have all threads, however few there are.
        self._per_visitor = min(limits.per_visitor, max(1, limits.threads - 1))
        #: With no more threads at work than that nobody can be over a share.
        self._fair = min(self._per_visitor, limits.per_application)
        self._looked = (0.0, 0.0)  # when, and the processor seconds of the process

    # --- the queue -------------------------------------------------------------------------------

    def add(self, mailbox: Mailbox) -> W | None:
        """A mailbox is ready.

        Returns:
            a worker to wake or to start, if none is at work on the queue.
        """
        with self._guard:
            self._ready.append(mailbox)
            return None if self._taking else self._enlist()

    def reserve(self, count: int) -> list[W]:
        """Have so many idle threads, so that a takeover need not wait for one to begin.

        Returns:
            workers whose threads are to be started.
        """
        made: list[W] = []
        with self._guard:
            while len(self._idle) < count and len(self._workers) < self.limits.threads:
                worker = self._make()
                self._workers.append(worker)
                self._idle.append(worker)
                made.append(worker)
        return made

    def next(self, worker: W, now: float) -> Mailbox | None:
        """The worker has ended its job, or was woken: what it does next.

        Returns:
            the mailbox of which it is to run a job; ``None``: it waits to be woken.
        """
        with self._guard:
            if self._aside and worker.mailbox is not None:
                self._admit_next(worker.mailbox.owner)
            worker.mailbox = None
            if not worker.taking:
                if self._taking and (self._burst == 1 or not self._ready):
                    self._rest(worker)  # others have the queue meanwhile
                    return None
                worker.taking = True
                self._taking += 1
            elif self._surplus and self._taking > 1:
                self._surplus -= 1
                self._park(worker)
                return None
            while self._ready:
                mailbox = self._ready.popleft()
                if len(self._workers) - len(self._idle) > self._fair:
                    key = self._share_exceeded(mailbox)
                    if key is not None:
                        self._aside.setdefault(key, deque()).append(mailbox)
                        continue
                worker.mailbox = mailbox
                worker.since = now
                worker.told = False
                return mailbox
            self._park(worker)
            return None

    def leave(self, worker: W) -> W | None:
        """The worker's thread is the crew's no more: it has its mailbox for itself.

        Returns:
            a worker to wake or to start in its place.
        """
        with self._guard:
            self._workers.remove(worker)
            if worker.mailbox is not None:
                self._admit_next(worker.mailbox.owner)
                worker.mailbox = None
            if worker.taking:
                worker.taking = False
                self._taking -= 1
            return self._enlist() if self._ready and not self._taking else None

    def close(self) -> list[W]:
        """No worker waits for jobs any more; what is ready still finds one.

        Returns:
            workers to wake, which are retired.
        """
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in idle:
                worker.retired = True
                self._workers.remove(worker)
            return idle

    def discard(self, worker: W) -> None:
        """A worker that has never run cannot be started."""
        with self._guard:
            self._workers.remove(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            if worker.taking:
                worker.taking = False
                self._taking -= 1

    def _enlist(self) -> W | None:
        """One more taker; ``None`` if there may be no more threads."""
        if self._idle:
            worker = self._idle.pop()
        elif len(self._workers) < self.limits.threads:
            worker = self._make()
            self._workers.append(worker)
        else:
            return None
        worker.taking = True
        self._taking += 1
        return worker

    def _park(self, worker: W) -> None:
        worker.taking = False
        self._taking -= 1
        self._rest(worker)

    def _rest(self, worker: W) -> None:
        if self._closed:
            worker.retired = True
            self._workers.remove(worker)
        else:
            self._idle.append(worker)

    def _admit_next(self, owner: Owner) -> None:
        """A thread less is in jobs of this visitor and application: one of theirs may go on."""
        for key in (("visitor", owner.visitor), ("application", owner.application)):
            waiting = self._aside.get(key)
            if waiting:
                self._ready.appendleft(waiting.popleft())
                if not waiting:
                    del self._aside[key]

    def _share_exceeded(self, mailbox: Mailbox) -> tuple[str, str] | None:
        """Whose share of threads is used up: its visitor's, or its application's."""
        limits, owner = self.limits, mailbox.owner
        of_visitor = of_application = 0
        for worker in self._workers:
            if worker.mailbox is not None:
                other = worker.mailbox.owner
                of_visitor += other.visitor == owner.visitor
                of_application += other.application == owner.application
        if owner.visitor and of_visitor >= self._per_visitor:
            return "visitor", owner.visitor
        if of_application >= limits.per_application:
            return "application", owner.application
        return None

    # --- jobs that last --------------------------------------------------------------------------

    def look(self, now: float) -> list[W]:
        """Whether somebody waits behind jobs that last.

        Returns:
            workers to wake or to start.
        """
        with self._guard:
            is_idle = self._process_waits(now)
            takers = [worker for worker in self._workers if worker.taking]
            # A list, so that a sample is taken of each.
            waits = is_idle or all([self._waits(worker, now) for worker in takers])
            for worker in takers:
                if worker.mailbox is not None and now - worker.since >= LIMIT_S:
                    worker.taking = False
                    self._taking -= 1
            if not self._ready:
                self._burst = 1
                return []
            if waits:
                count = min(self._burst, len(self._ready))
                self._burst = min(self._burst * 2, self.limits.threads)
                self._surplus = 0
            else:
                count = 0 if self._taking else 1
                self._burst = 1
                self._surplus = max(0, self._taking - 1)
            found = (self._enlist() for _ in range(count))
            return [worker for worker in found if worker is not None]

    def _process_waits(self, now: float) -> bool:
        """Whether the process has hardly used a processor since the look before."""
        cpu_s = self._cpu_s(None)
        looked, used = self._looked
        self._looked = now, cpu_s
        took = now - looked
        return LOOK_S / 2 <= took <= 10 * LOOK_S and cpu_s - used < _WAITING_SHARE * took

    def _waits(self, worker: W, now: float) -> bool:
        """Whether its job is one that waits for something, as far as that is known."""
        if worker.mailbox is None or now - worker.since < PATIENCE_S:
            return False
        cpu_s = self._cpu_s(worker)
        since, looked, used = worker.sample
        worker.sample = worker.since, now, cpu_s
        return since == worker.since and cpu_s - used < _WAITING_SHARE * (now - looked)

    def found_lasting(self, now: float, seconds: float) -> tuple[list[Mailbox], bool]:
        """The mailboxes whose jobs have gone on for so long, each job once.

        Returns:
            the mailboxes; and whether to look again: mailboxes wait, or jobs run of which it is
            not known yet that they last.
        """
        found: list[Mailbox] = []
        with self._guard:
            young = False
            for worker in self._workers:
                mailbox = worker.mailbox
                if mailbox is not None and not worker.told:
                    worker.told = now - worker.since >= seconds
                    if worker.told:
                        found.append(mailbox)
                    else:
                        young = True
            return found, young or bool(self._ready)

    @property
    def overtaken(self) -> int:
        """How many threads are in jobs that were overtaken."""
        with self._guard:
            return sum(worker.mailbox is not None and not worker.taking for worker in self._workers)

    def at_work(self) -> list[W]:
        """The workers that are in a job."""
        with self._guard:
            return [worker for worker in self._workers if worker.mailbox is not None]
