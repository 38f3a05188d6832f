"""What a second process brings where callbacks compute. The client needs its share of the cores."""

from __future__ import annotations

from bench import Measure, Scenario
from bench.scenarios.roundtrip import trips

__all__ = ("SCENARIOS",)

SCENARIOS = (
    Scenario(
        "processes",
        "20 sessions whose callbacks compute for some milliseconds: round trips per second, with "
        "two processes (…-procs) and with one",
        (Measure("round trips, computing, 20 sessions", "trips/s", higher=True),),
        ("bokeh", "bokeh-procs", "hyperfocal", "hyperfocal-procs"),
        trips("computing", 20),
    ),
)
