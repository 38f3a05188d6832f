"""What a visitor waits for, and how many visitors a server takes."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Mapping
from dataclasses import replace

from bench import Measure, Run, Sample, Scenario
from bench.clients import Tally
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.load import drive, measure, sample, settle

__all__ = ("SCENARIOS",)

_VISITORS = 8


async def _open(visitors: int, server: Server, bench: Bench) -> tuple[Sample, ...]:
    """Visits per second by visitors who leave at once and come again."""
    tally = Tally()

    async def visit() -> None:
        while True:
            start = time.perf_counter()
            visit = await server.visit(server.target)
            await visit.close()
            tally.latencies_s.append(time.perf_counter() - start)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(visit()) for _ in range(visitors)]
        least = 2 if bench.quick else 8
        measured = await measure(server, tally, bench.duration_s, least=least)
        for task in tasks:
            task.cancel()
    return (measured,)


async def _first(server: Server, bench: Bench) -> tuple[Sample, ...]:
    """Time from the request to the document, of visitors who find the server at rest."""
    tally = Tally()
    client, used = time.process_time(), server.cpu_s()
    begun = time.perf_counter()
    end = begun + bench.duration_s
    warm = False
    while time.perf_counter() < end or len(tally.latencies_s) < 3:
        await settle(server)
        start = time.perf_counter()
        visit = await server.visit(server.target)
        took_s = time.perf_counter() - start
        await visit.close()
        if warm:
            tally.latencies_s.append(took_s)
        warm = True  # the first visit loads what only the first one needs
    wall = time.perf_counter() - begun
    client, used = time.process_time() - client, server.cpu_s() - used
    measured = sample(server.name, tally, wall, client, used)
    assert measured.latency_p50_ms is not None
    return (replace(measured, value=measured.latency_p50_ms),)


def _opens(app: str) -> Run:
    # A heavy page takes long enough for two visitors to keep the server busy.
    client = functools.partial(_open, 2 if app == "heavy" else _VISITORS)
    return lambda name, bench: drive(bench, name, app, client)


def _firsts(app: str) -> Run:
    return lambda name, bench: drive(bench, name, app, _first)


def _opening(app: str, peers: tuple[str, ...], targets: Mapping[str, float]) -> Scenario:
    return Scenario(
        f"open-{app}",
        "visits per second, cold: page, websocket, ACK, document, close",
        (Measure(f"opens, {app}", "opens/s", higher=True, targets=targets),),
        peers,
        _opens(app),
        most_runs=5 if targets else 3,
    )


def _first_document(app: str, targets: Mapping[str, float]) -> Scenario:
    return Scenario(
        f"first-{app}",
        "time from request to document; hyperfocal-prewarm finds a session made ahead",
        (Measure(f"first document, {app}", "ms", targets=targets, subject="hyperfocal-prewarm"),),
        ("bokeh", "fastapi", "hyperfocal", "hyperfocal-prewarm"),
        _firsts(app),
        most_runs=5 if targets else 3,
    )


_EVERYBODY = ("bokeh", "bokeh-nodelay", "panel", "fastapi", "streamlit", "shiny", "hyperfocal")
_WARM = {"bokeh": 20.0, "fastapi": 20.0}

SCENARIOS = (
    _opening("tiny", _EVERYBODY, {"bokeh": 6, "fastapi": 4}),
    _opening("sliders", BOKEH_FAMILY, {"bokeh": 4, "fastapi": 3}),
    _opening("heavy", ("bokeh", "fastapi", "hyperfocal"), {}),
    _first_document("tiny", {}),
    _first_document("sliders", _WARM),
    _first_document("heavy", _WARM),
)
