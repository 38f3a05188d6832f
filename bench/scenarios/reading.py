"""A tab that reads nothing while its session streams: what it costs, and who feels it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from bench import Measure, Sample, Scenario
from bench.clients import Tally
from bench.clients.bokeh import Session, slider_change
from bench.clients.websocket import fetch
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.isolation import Person, waiting_s
from bench.scenarios.load import drive, sample, simultaneous_visits
from hyperfocal.testing import page_token

__all__ = ("SCENARIOS",)

_PEOPLE = 20
_PACE_S = 0.2
_WINDOW_S = 60.0
#: What may wait for a tab (``--outbox-max-bytes``), in megabytes.
_BOUND_MB = 64 * 1024 * 1024 / 1e6


async def _two_tabs(server: Server) -> tuple[Session, Session]:
    """Two tabs of one session, both with its document."""
    token = page_token((await fetch(server.target)).decode())
    tabs: list[Session] = []
    for _ in range(2):
        tab = Session(server.target, token)
        await tab.connect()
        await tab.answer()
        await tab.pull()
        tabs.append(tab)
    return tabs[0], tabs[1]


async def _watch(server: Server, bench: Bench) -> tuple[Sample, ...]:
    """What the others wait for, the memory that it takes, what the second tab gets."""
    visits = await simultaneous_visits(server, 3 if bench.quick else _PEOPLE)
    tally = Tally()
    loop = asyncio.get_running_loop()
    people: list[Person] = []
    for number, session in enumerate(visits):
        assert isinstance(session, Session)
        people.append(Person(session, tally, _PACE_S))
        loop.call_later(_PACE_S * number / len(visits), people[-1].move)
    deaf, live = await _two_tabs(server)
    live.listener = lambda kind, content: None
    live.send("PATCH-DOC", slider_change(live.document, 1, "stream"))
    await asyncio.sleep(1.0)
    tally.latencies_s.clear()
    memory, got = server.memory_bytes(), live.buffer_bytes
    deaf.listener = lambda kind, content: None
    deaf.stop_reading()
    start, client, used = time.perf_counter(), time.process_time(), server.cpu_s()
    most = memory
    window = 2.0 if bench.quick else _WINDOW_S
    while time.perf_counter() - start < window:
        await asyncio.sleep(0.5)
        most = max(most, server.memory_bytes())
    wall = time.perf_counter() - start
    shares = (time.process_time() - client) / wall, (server.cpu_s() - used) / wall
    if tally.failure is not None:
        raise RuntimeError(f"{server.name}: {tally.failure}")
    tally.latencies_s += waiting_s(people)
    felt = sample(server.name, tally, wall, shares[0] * wall, shares[1] * wall)
    assert felt.worst_ms is not None
    return (
        replace(felt, value=felt.worst_ms),
        Sample(max(most - memory, 0) / 1e6, *shares),
        Sample((live.buffer_bytes - got) / wall / 1e6, *shares),
    )


SCENARIOS = (
    Scenario(
        "deaf-tab",
        "a tab reads nothing for 60 s while its session gets 1 MB/s: others, memory, a second tab",
        (
            Measure(f"{_PEOPLE} people beside a tab that does not read", "ms", waits=True),
            Measure("memory that a tab takes which does not read for 60 s", "MB", limit=_BOUND_MB),
            Measure("what a second tab of that session gets", "MB/s", higher=True),
        ),
        BOKEH_FAMILY,
        lambda name, bench: drive(bench, name, "reader", _watch),
        most_runs=1,
    ),
)
