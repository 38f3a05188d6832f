"""What fifty people feel while one session's callback takes two seconds, again and again."""

from __future__ import annotations

import asyncio
import time

from bench import Measure, Run, Sample, Scenario
from bench.clients import Tally
from bench.clients.bokeh import Session, slider_change
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.load import drive, sample, simultaneous_visits

__all__ = ("SCENARIOS", "Person")

_PEOPLE = 50
#: Seconds between two moves of one person.
_PACE_S = 0.2


class Person:
    """Moves their slider at their own pace, as long as the answers keep up with it."""

    def __init__(self, session: Session, tally: Tally, pace_s: float, name: str = "slider") -> None:
        self._session = session
        self._tally = tally
        self._pace_s = pace_s
        self._name = name
        self._value = 0
        self._sent = 0.0
        session.listener = self._listen

    def move(self) -> None:
        self._value += 1
        self._sent = time.perf_counter()
        content = slider_change(self._session.document, self._value, self._name)
        self._session.send("PATCH-DOC", content)

    def _listen(self, kind: str, content: bytes) -> None:
        if kind == "OK":
            took = time.perf_counter() - self._sent
            self._tally.latencies_s.append(took)
            loop = asyncio.get_running_loop()
            loop.call_later(max(0.0, self._pace_s - took), self.move)
        elif kind != "PATCH-DOC":
            self._tally.fail(f"{kind}: {content.decode()}")


def _felt(slow: str | None) -> Run:
    async def client(server: Server, bench: Bench) -> tuple[Sample, ...]:
        visits = await simultaneous_visits(server, 5 if bench.quick else _PEOPLE + 1)
        sessions = [visit for visit in visits if isinstance(visit, Session)]
        tally, other = Tally(), Tally()
        loop = asyncio.get_running_loop()
        for number, session in enumerate(sessions[1:]):
            person = Person(session, tally, _PACE_S)
            loop.call_later(_PACE_S * number / len(sessions), person.move)
        await asyncio.sleep(1.0)  # in which everybody's callbacks have run before
        if slow is not None:
            Person(sessions[0], other, 0.0, slow).move()
        tally.latencies_s.clear()
        start, before, used = time.perf_counter(), time.process_time(), server.cpu_s()
        await asyncio.sleep(max(1.0 if bench.quick else 9.0, bench.duration_s))
        wall = time.perf_counter() - start
        shares = time.process_time() - before, server.cpu_s() - used
        for failure in (tally.failure, other.failure):
            if failure is not None:
                raise RuntimeError(f"{server.name}: {failure}")
        seen = sample(server.name, tally, wall, *shares)
        await asyncio.gather(*(session.close() for session in sessions))
        assert seen.latency_p99_ms is not None
        return (
            Sample(
                seen.latency_p99_ms,
                seen.client_share,
                seen.server_share,
                seen.latency_p50_ms,
                seen.latency_p99_ms,
            ),
        )

    return lambda name, bench: drive(bench, name, "slow", client)


SCENARIOS = tuple(
    Scenario(
        f"isolation-{name}",
        f"{_PEOPLE} people move sliders{while_}: 99th percentile of their round trips",
        (Measure(f"p99 of {_PEOPLE} people{while_}", "ms", limit=limit),),
        BOKEH_FAMILY,
        _felt(slow),
        most_runs=3,
    )
    for name, while_, slow, limit in (
        ("quiet", "", None, None),
        ("sleep", " while another's callback sleeps 2 s", "sleeper", 50.0),
        ("compute", " while another's callback computes 2 s", "computer", 100.0),
    )
)
