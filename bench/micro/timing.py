"""How long one call takes."""

from __future__ import annotations

import gc
import statistics
import time

from bench.micro.operations import WAYS, Call

__all__ = ("microseconds",)

#: A batch of calls lasts this long, so that reading the clock does not count.
_BATCH_S = 0.005


def microseconds(theirs: Call, ours: Call, duration_s: float) -> tuple[list[float], list[float]]:
    """Microseconds per call, of batches that take turns; the garbage collector rests.

    Ours run with the acceleration, as our server does, and Bokeh's without.

    Args:
        duration_s: for both together.
    """
    calls = (theirs, ours)
    sizes: list[int] = []
    for way, call in zip(WAYS, calls, strict=True):
        way()
        sizes.append(_batch_size(call))
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + duration_s
        while len(times[0]) < 5 or time.perf_counter() < end:
            for way, call, size, taken in zip(WAYS, calls, sizes, times, strict=True):
                way()
                start = time.perf_counter()
                for _ in range(size):
                    call()
                taken.append((time.perf_counter() - start) / size * 1e6)
    finally:
        gc.enable()
    return times


def _batch_size(call: Call) -> int:
    call()
    taken: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return max(1, round(_BATCH_S / statistics.median(taken)))
