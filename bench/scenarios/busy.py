"""What 200 people get of a server whose callbacks all take some milliseconds."""

from __future__ import annotations

import statistics
from dataclasses import replace

from bench import Measure, Run, Sample, Scenario
from bench.clients import Tally
from bench.peers import Bench, Server
from bench.scenarios.load import drive, measure, simultaneous_visits

__all__ = ("SCENARIOS",)

_SESSIONS = 200
#: One server may make one round trip of each session a second.
_LEAST_S = 6.0


async def _busy(server: Server, bench: Bench) -> tuple[Sample, ...]:
    """Round trips of all sessions, and how much longer the worst one waits than the median one.

    Each session has one request under way at any time, so its mean wait is the time divided by
    the number of its answers.
    """
    visits = await simultaneous_visits(server, 10 if bench.quick else _SESSIONS)
    tallies = [Tally() for _ in visits]
    for visit, tally in zip(visits, tallies, strict=True):
        visit.begin(tally)
    duration_s = bench.duration_s if bench.quick else max(bench.duration_s, _LEAST_S)
    seen = await measure(server, tallies, duration_s)
    answers = sorted(len(tally.latencies_s) for tally in tallies)
    # A session without any answer has waited for at least as long as one with a single one.
    ratio = statistics.median(answers) / max(answers[0], 1)
    assert seen.server_us is not None
    return seen, replace(seen, value=ratio), replace(seen, value=seen.server_us)


def _run(what: str) -> Run:
    return lambda name, bench: drive(bench, name, "busy", _busy, env={"BENCH_BUSY": what})


SCENARIOS = tuple(
    Scenario(
        f"busy-{what}",
        f"{_SESSIONS} sessions whose callbacks {what} for 5 ms each: rate, and fairness",
        (
            Measure(
                f"round trips, callbacks that {what} 5 ms, {_SESSIONS} sessions",
                "trips/s",
                higher=True,
                targets={"bokeh-asgi": 1.0},
            ),
            Measure(
                f"mean wait of the worst session, callbacks that {what} 5 ms",
                "x the median one's",
                limit=2,
            ),
            Measure(f"CPU of a round trip, callbacks that {what} 5 ms", "µs"),
        ),
        ("bokeh", "bokeh-3.10", "bokeh-asgi", "hyperfocal"),
        _run(what),
        most_runs=3,
    )
    for what in ("sleep", "compute")
)
