"""One callback of the server changes every session."""

from __future__ import annotations

import asyncio
import statistics
import time

from bench import Measure, Sample, Scenario
from bench.clients import TIMEOUT_S
from bench.clients.bokeh import Session
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.load import drive, settle, simultaneous_visits

__all__ = ("SCENARIOS",)

_SESSIONS = 1_000
_ROUNDS = 5


class _Audience:
    """Waits until each of its sessions has a text."""

    def __init__(self, sessions: list[Session]) -> None:
        self._waiting = 0
        self._size = len(sessions)
        self._text = b""
        self._told: asyncio.Future[None] | None = None
        for session in sessions:
            session.listener = self._listen

    def _listen(self, kind: str, content: bytes) -> None:
        if kind == "ERROR" and self._told is not None and not self._told.done():
            self._told.set_exception(RuntimeError(content.decode()))
        # A session may be told more than one thing in a message, but this thing once.
        if kind == "PATCH-DOC" and self._text in content:
            self._waiting -= 1
            if not self._waiting and self._told is not None and not self._told.done():
                self._told.set_result(None)

    async def all_told(self, teller: Session, number: int) -> float:
        """Seconds from the move of one session's slider until the last session has the change."""
        self._text = b"told %d" % number
        self._waiting = self._size
        self._told = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        teller.change(number)
        async with asyncio.timeout(TIMEOUT_S):
            await self._told
        return time.perf_counter() - start


async def _broadcast(server: Server, bench: Bench) -> tuple[Sample, ...]:
    visits = await simultaneous_visits(server, 20 if bench.quick else _SESSIONS)
    sessions = [visit for visit in visits if isinstance(visit, Session)]
    audience = _Audience(sessions)
    times: list[float] = []
    used = client = wall = 0.0
    for number in range(1_000, 1_000 + (2 if bench.quick else _ROUNDS) + 1):
        await settle(server)
        start, client_before, before = time.perf_counter(), time.process_time(), server.cpu_s()
        times.append(await audience.all_told(sessions[0], number))
        wall += time.perf_counter() - start
        client += time.process_time() - client_before
        used += server.cpu_s() - before
    shares = client / wall, used / wall
    return (Sample(statistics.median(times[1:]) * 1e3, *shares),)  # the first warms up


SCENARIOS = (
    Scenario(
        "broadcast",
        f"one callback changes {_SESSIONS} sessions: time until the last client has it",
        (Measure("broadcast to 1,000", "ms", targets={"bokeh": 6, "fastapi": 4}),),
        BOKEH_FAMILY,
        lambda name, bench: drive(bench, name, "broadcast", _broadcast),
        most_runs=3,
    ),
)
