"""Driving a server: visitors, and what they and the processors saw."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import uvloop

from bench import Run, Sample
from bench.clients import TIMEOUT_S, Tally, Target, Visit
from bench.peers import Bench, Server

__all__ = ("drive", "measure", "settle", "simultaneous_visits", "with_latency")

T = TypeVar("T")

#: How many pages load at the same time while sessions are being opened.
_OPENING = 8
#: A server that uses less of its core than this is at rest.
_RESTING_SHARE = 0.05


def drive(
    bench: Bench,
    name: str,
    app: str,
    client: Callable[[Server, Bench], Coroutine[None, None, T]],
    *,
    keep_alive_s: float = 37.0,
    env: Mapping[str, str] | None = None,
    auth: str = "",
    all_cores: bool = False,
) -> T:
    """Serve an application and run a client against it."""
    gc.collect()  # what earlier runs left must not be walked during this one
    gc.freeze()
    with (
        bench.serving(
            name, app, keep_alive_s=keep_alive_s, env=env, auth=auth, all_cores=all_cores
        ) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(client(server, bench))


async def measure(
    server: Server, tally: Tally | Sequence[Tally], duration_s: float, *, least: int = 1
) -> Sample:
    """Let the load run, after a warm-up. The value is the rate per second.

    Args:
        tally: of the clients, or one of each of them.
        least: so many answers are waited for, if need be for longer.

    Raises:
        RuntimeError: nothing was answered, or something went wrong.
    """
    tallies = (tally,) if isinstance(tally, Tally) else tally
    await asyncio.sleep(min(0.3, duration_s))
    for one in tallies:
        one.latencies_s.clear()
    start, client, used = time.perf_counter(), time.process_time(), server.cpu_s()
    await asyncio.sleep(duration_s)
    # Clients must not pay for telling us, so we look.
    while (  # noqa: ASYNC110
        sum(len(one.latencies_s) for one in tallies) < least
        and time.perf_counter() - start < TIMEOUT_S
    ):
        await asyncio.sleep(0.01)
    wall = time.perf_counter() - start
    client, used = time.process_time() - client, server.cpu_s() - used
    everybody = Tally([took for one in tallies for took in one.latencies_s])
    for one in tallies:
        if one.failure is not None:
            raise RuntimeError(f"{server.name}: {one.failure}")
    return sample(server.name, everybody, wall, client, used)


def sample(name: str, tally: Tally, wall_s: float, client_s: float, server_s: float) -> Sample:
    """What a tally says.

    Raises:
        RuntimeError: nothing.
    """
    seen = sorted(tally.latencies_s)
    if not seen:
        raise RuntimeError(f"{name} answered nothing within {wall_s:.1f} s")
    p50, p99 = statistics.median(seen) * 1e3, seen[int(len(seen) * 0.99)] * 1e3
    return Sample(
        len(seen) / wall_s,
        client_s / wall_s,
        server_s / wall_s,
        p50,
        p99,
        seen[-1] * 1e3,
        server_s / len(seen) * 1e6,
    )


def with_latency(run: Run) -> Run:
    """The same run, where the first figure is the median latency in milliseconds."""

    def timed(name: str, bench: Bench) -> tuple[Sample, ...]:
        rate, *more = run(name, bench)
        assert rate.latency_p50_ms is not None
        return (replace(rate, value=rate.latency_p50_ms), *more)

    return timed


async def simultaneous_visits(
    server: Server, number: int, target_of: Callable[[int], Target] | None = None
) -> list[Visit]:
    """So many pages, all open.

    Args:
        target_of: what the visitor of this number, from 1 on, opens, if not just the application.
    """
    visits: list[Visit] = []

    async def open_some(numbers: range) -> None:
        for at in numbers:
            target = server.target if target_of is None else target_of(at)
            visits.append(await server.visit(target))

    async with asyncio.TaskGroup() as group:
        for part in range(1, _OPENING + 1):
            group.create_task(open_some(range(part, number + 1, _OPENING)))
    return visits


async def settle(server: Server, timeout_s: float = 10.0) -> None:
    """Wait until the server has nothing left to do, a pool to fill for example."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        before = server.cpu_s()
        await asyncio.sleep(0.1)
        if server.cpu_s() - before < 0.1 * _RESTING_SHARE:
            return
