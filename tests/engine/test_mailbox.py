from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hyperfocal.engine import Job, Mailbox, Owner


class ByHand:
    """A scheduler that runs jobs when the test says so."""

    def __init__(self) -> None:
        self.ready_ones: deque[Mailbox] = deque()

    def ready(self, mailbox: Mailbox) -> None:
        self.ready_ones.append(mailbox)

    def run(self) -> None:
        self.ready_ones.popleft().take()()


def noting(mailbox: Mailbox, log: list[str], name: str) -> Job:
    def job() -> None:
        log.append(name)
        mailbox.release()

    return job


def made() -> tuple[ByHand, Mailbox, list[str], Callable[[str], Job]]:
    scheduler = ByHand()
    mailbox, log = Mailbox(scheduler, Owner()), list[str]()
    return scheduler, mailbox, log, lambda name: noting(mailbox, log, name)


def test_jobs_run_one_after_the_other_in_the_order_in_which_they_were_posted() -> None:
    scheduler, mailbox, log, job = made()
    for name in "abc":
        mailbox.post(job(name))
    assert len(scheduler.ready_ones) == 1  # told once for each job that may run
    while scheduler.ready_ones:
        scheduler.run()
    assert log == ["a", "b", "c"]
    assert not mailbox.busy


def test_a_job_that_goes_on_elsewhere_keeps_the_mailbox_until_it_is_released() -> None:
    scheduler, mailbox, log, job = made()
    mailbox.post(lambda: log.append("begun"))
    mailbox.post(job("next"))
    scheduler.run()
    assert not scheduler.ready_ones
    assert mailbox.busy
    assert not mailbox.try_hold()
    mailbox.release()
    scheduler.run()
    assert log == ["begun", "next"]


def test_what_is_posted_next_goes_before_those_that_wait() -> None:
    scheduler, mailbox, log, job = made()

    def first() -> None:
        log.append("first")
        mailbox.post_next(job("rest"))
        mailbox.release()

    mailbox.post(first)
    mailbox.post(job("later"))
    while scheduler.ready_ones:
        scheduler.run()
    assert log == ["first", "rest", "later"]


def test_it_can_be_held_when_nobody_wants_it_and_only_then() -> None:
    scheduler, mailbox, log, job = made()
    assert mailbox.try_hold()
    assert not mailbox.try_hold()
    mailbox.post(job("waits"))
    assert not scheduler.ready_ones
    mailbox.release()
    assert not mailbox.try_hold()  # whoever waits comes first
    scheduler.run()
    assert log == ["waits"]
    assert mailbox.try_hold()
