"""What sessions cost that only stay connected."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import uvloop

from bench import Measure, Sample, Scenario
from bench.clients import Visit
from bench.peers import Bench, Server
from bench.scenarios.load import drive, settle, simultaneous_visits

__all__ = ("SCENARIOS",)

#: Sessions that are there before memory is counted: what only the first one needs is loaded.
_FIRST = 4
#: How often servers ping their clients unless told otherwise; the window holds one ping of each.
_KEEP_ALIVE_S = 37.0


@dataclass(slots=True)
class _Household:
    """A server with its idle sessions."""

    server: Server
    visits: list[Visit]
    memory_kib: float
    cpu_s: float = 0.0


async def _settled(server: Server, sessions: int, bench: Bench) -> _Household:
    """Open sessions; the memory in KiB is that of each one."""
    count = min(sessions, 10) if bench.quick else sessions
    visits = await simultaneous_visits(server, _FIRST)
    await settle(server)
    before = server.memory_bytes()
    visits += await simultaneous_visits(server, count)
    await settle(server)
    memory = (server.memory_bytes() - before) / count / 1024
    return _Household(server, visits, memory)


async def _leave(household: _Household) -> None:
    await asyncio.gather(*(visit.close() for visit in household.visits), return_exceptions=True)


async def _watch(servers: Sequence[Server], bench: Bench) -> Mapping[str, Sequence[Sample]]:
    """CPU in microseconds per session and second; memory in KiB per session."""
    households = [await _settled(server, 100, bench) for server in servers]
    start, client = time.perf_counter(), time.process_time()
    for household in households:
        household.cpu_s = household.server.cpu_s()
    await asyncio.sleep(_window_s(bench))
    wall, client = time.perf_counter() - start, time.process_time() - client
    samples: dict[str, Sequence[Sample]] = {}
    for household in households:
        used = household.server.cpu_s() - household.cpu_s
        shares = client / wall, used / wall
        samples[household.server.name] = (
            Sample(used / wall / len(household.visits) * 1e6, *shares),
            Sample(household.memory_kib, *shares),
        )
    for household in households:
        await _leave(household)
    return samples


def _window_s(bench: Bench) -> float:
    return bench.duration_s if bench.quick else _KEEP_ALIVE_S


def _together(names: Sequence[str], bench: Bench) -> Mapping[str, Sequence[Sample] | Exception]:
    """Watch all peers in the same window: they do next to nothing, and so do not disturb."""
    failures: dict[str, Exception] = {}
    servers: list[Server] = []
    with ExitStack() as stack:
        for name in names:
            try:
                serving = bench.serving(name, "tiny", keep_alive_s=_window_s(bench))
                servers.append(stack.enter_context(serving))
            except Exception as error:
                failures[name] = error
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return {**runner.run(_watch(servers, bench)), **failures}


async def _memory(sessions: int, server: Server, bench: Bench) -> tuple[Sample, ...]:
    household = await _settled(server, sessions, bench)
    await _leave(household)
    return (Sample(household.memory_kib),)


SCENARIOS = (
    Scenario(
        "idle",
        "100 sessions of tiny that only stay connected for 37 s: CPU and memory of each",
        (
            Measure("idle session, CPU", "µs/s", targets={"bokeh": 5, "fastapi": 5}),
            Measure("idle session, memory, tiny", "KiB", targets={"bokeh": 1, "fastapi": 1}),
        ),
        ("bokeh", "panel", "fastapi", "streamlit", "shiny", "hyperfocal"),
        together=_together,
        most_runs=2,
    ),
    Scenario(
        "memory-sliders",
        "50 idle sessions of sliders: memory of each",
        (Measure("idle session, memory, sliders", "KiB", targets={"bokeh": 1, "fastapi": 1}),),
        ("bokeh", "fastapi", "hyperfocal"),
        lambda name, bench: drive(bench, name, "sliders", functools.partial(_memory, 50)),
        most_runs=3,
    ),
)
