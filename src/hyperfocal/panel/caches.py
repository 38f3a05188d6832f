"""``pn.cache`` and its kin, asked from several threads at once.

Panel looks whether a value is there, computes it and puts it there, and each who asks meanwhile
computes it, too. Here those wait for the first. Where it fails, those who waited compute for
themselves, as Panel would have them do, and so does whoever has waited for very long: the first may
be waiting for something that the other has.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from bokeh.document import Document

__all__ = ("share_caches",)

#: Seconds that somebody waits for what somebody else computes.
_PATIENCE_S = 60.0


class _Computation:
    """A value that a thread computes for all."""

    __slots__ = ("done", "owner", "value")

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self.done = threading.Event()
        self.value: tuple[Any] | None = None


_guard = threading.Lock()
#: What is being computed, by cache and key, and what threads wait for.
_running: dict[tuple[int, Hashable], _Computation] = {}
_awaited: dict[int, _Computation] = {}


def share_caches(module: Any, state: Any) -> Callable[..., Any]:
    """Have the threads of a process share what they compute.

    Args:
        module: Panel's, with the decorator.
        state: Panel's.

    Returns:
        what takes the decorator's place.
    """
    state._memoize_cache = _FirstOnes(state._memoize_cache)
    state._cache_locks = type(state)._cache_locks = _Forgiving(state._cache_locks)
    functions = _HashFunctions(module._hash_funcs)
    module._hash_funcs = functions
    module._override_hash_funcs = functions.overridden
    module.id = _identity
    module.cache = _sharing(module.cache, module)
    decorator: Callable[..., Any] = module.cache
    return decorator


def _sharing(own: Callable[..., Any], module: Any) -> Callable[..., Any]:
    @wraps(own)
    def cache(func: Callable[..., Any] | None = None, *args: Any, **kw: Any) -> Any:
        if func is None or module.iscoroutinefunction(func):
            # Without a function Panel gives a decorator, which comes back here with one.
            return own(func, *args, **kw)
        made: Any = None

        @wraps(func)
        def compute(*values: Any, **named: Any) -> Any:
            find = made.__closure__[made.__code__.co_freevars.index("hash_func")].cell_contents
            known, key, now = find(*values, **named)
            return _shared(known, key, now, lambda: func(*values, **named))

        made = own(compute, *args, **kw)
        return made

    return cache


def _shared(known: Any, key: Hashable, now: float, compute: Callable[[], Any]) -> Any:
    """The value that the cache has by now, that somebody computes, or that is computed here."""
    place = (builtins.id(known), key)
    with _guard:
        found = known.get(key)
        if found is not None:
            return found[0]
        others = _running.get(place)
        mine = _Computation()
        if others is None:
            _running[place] = mine
    if others is not None:
        value = _awaited_value(others)
        return value[0] if value is not None else compute()
    try:
        result = compute()
        mine.value = (result,)
        known[key] = (result, now, 0, now)  # before others are let in
    finally:
        with _guard:
            del _running[place]
        mine.done.set()
    return result


def _awaited_value(computation: _Computation) -> tuple[Any] | None:
    """What somebody else computes; ``None`` if nothing comes of it, or it is not to be awaited."""
    here = threading.get_ident()
    with _guard:
        awaited: _Computation | None = computation
        while awaited is not None:
            if awaited.owner == here:
                return None  # it waits for this thread, be it by way of others
            awaited = _awaited.get(awaited.owner)
        _awaited[here] = computation
    try:
        computation.done.wait(_PATIENCE_S)
        return computation.value
    finally:
        with _guard:
            del _awaited[here]


class _FirstOnes(dict[Any, Any]):
    """The caches by function: of two that threads make at the same moment the first stays."""

    def __setitem__(self, key: Any, value: Any) -> None:
        self.setdefault(key, value)


class _Forgiving(dict[Any, Any]):
    """The locks by key: two threads may forget one."""

    def __delitem__(self, key: Any) -> None:
        self.pop(key, None)


class _HashFunctions(dict[Any, Any]):
    """How values are hashed, with what the calling code's cache has of its own.

    Panel changes one dictionary while it hashes for one cache, and changes it back.
    """

    def __init__(self, functions: Mapping[Any, Any]) -> None:
        super().__init__(functions)
        self._own: ContextVar[Mapping[Any, Any]] = ContextVar("hyperfocal_hash_functions")

    @contextmanager
    def overridden(self, functions: Mapping[Any, Any]) -> Generator[None]:
        """Within, these count before the others."""
        if not functions:
            yield
            return
        token = self._own.set({**dict(self.items()), **functions})
        try:
            yield
        finally:
            self._own.reset(token)

    def __contains__(self, key: object) -> bool:
        own = self._own.get(None)
        return super().__contains__(key) if own is None else key in own

    def __getitem__(self, key: Any) -> Any:
        own = self._own.get(None)
        return super().__getitem__(key) if own is None else own[key]

    def items(self) -> Any:
        """See ``dict``."""
        own = self._own.get(None)
        return super().items() if own is None else own.items()

    def __iter__(self) -> Iterator[Any]:
        own = self._own.get(None)
        return super().__iter__() if own is None else iter(own)


_numbers = count(1)
_documents: WeakKeyDictionary[Document, int] = WeakKeyDictionary()


def _identity(thing: Any) -> int:
    """``id``, but that of a document is never given to another: caches of sessions go by it."""
    if not isinstance(thing, Document):
        return builtins.id(thing)
    with _guard:
        number = _documents.get(thing)
        if number is None:
            number = _documents[thing] = -next(_numbers)
        return number
