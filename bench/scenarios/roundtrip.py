"""How long a change takes: from a slider's move to the server's answer."""

from __future__ import annotations

import asyncio

from bench import Measure, Run, Sample, Scenario
from bench.clients import Tally
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.load import drive, measure, simultaneous_visits, with_latency

__all__ = ("SCENARIOS", "trips")


def trips(app: str, sessions: int) -> Run:
    """Sessions that move their sliders again as soon as they are answered."""

    async def client(server: Server, bench: Bench) -> tuple[Sample, ...]:
        tally = Tally()
        visits = await simultaneous_visits(server, min(sessions, 10) if bench.quick else sessions)
        for visit in visits:
            visit.begin(tally)
        # Slow peers answer in waves: one answer for each session makes a rate.
        measured = await measure(server, tally, bench.duration_s, least=len(visits))
        await asyncio.gather(*(visit.close() for visit in visits))
        return (measured,)

    return lambda name, bench: drive(bench, name, app, client)


_ALL = ("bokeh", "bokeh-nodelay", "panel", "fastapi", "streamlit", "shiny", "hyperfocal", "floor")

SCENARIOS = (
    Scenario(
        "roundtrip-1",
        "one session: median time from a slider's move to its answer",
        (
            Measure(
                "round trip, one session",
                "ms",
                targets={"bokeh": 80, "bokeh-nodelay": 4, "fastapi": 3},
            ),
        ),
        _ALL,
        with_latency(trips("tiny", 1)),
    ),
    Scenario(
        "roundtrip-100",
        "100 sessions: such round trips per second",
        (
            Measure(
                "round trips, tiny, 100 sessions",
                "trips/s",
                higher=True,
                targets={"bokeh": 9, "fastapi": 5},
            ),
        ),
        _ALL,
        trips("tiny", 100),
    ),
    Scenario(
        "sliders-100",
        "the same, where each move replaces 200 points held in ndarrays",
        (
            Measure(
                "round trips, sliders, 100 sessions",
                "trips/s",
                higher=True,
                targets={"bokeh": 6, "fastapi": 4},
            ),
        ),
        (*BOKEH_FAMILY, "floor"),
        trips("sliders", 100),
    ),
)
