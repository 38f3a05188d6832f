"""When a process is stuck, and when it only seems to be."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from hyperfocal.cluster.board import Board
from hyperfocal.cluster.patience import Patience, Verdict, processor_time, stands_still


class Watched:
    """A process that is looked at every 5 s, with 30 s to answer."""

    def __init__(self) -> None:
        self.patience = Patience(30)
        self.now = 1000.0
        self.answers = 7
        self.is_active = True
        self.stands_still = False

    def look(self, after_s: float = 5) -> Verdict:
        self.now += after_s
        return self.patience.look(
            self.now, self.answers, lambda: self.is_active, lambda: self.stands_still
        )

    def looks(self, count: int) -> list[str]:
        return [self.look().name for _ in range(count)]


def test_one_that_does_not_answer_is_stuck_when_its_time_is_over() -> None:
    watched = Watched()
    assert watched.looks(7) == ["ASK", *["NOTHING"] * 5, "STUCK"]
    assert watched.patience.waited_s == 30


def test_one_that_answers_is_asked_again_while_it_has_something_to_do() -> None:
    watched = Watched()
    for _ in range(20):
        assert watched.look() is Verdict.ASK
        watched.answers += 1
    watched.is_active = False
    assert watched.looks(3) == ["NOTHING"] * 3
    assert not watched.patience.is_waiting


@pytest.mark.parametrize(("limit_s", "every_s"), [(0.001, 0.1), (3, 0.5), (30, 5), (3600, 5)])
def test_looks_are_neither_too_many_nor_too_few(limit_s: float, every_s: float) -> None:
    assert Patience(limit_s).every_s == every_s


def test_a_late_answer_is_an_answer() -> None:
    watched = Watched()
    assert watched.looks(6) == ["ASK", *["NOTHING"] * 5]
    watched.answers += 1
    assert watched.looks(7) == ["ASK", *["NOTHING"] * 5, "STUCK"]


def test_answers_that_begin_again_at_0_are_answers() -> None:
    watched = Watched()
    watched.answers = 2**32 - 1
    assert watched.looks(2) == ["ASK", "NOTHING"]
    watched.answers = 0
    assert watched.look() is Verdict.ASK


@pytest.mark.parametrize("away_s", [16, 1e6])
def test_a_machine_that_was_suspended_gives_all_their_whole_time_again(away_s: float) -> None:
    watched = Watched()
    assert watched.looks(6) == ["ASK", *["NOTHING"] * 5]
    assert watched.look(away_s) is Verdict.ASK
    assert watched.looks(6) == [*["NOTHING"] * 5, "STUCK"]


def test_one_that_was_stopped_has_its_whole_time_when_it_goes_on() -> None:
    watched = Watched()
    assert watched.looks(3) == ["ASK", "NOTHING", "NOTHING"]
    watched.stands_still = True
    assert set(watched.looks(100)) == {"ASK"}
    watched.stands_still = False
    assert watched.looks(6) == [*["NOTHING"] * 5, "STUCK"]


def test_what_a_process_has_computed_is_seen_by_another() -> None:
    """Since its last answer, also when the numbers began again at 0."""
    board = Board(2)
    own = processor_time()
    assert own is not None
    seen = processor_time(os.getpid())
    if seen is None:
        pytest.skip("this system does not say")
    assert 0 <= seen - own < 1000
    board.answer(1, own)
    assert (board.answers(0), board.answers(1)) == (0, 1)
    assert board.used_since(1, own + 3) == 3
    board.answer(1, 2**32 * 3 - 2)
    assert board.used_since(1, 2**32 * 3 + 4) == 6
    board.begins(1)
    assert board.answers(1) == 0


def test_a_process_that_is_no_more_has_no_time_and_does_not_stand_still() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    assert processor_time(pid) is None
    assert not stands_still(pid)


def test_a_process_that_was_stopped_stands_still() -> None:
    def within(check: Callable[[], bool]) -> bool:
        end = time.monotonic() + 10
        while not check() and time.monotonic() < end:
            time.sleep(0.001)
        return check()

    pid = os.fork()
    if not pid:
        time.sleep(60)
        os._exit(0)
    try:
        assert not stands_still(pid)
        os.kill(pid, signal.SIGSTOP)
        assert within(lambda: stands_still(pid))
        os.kill(pid, signal.SIGCONT)
        assert within(lambda: not stands_still(pid))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
