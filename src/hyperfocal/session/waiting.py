"""Whether one task waits for another."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import types
from typing import Any

from hyperfocal.engine import Outcome, frame_of

__all__ = ("waits_for",)

#: What is looked into on the way from a task's done-callbacks to whoever they wake.
_LOOKED_INTO = (
    functools.partial,
    types.FunctionType,
    types.MethodType,
    types.BuiltinMethodType,
    types.CellType,
    tuple,
    asyncio.TaskGroup,
    Outcome,
)
_MAX_STEPS = 500


def waits_for(
    owner: asyncio.Task[Any] | None, task: asyncio.Task[Any], thread: int | None = None
) -> bool:
    """Whether ``owner``, or else the thread of this identity, is suspended until ``task`` ends.

    A thread may wait in ``Future.result`` for what ``run_coroutine_threadsafe`` gave. Follows what
    a task wakes when it ends: the task that awaits it, or the future on which that task is
    suspended in ``gather``, ``wait``, ``wait_for``, ``shield`` and task groups, over any
    number of tasks in between. Looks at asyncio's own bookkeeping; where that is not to be seen,
    the answer is no.
    """
    goals: list[Any]
    if owner is not None:
        goals = [owner, getattr(owner, "_fut_waiter", None)]
    elif thread is not None:
        goals = _awaited_in(thread)
    else:
        return False
    seen: set[int] = set()
    # The second value is how far from a future we are: callbacks hold what they wake closely.
    queue: list[tuple[Any, int]] = [(task, 0)]
    while queue and len(seen) < _MAX_STEPS:
        found, depth = queue.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if found is not task and any(found is goal for goal in goals if goal is not None):
            return True
        if isinstance(found, asyncio.Future):
            for callback in getattr(found, "_callbacks", None) or ():
                queue.append((callback[0] if isinstance(callback, tuple) else callback, 0))
        elif depth < 4 and (isinstance(found, _LOOKED_INTO)):
            queue.extend((other, depth + 1) for other in _held(found))
    return False


def _awaited_in(thread: int) -> list[Any]:
    """The futures for which a thread waits at the moment."""
    frame = frame_of(thread)
    found: list[Any] = []
    while frame is not None:
        if frame.f_code is _RESULT:
            found.append(frame.f_locals.get("self"))
        frame = frame.f_back
    return found


_RESULT = concurrent.futures.Future.result.__code__


def _held(callback: Any) -> list[Any]:
    """What a callback holds on to."""
    if isinstance(callback, types.FunctionType):
        return list(callback.__closure__ or ())
    if isinstance(callback, types.BuiltinMethodType):
        return [callback.__self__]  # the C task that is woken
    if isinstance(callback, asyncio.TaskGroup):
        # The future on which ``async with`` is suspended until the group's tasks have ended.
        return [getattr(callback, "_on_completed_fut", None)]
    return gc.get_referents(callback)
