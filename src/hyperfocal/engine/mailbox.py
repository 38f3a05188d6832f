"""A mailbox: calls that want one thing to themselves, one after the other.

Every session has one. Whatever needs the session's document (a client's message, a timer, code of
the server) is posted as a *job*. A job runs when the mailbox is its own, and ends by letting the
mailbox go with ``release``, be it later and in another thread: a turn of ``async`` code holds the
mailbox while its coroutine waits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

__all__ = ("Job", "Mailbox", "Moved", "Owner", "Scheduler", "moved")

#: Runs with the mailbox held, and has to see to it that ``Mailbox.release`` is called once.
Job: TypeAlias = Callable[[], None]


class Owner(NamedTuple):
    """On whose account threads are used.

    Attributes:
        visitor: the user's name, or else the client's address; empty: nobody in particular.
        application: the application's URL path.
        name: names the mailbox in logs, as in ``session 8Z…``.
    """

    visitor: str = ""
    application: str = "/"
    name: str = ""


class Scheduler(Protocol):
    """Whoever runs the jobs of mailboxes."""

    def ready(self, mailbox: Mailbox) -> None:
        """Run the next job of this mailbox, soon: call ``Mailbox.take`` and what it gives.

        From any thread. Called once for each job.
        """
        ...


def _nothing() -> None:
    """What is called where nobody wants to be told."""


class Moved(threading.local):
    """Of each thread: whose job has changed the working directory, and what takes that back."""

    mailbox: Mailbox | None = None
    take_back: Callable[[Mailbox], None] = staticmethod(lambda mailbox: None)


moved = Moved()


class Mailbox:
    """Jobs that wait, and who runs them. All methods are safe from any thread.

    ``_guard`` guards ``_jobs`` and ``_busy``; nothing else is locked or called while it is held.

    Args:
        scheduler: runs the jobs.
        owner: on whose account.

    Attributes:
        owner: on whose account.
        on_lasting: called on the I/O loop's thread once for a job that goes on for long.
        directory: the working directory of its jobs, where that is not the server's.
        keeper: the thread that has this mailbox for itself, where there is one.
    """

    __slots__ = (
        "_busy",
        "_guard",
        "_jobs",
        "_scheduler",
        "directory",
        "keeper",
        "on_lasting",
        "owner",
    )

    def __init__(self, scheduler: Scheduler, owner: Owner) -> None:
        self._scheduler = scheduler
        self._guard = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._busy = False  # somebody holds it, or a job waits for the scheduler
        self.owner = owner
        self.on_lasting: Callable[[], None] = _nothing
        self.directory: str | None = None
        self.keeper: object | None = None

    def __repr__(self) -> str:
        return f"<Mailbox of {self.owner.name or 'nobody'}, {len(self._jobs)} jobs>"

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits, or somebody holds it."""
        return self._busy

    @property
    def next_job(self) -> Job | None:
        """The job that waits for longest."""
        with self._guard:
            return self._jobs[0] if self._jobs else None

    def post(self, job: Job) -> None:
        """Run the job when those posted before have ended."""
        with self._guard:
            self._jobs.append(job)
            if self._busy:
                return
            self._busy = True
        self._scheduler.ready(self)

    def post_next(self, job: Job) -> None:
        """Run the job before those that wait. For a job that runs, and is to go on later."""
        with self._guard:
            self._jobs.appendleft(job)

    def try_hold(self) -> bool:
        """Hold it if nobody does and no job waits; whoever gets True calls ``release``."""
        with self._guard:
            if self._busy:
                return False
            self._busy = True
            return True

    def take(self) -> Job:
        """The next job, which holds the mailbox from now on. For the scheduler."""
        with self._guard:
            return self._jobs.popleft()

    def release(self) -> None:
        """The job has ended: the next may run. Whoever holds it calls this once."""
        if moved.mailbox is self:  # the next may run in another thread at once
            moved.take_back(self)
        with self._guard:
            if not self._jobs:
                self._busy = False
                return
        self._scheduler.ready(self)
