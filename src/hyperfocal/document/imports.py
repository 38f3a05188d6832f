"""Imports of worker threads, one at a time.

Where two threads import modules that import each other, Python keeps them from waiting for ever by
showing one of them a module that is half done. Packages such as HoloViews are not made for that,
and servers with one thread never did it to them.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from bokeh.models.sources import ColumnDataSource

__all__ = ("imports_take_turns",)

#: Seconds that an import waits for others at the most: one of them may wait for it.
_LIMIT_S = 30.0


class _Turns:
    """Who imports at the moment.

    Attributes:
        guard: to be held for everything.
        thread: the worker thread that imports.
        packages: what it is in the middle of, the outermost first.
    """

    def __init__(self) -> None:
        self.guard = threading.Condition()
        self.thread: int | None = None
        self.packages: list[str] = []

    def must_wait(self, package: str, *, is_worker: bool) -> bool:
        """Whether the calling thread must not import something of this package yet.

        Worker threads wait for each other. Others, the event loop's above all, wait for nobody
        but who is in the middle of the same package.
        """
        return self.thread is not None and (is_worker or package in self.packages)

    def begin(self, package: str, *, is_worker: bool) -> bool:
        """Wait until the calling thread may import. Whether it has a turn, to be ended."""
        latest: float | None = None
        while self.must_wait(package, is_worker=is_worker):
            now = time.monotonic()
            latest = latest if latest is not None else now + _LIMIT_S
            if now >= latest:
                return False
            self.guard.wait(latest - now)
        if is_worker:
            self.thread = threading.get_ident()
            self.packages.append(package)
        return is_worker

    def go_on(self, package: str) -> bool:
        """The same for an import within another one, which does not wait."""
        if self.thread != threading.get_ident():
            return False
        self.packages.append(package)
        return True

    def end(self) -> None:
        """What was begun last is there, or has failed."""
        self.packages.pop()
        if not self.packages:
            self.thread = None
        self.guard.notify_all()

    def forked(self) -> None:
        """In the child there is no other thread."""
        self.guard = threading.Condition()
        if self.thread != threading.get_ident():
            self.thread = None
            self.packages.clear()


class _Here(threading.local):
    """What is known of the calling thread."""

    is_worker = False
    imports = False


_turns = _Turns()
_here = _Here()
_replaced: list[Callable[..., Any]] = []


def imports_take_turns() -> None:
    """From here on, what the calling thread imports is not imported by another one meanwhile."""
    _here.is_worker = True
    with _turns.guard:
        if not _replaced:
            _install()


def _install() -> None:
    # Python calls this for a module that is not there yet; for others nothing changes.
    for place, name, replacement in (
        (sys.modules["_frozen_importlib"], "_find_and_load", _find_and_load),
        (ColumnDataSource, "_stream", _stream),
    ):
        _replaced.append(getattr(place, name))
        setattr(place, name, replacement)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_turns.forked)


def _find_and_load(name: str, import_: Any) -> ModuleType:
    if _is_there(name):
        return _load(name, import_)
    package = name.partition(".")[0]
    is_outermost = not _here.imports
    with _turns.guard:
        if is_outermost:
            has_turn = _turns.begin(package, is_worker=_here.is_worker)
        else:
            has_turn = _turns.go_on(package)
    _here.imports = True
    try:
        return _load(name, import_)
    finally:
        if is_outermost:
            _here.imports = False
        if has_turn:
            with _turns.guard:
                _turns.end()


def _load(name: str, import_: Any) -> ModuleType:
    module: ModuleType = _replaced[0](name, import_)
    return module


def _is_there(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)


# Python leaves its own lines out of the tracebacks of failed imports, and these are some of them.
for _function in (_find_and_load, _load):
    _function.__code__ = _function.__code__.replace(co_filename="<frozen importlib._bootstrap>")


def _stream(self: Any, *args: Any, **kw: Any) -> Any:
    # Bokeh takes it from there, be it half done; an import waits.
    if "pandas" in sys.modules:
        importlib.import_module("pandas")
    return _replaced[1](self, *args, **kw)
