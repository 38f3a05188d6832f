"""How long a change takes: from a slider's move to the server's answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bench import Measure, Run, Sample, Scenario
from bench.clients import Tally
from bench.clients.bokeh import Session
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.load import drive, measure, simultaneous_visits, with_latency

__all__ = ("SCENARIOS", "trips")


def trips(app: str, sessions: int) -> Run:
    """Sessions that move their sliders again as soon as they are answered.

    The first figure is the rate, the second the server's processor time of each round trip.
    """

    async def client(server: Server, bench: Bench) -> tuple[Sample, ...]:
        tally = Tally()
        visits = await simultaneous_visits(server, min(sessions, 10) if bench.quick else sessions)
        for visit in visits:
            visit.begin(tally)
        # Slow peers answer in waves: one answer for each session makes a rate.
        measured = await measure(server, tally, bench.duration_s, least=len(visits))
        await asyncio.gather(*(visit.close() for visit in visits))
        assert measured.server_us is not None
        return measured, replace(measured, value=measured.server_us)

    return lambda name, bench: drive(bench, name, app, client)


async def _pressed(button: str, server: Server, bench: Bench) -> Sample:
    tally = Tally()
    visits = await simultaneous_visits(server, 10 if bench.quick else _SESSIONS)
    for visit in visits:
        assert isinstance(visit, Session)
        visit.begin_pressing(tally, button)
    measured = await measure(server, tally, bench.duration_s, least=len(visits))
    await asyncio.gather(*(visit.close() for visit in visits))
    return measured


async def _async_share(server: Server, bench: Bench) -> tuple[Sample, ...]:
    """The rate with ``async`` callbacks as a share of that with plain ones, one after the other."""
    plain = await _pressed("plain", server, bench)
    coroutine = await _pressed("coroutine", server, bench)
    assert coroutine.server_us is not None
    return (
        replace(coroutine, value=coroutine.value / plain.value),
        plain,
        coroutine,
        replace(coroutine, value=coroutine.server_us),
    )


_SESSIONS = 100
_ALL = (
    *("bokeh", "bokeh-nodelay", "panel", "fastapi", "bokeh-3.10", "bokeh-asgi"),
    *("streamlit", "shiny", "hyperfocal", "floor"),
)

SCENARIOS = (
    Scenario(
        "roundtrip-1",
        "one session: median time from a slider's move to its answer",
        (
            Measure(
                "round trip, one session",
                "ms",
                targets={"bokeh": 80, "bokeh-nodelay": 4, "fastapi": 3},
                limit=0.12,
            ),
            Measure("CPU of a round trip, one session", "µs", limit=65),
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
                targets={"bokeh": 12, "bokeh-3.10": 12, "bokeh-asgi": 8, "floor": 1.1},
            ),
            Measure("CPU of a round trip, tiny, 100 sessions", "µs", limit=36),
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
            Measure("CPU of a round trip, sliders, 100 sessions", "µs"),
        ),
        (*BOKEH_FAMILY, "floor"),
        trips("sliders", 100),
    ),
    Scenario(
        "sliders-50",
        "the same with 50 sessions, against the floor",
        (
            Measure(
                "round trips, sliders, 50 sessions",
                "trips/s",
                higher=True,
                targets={"floor": 1.0},
            ),
            Measure("CPU of a round trip, sliders, 50 sessions", "µs"),
        ),
        ("bokeh", "bokeh-3.10", "bokeh-asgi", "hyperfocal", "floor"),
        trips("sliders", 50),
    ),
    Scenario(
        "async-100",
        "100 sessions press a button whose callback is a coroutine, or a plain one",
        (
            Measure("rate of async callbacks, plain ones being 1", "x", higher=True, least=0.5),
            Measure("round trips, plain button, 100 sessions", "trips/s", higher=True),
            Measure("round trips, async button, 100 sessions", "trips/s", higher=True),
            Measure("CPU of a round trip, async button, 100 sessions", "µs"),
        ),
        ("bokeh", "bokeh-3.10", "bokeh-asgi", "hyperfocal"),
        lambda name, bench: drive(bench, name, "press", _async_share),
        most_runs=3,
    ),
)
