"""How long a command takes before it is of use."""

from __future__ import annotations

import subprocess
import time

from bench import Measure, Sample, Scenario
from bench.cores import pin
from bench.environments import MissingPeerError
from bench.peers import Bench

__all__ = ("SCENARIOS",)


def _help(name: str, bench: Bench) -> tuple[Sample, ...]:
    """Milliseconds of ``<peer> --help``."""
    python, peer = bench.command(name)
    if not peer.help:
        raise MissingPeerError(f"{name} has no command")
    start = time.perf_counter()
    process = subprocess.Popen([python, *peer.help], stdout=subprocess.DEVNULL)
    pin(process.pid, bench.cores.server)
    if process.wait():
        raise RuntimeError(f"{process.args!r} failed")
    return (Sample((time.perf_counter() - start) * 1e3),)


def _listening(name: str, bench: Bench) -> tuple[Sample, ...]:
    """Milliseconds from the start until an HTTP request is answered."""
    bench.command(name)  # may install it
    start = time.perf_counter()
    with bench.serving(name, "tiny"):
        took_s = time.perf_counter() - start
    return (Sample(took_s * 1e3),)


SCENARIOS = (
    Scenario(
        "help",
        "time that --help takes",
        (Measure("--help", "ms", limit=150),),
        ("bokeh", "panel", "streamlit", "shiny", "hyperfocal"),
        _help,
    ),
    Scenario(
        "listening",
        "time from the start of the server until it answers",
        (Measure("start until listening", "ms", targets={"bokeh": 1}),),
        ("bokeh", "panel", "fastapi", "streamlit", "shiny", "hyperfocal"),
        _listening,
    ),
)
