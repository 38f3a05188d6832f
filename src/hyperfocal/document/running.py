"""Scripts that run side by side, in threads, each as if it were alone.

Bokeh's handlers run a script with ``sys.argv`` and ``sys.path`` of its own, with functions of
``bokeh.io`` replaced by ones that only log, and keep what went wrong in the handler. All of that is
the whole process's. Here it belongs to the context that runs the script: other threads, and
callbacks that run on the event loop meanwhile, see their own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import bokeh.io
from bokeh.application.handlers import code, code_runner
from bokeh.application.handlers.code import CodeHandler
from bokeh.application.handlers.code_runner import CodeRunner

from hyperfocal.document.signals import leave_signals_alone

__all__ = ("script_run", "silenced")


class _Run:
    """What belongs to one run of an application's scripts."""

    __slots__ = ("errors", "functions", "lists")

    def __init__(self) -> None:
        self.lists: dict[str, list[str]] = {"path": list(sys.path), "argv": list(sys.argv)}
        self.errors: dict[tuple[int, str], Any] = {}
        self.functions: dict[str, Callable[..., None]] = {}


_run: ContextVar[_Run | None] = ContextVar("hyperfocal_run", default=None)


class _ContextList(list[str]):
    """``sys.path`` or ``sys.argv``: within a run that run's, elsewhere the process's."""

    def __init__(self, name: str, items: list[str]) -> None:
        super().__init__(items)
        self.name = name

    def __reduce__(self) -> Any:
        return list, (list(self),)

    __hash__ = None


def _of_context(method: str) -> Callable[..., Any]:
    plain = getattr(list, method)

    @wraps(plain)
    def call(self: _ContextList, *args: Any, **kw: Any) -> Any:
        run = _run.get()
        return plain(self if run is None else run.lists[self.name], *args, **kw)

    return call


def _of_context_in_place(method: str) -> Callable[..., Any]:
    changing = _of_context(method)

    def call(self: _ContextList, other: Any) -> _ContextList:
        changing(self, other)
        return self

    return call


for _method in (
    *("__add__", "__contains__", "__delitem__", "__eq__", "__ge__", "__getitem__", "__gt__"),
    *("__iter__", "__le__", "__len__", "__lt__", "__mul__", "__ne__", "__repr__", "__reversed__"),
    *("__rmul__", "__setitem__", "append", "clear", "copy", "count", "extend", "index", "insert"),
    *("pop", "remove", "reverse", "sort"),
):
    setattr(_ContextList, _method, _of_context(_method))
for _method in ("__iadd__", "__imul__"):
    setattr(_ContextList, _method, _of_context_in_place(_method))


class _Sys:
    """``sys`` for Bokeh's script runner, which puts lists of its own in the place of the two."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("path", "argv"):
            getattr(sys, name)[:] = value
        else:
            setattr(sys, name, value)


class _OfRun:
    """An attribute of the script runner that is about one run."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, runner: Any, owner: type) -> Any:
        if runner is None:
            return self
        run = _run.get()
        if run is not None:
            return run.errors.get((id(runner), self._name))
        return vars(runner).get(self._name)

    def __set__(self, runner: Any, value: Any) -> None:
        run = _run.get()
        if run is not None:
            run.errors[id(runner), self._name] = value
        else:
            vars(runner)[self._name] = value


@contextmanager
def silenced(loggers: dict[str, Callable[..., None]]) -> Generator[None]:
    """Within, these take the place of functions of ``bokeh.io``, for the caller alone.

    In the place of Bokeh's ``_monkeypatch_io``; a script that exits leaves nothing behind.
    """
    run = _run.get()
    if run is None:
        yield
        return
    before, run.functions = run.functions, loggers
    try:
        yield
    finally:
        run.functions = before


def _only_outside_of_scripts(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kw: Any) -> Any:
        run = _run.get()
        instead = run.functions.get(name) if run is not None else None
        return (function if instead is None else instead)(*args, **kw)

    return call


def _install() -> None:
    runner: Any = CodeRunner
    for name in ("_failed", "_error", "_error_detail"):
        setattr(runner, name, _OfRun(name))
    namespace: Any = code_runner
    namespace.sys = _Sys()
    namespace = code
    namespace._monkeypatch_io = silenced
    for name in CodeHandler._io_functions:
        setattr(bokeh.io, name, _only_outside_of_scripts(name, getattr(bokeh.io, name)))
    leave_signals_alone()


_install()


def _adopt() -> None:
    """Have ``sys.path`` and ``sys.argv`` go by the context, whoever has assigned to them."""
    for name in ("path", "argv"):
        items = getattr(sys, name)
        if not isinstance(items, _ContextList):
            setattr(sys, name, _ContextList(name, items))


@contextmanager
def script_run() -> Generator[None]:
    """Within, ``sys.argv``, ``sys.path`` and the errors of script handlers are the caller's own."""
    _adopt()
    token = _run.set(_Run())
    path, argv = sys.path, sys.argv
    try:
        yield
    finally:
        _run.reset(token)
        sys.path, sys.argv = path, argv  # a script may have assigned to them
