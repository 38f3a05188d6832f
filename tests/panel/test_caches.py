"""Threads that ask a cache at once; the rest of the seam is tried with Panel itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hyperfocal.panel import caches

Cache = dict[str, tuple[str, float, int, float]]


def ask(cache: Cache, key: str, compute: Callable[[], str]) -> str:
    value: str = caches._shared(cache, key, 0.0, compute)
    return value


def is_awaited() -> bool:
    with caches._guard:
        return bool(caches._awaited)


def until_awaited() -> None:
    deadline = threading.Event()
    for _ in range(2_000):
        if is_awaited():
            return
        deadline.wait(0.005)
    raise AssertionError("nobody waits")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Generator[None]:
    yield
    assert not caches._running
    assert not caches._awaited


def test_those_who_come_meanwhile_get_the_value_of_the_first() -> None:
    cache: Cache = {}
    begun, go_on = threading.Event(), threading.Event()

    def compute() -> str:
        begun.set()
        assert go_on.wait(10)
        return "value"

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(ask, cache, "key", compute)
        assert begun.wait(10)
        others = [threads.submit(ask, cache, "key", lambda: "other") for _ in range(2)]
        until_awaited()
        go_on.set()
        assert first.result(10) == "value"
        assert {other.result(10) for other in others} == {"value"}
    assert ask(cache, "key", lambda: "other") == "value"


def test_where_the_first_fails_the_others_compute_for_themselves() -> None:
    cache: Cache = {}
    begun, go_on = threading.Event(), threading.Event()

    def fails() -> str:
        begun.set()
        assert go_on.wait(10)
        raise SystemExit(3)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, cache, "key", fails)
        assert begun.wait(10)
        other = threads.submit(ask, cache, "key", lambda: "other")
        until_awaited()
        go_on.set()
        with pytest.raises(SystemExit):
            first.result(10)
        assert other.result(10) == "other"


def test_a_computation_that_asks_for_itself_does_not_wait_for_itself() -> None:
    cache: Cache = {}
    assert ask(cache, "key", lambda: ask(cache, "key", lambda: "inner")) == "inner"


def test_two_that_ask_for_each_others_do_not_wait_for_each_other() -> None:
    cache: Cache = {}
    both = threading.Barrier(2)

    def compute(other: str) -> str:
        both.wait(10)
        return ask(cache, other, lambda: f"own {other}")

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(ask, cache, "a", lambda: compute("b"))
        two = threads.submit(ask, cache, "b", lambda: compute("a"))
        assert one.result(10).startswith("own")
        assert two.result(10).startswith("own")


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_PATIENCE_S", 0.01)
    cache: Cache = {}
    lock = threading.RLock()
    begun, has_lock = threading.Event(), threading.Event()

    def compute() -> str:
        begun.set()
        assert has_lock.wait(10)
        with lock:
            return "value"

    def asks_with_the_lock() -> str:
        assert begun.wait(10)
        with lock:
            has_lock.set()
            return ask(cache, "key", lambda: "own")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, cache, "key", compute)
        other = threads.submit(asks_with_the_lock)
        assert other.result(10) == "own"
        assert first.result(10) == "value"
