"""What belongs to no session: scheduled tasks, shared executors, caches of a module."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import panel as pn

executor = ThreadPoolExecutor(2)
told: list[Callable[[], None]] = []
numbers = itertools.count(1)


def task() -> None:
    """Tells whoever wants to know."""
    for tell in list(told):
        tell()


computed = itertools.count(1)


class Gate:
    """Holds computations up until it is opened; counts who has come."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.came = 0

    def wait(self) -> None:
        self.came += 1
        assert self.opened.wait(20)


gate = Gate()


@pn.cache
def of_module(key: str) -> str:
    gate.wait()
    return f"{key} {next(computed)}"


@pn.cache(per_session=True)
def of_each_session(key: str) -> str:
    return f"{key} {next(computed)}"


@pn.cache
def fails_at_first(key: str) -> str:
    number = next(computed)
    gate.wait()
    if number == 1:
        raise ValueError("the first fails")
    return f"{key} done"
