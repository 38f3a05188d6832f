"""Which thread runs what: thousands of seeded runs of the crew, and mistakes it has to notice.

The threads are virtual and the time jumps. What must hold, whatever the order of events: no mailbox
is run by two threads, jobs of a mailbox keep their order, nothing that is ready is lost, nobody
waits for long behind jobs that last, and nobody has more threads than their share.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from hyperfocal.engine import Crew, Mailbox, Owner, ThreadLimits, Worker
from hyperfocal.engine.crew import LOOK_S

#: Worlds that are lived through, and in how many a mistake has to show.
WORLDS, TRIES = 400, 60


class World:
    """Sessions, their jobs, virtual threads, and a clock that jumps."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        rng = self.rng
        self.limits = ThreadLimits(
            threads=rng.choice([4, 16, 64]),
            per_visitor=rng.choice([2, 3]),
            per_application=rng.choice([3, 12]),
        )
        self.crew: Crew[Worker] = Crew(self.limits, Worker, self._cpu_s)
        self.computes = rng.random() < 0.5  # all that takes time computes, else it sleeps
        self.wrong: list[str] = []
        self.mailboxes = [
            Mailbox(self, Owner(f"visitor-{n % 5}", f"/app-{n % 3}", f"session {n}"))
            for n in range(rng.choice([1, 5, 40]))
        ]
        self._running: dict[Mailbox, Worker] = {}
        self._asleep: set[Worker] = set()
        self._posted: Counter[Mailbox] = Counter()
        self._done: Counter[Mailbox] = Counter()
        self.waits: list[float] = []

    # --- the clock ------------------------------------------------------------------------------

    def at(self, when: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), call))

    def expect(self, condition: object, otherwise: str) -> None:
        if not condition:
            self.wrong.append(f"{self.now:.4f}: {otherwise}")

    def _cpu_s(self, worker: Worker | None) -> float:
        return self.now if self.computes else 0.0

    # --- jobs -----------------------------------------------------------------------------------

    def post(self, mailbox: Mailbox, seconds: float) -> None:
        number = self._posted[mailbox]
        self._posted[mailbox] += 1
        posted = self.now

        def job() -> None:
            self.expect(self._done[mailbox] == number, f"{mailbox} runs out of order")
            self.expect(mailbox not in self._running, f"{mailbox} is run by two threads")
            worker = self._current
            self._running[mailbox] = worker
            self.waits.append(self.now - posted)
            self._check_shares()
            self.at(self.now + seconds, lambda: self._end(mailbox, worker))

        mailbox.post(job)

    def _end(self, mailbox: Mailbox, worker: Worker) -> None:
        self._running.pop(mailbox, None)
        self._done[mailbox] += 1
        mailbox.release()
        self._go_on(worker)

    def _check_shares(self) -> None:
        limits = self.limits
        visitors = Counter(one.owner.visitor for one in self._running)
        applications = Counter(one.owner.application for one in self._running)
        self.expect(max(visitors.values()) <= limits.per_visitor, "a visitor has too many threads")
        self.expect(
            max(applications.values()) <= limits.per_application,
            "an application has too many threads",
        )
        self.expect(len(self._running) <= limits.threads, "there are too many threads")

    # --- threads --------------------------------------------------------------------------------

    def ready(self, mailbox: Mailbox) -> None:
        worker = self.crew.add(mailbox)
        if worker is not None:
            self._wake(worker)

    def _wake(self, worker: Worker) -> None:
        self.at(self.now + self.rng.choice([0.0, 0.0001]), lambda: self._go_on(worker))

    def _go_on(self, worker: Worker) -> None:
        mailbox = self.crew.next(worker, self.now)
        if mailbox is not None:
            self._current = worker
            mailbox.take()()

    def _look(self) -> None:
        for worker in self.crew.look(self.now):
            self._wake(worker)
        self.at(self.now + LOOK_S, self._look)

    # --- a run ----------------------------------------------------------------------------------

    def run(self) -> list[str]:
        rng = self.rng
        sleeps = rng.choice([0.0, 0.01, 0.3])
        for _ in range(300):
            mailbox = rng.choice(self.mailboxes)
            lasting = rng.random() < 0.1
            seconds = rng.choice([sleeps, 0.05]) if lasting else rng.choice([0.0, 0.0003])
            when = rng.random() * 0.5
            self.at(when, partial(self.post, mailbox, seconds))
        self.at(0.0, self._look)
        while self._events and self.now < 30.0:
            self.now, _, call = heapq.heappop(self._events)
            call()
            if self._done.total() == 300:
                break
        self.expect(self._done.total() == 300, f"only {self._done.total()} of 300 jobs were run")
        for mailbox in self.mailboxes:
            self.expect(not mailbox.busy, f"{mailbox} stays busy")
        return self.wrong


def failures(worlds: int) -> dict[int, list[str]]:
    return {seed: wrong for seed in range(worlds) if (wrong := World(seed).run())}


def test_nothing_is_wrong_in_any_world() -> None:
    assert failures(WORLDS) == {}


# --- mistakes -----------------------------------------------------------------------------------


def _a_wake_up_is_lost(patch: pytest.MonkeyPatch) -> None:
    add = Crew.add

    def forgetful(self: Any, mailbox: Mailbox) -> Any:
        worker = add(self, mailbox)
        return None if len(self._workers) > 1 else worker

    patch.setattr(Crew, "add", forgetful)


def _a_mailbox_is_run_by_two_threads(patch: pytest.MonkeyPatch) -> None:
    release = Mailbox.release

    def twice(self: Any) -> None:
        if len(self._jobs) > 1:
            self._scheduler.ready(self)
        release(self)

    patch.setattr(Mailbox, "release", twice)


def _a_takeover_loses_the_head_of_the_queue(patch: pytest.MonkeyPatch) -> None:
    look = Crew.look

    def careless(self: Any, now: float) -> Any:
        found = look(self, now)
        if found and self._ready:
            self._ready.popleft()
        return found

    patch.setattr(Crew, "look", careless)


def _those_set_aside_starve(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Crew, "_admit_next", lambda self, owner: None)


def _a_thread_is_idle_twice(patch: pytest.MonkeyPatch) -> None:
    park = Crew._park

    def twice(self: Any, worker: Worker) -> None:
        park(self, worker)
        self._idle.append(worker)

    patch.setattr(Crew, "_park", twice)


def _shares_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Crew, "_share_exceeded", lambda self, mailbox: None)


def _a_job_jumps_the_queue(patch: pytest.MonkeyPatch) -> None:
    def take(self: Any) -> Any:
        with self._guard:
            return self._jobs.pop()

    patch.setattr(Mailbox, "take", take)


MISTAKES = {
    name.strip("_"): value
    for name, value in list(globals().items())
    if name.startswith("_") and hasattr(value, "__code__")
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(MISTAKES) == 7
    MISTAKES[name](monkeypatch)

    def wrong(seed: int) -> bool:
        try:
            return bool(World(seed).run())
        except Exception:
            return True

    assert any(wrong(seed) for seed in range(TRIES))


# --- who waits for how long ---------------------------------------------------------------------


class Scene(World):
    """A world in which only that happens what a test says."""

    def __init__(self, sessions: int) -> None:
        super().__init__(0)
        self.limits = ThreadLimits()
        self.computes = False
        self.crew = Crew(self.limits, Worker, self._cpu_s)
        self.mailboxes = [Mailbox(self, Owner("", "/", f"{n}")) for n in range(sessions)]
        self.mailboxes[-1].owner = Owner("", "/other", "another")

    def play(self, seconds: float) -> None:
        self.at(0.0, self._look)
        while self._events and self._events[0][0] <= seconds:
            self.now, _, call = heapq.heappop(self._events)
            call()


def test_forty_that_sleep_at_once_keep_the_next_one_waiting_for_a_few_looks() -> None:
    scene = Scene(41)
    for mailbox in scene.mailboxes[:40]:
        scene.at(0.0, partial(scene.post, mailbox, 2.0))
    scene.at(0.001, lambda: scene.post(scene.mailboxes[40], 0.0))
    scene.play(1.0)
    assert len(scene.waits) == 33  # as many as an application may keep busy, and the other
    assert max(scene.waits) < 0.02


def test_of_those_that_compute_one_is_added_at_a_time() -> None:
    scene = Scene(10)
    for mailbox in scene.mailboxes:
        scene.at(0.0, partial(scene.post, mailbox, 2.0))

    scene.computes = True
    scene.play(0.021)
    assert len(scene.crew._workers) <= 5


def test_when_all_get_on_one_is_left() -> None:
    scene = Scene(20)
    for mailbox in scene.mailboxes:
        scene.at(0.0, partial(scene.post, mailbox, 0.03))
    scene.play(0.2)
    assert len(scene.waits) == 20
    assert sum(worker.taking for worker in scene.crew._workers) == 0
    scene.at(0.2, lambda: scene.post(scene.mailboxes[0], 0.0))
    scene.play(0.3)
    assert len(scene.waits) == 21


def test_a_visitor_without_a_name_has_no_share_of_their_own() -> None:
    scene = Scene(20)
    for mailbox in scene.mailboxes:
        scene.at(0.0, partial(scene.post, mailbox, 2.0))
    scene.play(0.5)
    assert len(scene._running) == 20
