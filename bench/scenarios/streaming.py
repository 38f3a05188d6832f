"""Many ndarrays to one browser."""

from __future__ import annotations

import asyncio
import time

from bench import Measure, Run, Sample, Scenario
from bench.clients import Tally
from bench.clients.bokeh import Session
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.load import drive

__all__ = ("SCENARIOS",)

_WARM_UP_S = 0.5


async def _stream(server: Server, bench: Bench) -> tuple[Sample, ...]:
    """Megabytes of arrays that arrive, per second of the server's processor."""
    visit = await server.visit(server.target)
    assert isinstance(visit, Session)
    tally = Tally()

    def listen(kind: str, content: bytes) -> None:
        if kind != "PATCH-DOC":
            tally.fail(f"{kind}: {content[:200]!r}")

    visit.listener = listen
    await asyncio.sleep(min(_WARM_UP_S, bench.duration_s))
    got, start = visit.buffer_bytes, time.perf_counter()
    client, used = time.process_time(), server.cpu_s()
    await asyncio.sleep(bench.duration_s)
    wall, got = time.perf_counter() - start, visit.buffer_bytes - got
    client, used = time.process_time() - client, server.cpu_s() - used
    await visit.close()
    if tally.failure is not None:
        raise RuntimeError(f"{server.name}: {tally.failure}")
    if not got:
        raise RuntimeError(f"{server.name} sent no arrays within {wall:.1f} s")
    achieved = {"achieved_mb_s": got / wall / 1e6}
    return (Sample(got / used / 1e6, client / wall, used / wall, details=achieved),)


def _run(mb_s: int) -> Run:
    env = {"BENCH_STREAM_MB_S": str(mb_s)}
    return lambda name, bench: drive(bench, name, "stream", _stream, env=env)


SCENARIOS = tuple(
    Scenario(
        f"stream-{mb_s}",
        f"one session gets {mb_s} MB/s of ndarrays: megabytes per second of server CPU",
        (
            Measure(
                f"streaming, {mb_s} MB/s",
                "MB/CPU s",
                higher=True,
                targets={"bokeh": 5, "fastapi": 3},
            ),
        ),
        (*BOKEH_FAMILY, "floor"),
        _run(mb_s),
    )
    for mb_s in (1, 50)
)
