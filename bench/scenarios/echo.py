"""What Hyperfocal's transport adds to the websocket library under it."""

from __future__ import annotations

import asyncio

from bench import Measure, Sample, Scenario
from bench.clients import Tally
from bench.peers import ECHOES, Bench, Server
from bench.scenarios.load import drive, measure, simultaneous_visits

__all__ = ("SCENARIOS",)


async def _echo(server: Server, bench: Bench) -> tuple[Sample, ...]:
    tally = Tally()
    visits = await simultaneous_visits(server, 10 if bench.quick else 100)
    for visit in visits:
        visit.begin(tally)
    measured = await measure(server, tally, bench.duration_s)
    await asyncio.gather(*(visit.close() for visit in visits))
    return (measured,)


SCENARIOS = (
    Scenario(
        "echo",
        "100 connections: messages per second through the transport alone, and the bare library",
        (
            Measure(
                "echo, 100 connections",
                "echoes/s",
                higher=True,
                targets={"raw-echo": 0.8},
                subject="hyperfocal-echo",
            ),
        ),
        tuple(ECHOES),
        lambda name, bench: drive(bench, name, "tiny", _echo),
    ),
)
