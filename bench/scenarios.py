"""What is measured, and how one run of it goes."""

from __future__ import annotations

import asyncio
import functools
import gc
import re
import statistics
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace

import uvloop
from bokeh.application import Application
from bokeh.application.handlers import ScriptHandler
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Serialized
from bokeh.document import Document

from bench import Run, Sample, Scenario
from bench.client import Session
from bench.peers import APPS, Cores, Peer, serving
from hyperfocal.document import encode_document

__all__ = ("SCENARIOS",)


@dataclass(slots=True)
class _Tally:
    """What the client saw since the warm-up ended."""

    latencies_s: list[float] = field(default_factory=list[float])
    failure: str | None = None

    async def measure(self, peer: Peer, duration_s: float) -> Sample:
        """Let the load run. The value is the rate per second."""
        await asyncio.sleep(min(0.5, duration_s))
        self.latencies_s.clear()
        start, client, server = time.perf_counter(), time.process_time(), peer.cpu_s()
        await asyncio.sleep(duration_s)
        wall = time.perf_counter() - start
        client, server = time.process_time() - client, peer.cpu_s() - server
        if self.failure is not None:
            raise RuntimeError(f"{peer.name}: {self.failure}")
        seen = sorted(self.latencies_s)
        if not seen:
            raise RuntimeError(f"{peer.name} answered nothing within {duration_s} s")
        p50, p99 = statistics.median(seen) * 1e3, seen[int(len(seen) * 0.99)] * 1e3
        return Sample(len(seen) / wall, client / wall, server / wall, p50, p99)


class _Mover:
    """Moves the slider of one session, again as soon as the server has said OK."""

    def __init__(self, session: Session, document: bytes, tally: _Tally) -> None:
        match = re.search(rb'"name":"Slider","id":"(\w+)","attributes":\{[^{}]*?"slider"', document)
        if match is None:
            raise RuntimeError("the document holds no slider of this name")
        self._before = b'{"events":[{"kind":"ModelChanged","model":{"id":"%b"},' % match[1]
        self._session = session
        self._tally = tally
        self._value = 0
        self._patched = False
        self._sent = 0.0

    def move(self) -> None:
        self._value += 1
        self._sent = time.perf_counter()
        content = self._before + b'"attr":"value","new":%d}]}' % self._value
        self._session.send("PATCH-DOC", content)

    def listen(self, kind: str, content: bytes) -> None:
        if kind == "PATCH-DOC":
            self._patched = True
        elif kind != "OK":
            self._tally.failure = f"{kind}: {content.decode()}"
        elif not self._patched and self._value > 1:  # a change may come just after its OK
            self._tally.failure = "a change was acknowledged and nothing came of it"
        else:
            self._patched = False
            self._tally.latencies_s.append(time.perf_counter() - self._sent)
            self.move()


async def _move(peer: Peer, sessions: int, duration_s: float) -> Sample:
    tally = _Tally()
    movers: list[tuple[Session, _Mover]] = []
    for _ in range(sessions):
        session = await peer.target.open()
        movers.append((session, _Mover(session, await session.pull(), tally)))
    for session, mover in movers:
        session.listener = mover.listen
        mover.move()
    measured = await tally.measure(peer, duration_s)
    await asyncio.gather(*(session.close() for session, _ in movers))
    return measured


async def _open(peer: Peer, visitors: int, duration_s: float) -> Sample:
    tally = _Tally()

    async def visit() -> None:
        while True:
            start = time.perf_counter()
            session = await peer.target.open()
            await session.pull()
            await session.close()
            tally.latencies_s.append(time.perf_counter() - start)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(visit()) for _ in range(visitors)]
        measured = await tally.measure(peer, duration_s)
        for task in tasks:
            task.cancel()
    return measured


def _served(
    app: str, drive: Callable[[Peer, int, float], Coroutine[None, None, Sample]], number: int
) -> Run:
    def run(name: str, cores: Cores, duration_s: float) -> Sample:
        with (
            serving(name, app, cores) as peer,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            return runner.run(drive(peer, number, duration_s))

    return run


def _latency(run: Run) -> Run:
    def timed(name: str, cores: Cores, duration_s: float) -> Sample:
        sample = run(name, cores, duration_s)
        assert sample.latency_p50_ms is not None
        return replace(sample, value=sample.latency_p50_ms)

    return timed


@functools.cache
def _document(app: str) -> Document:
    """One document for both: two built from the same script differed by a tenth (measured)."""
    return Application(ScriptHandler(filename=str(APPS / f"{app}.py"))).create_document()


def _bokeh_encode(document: Document) -> str:
    """What Bokeh's server does for PULL-DOC-REPLY; large arrays stay buffers, as with ours."""
    serialized = document.to_json()
    return serialize_json(Serialized({"doc": serialized.content}, serialized.buffers))


_ENCODERS: dict[str, Callable[[Document], object]] = {
    "bokeh": _bokeh_encode,
    "hyperfocal": encode_document,
}


def _encode(app: str) -> Run:
    def run(name: str, cores: Cores, duration_s: float) -> Sample:
        document, encode = _document(app), _ENCODERS[name]
        times: list[float] = []
        gc.collect()  # what earlier runs left must not be walked during this one
        gc.freeze()
        end = time.perf_counter() + duration_s / 2
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            encode(document)
            times.append(time.perf_counter() - start)
        return Sample(statistics.median(times) * 1e3)

    return run


_ALL = (
    Scenario("roundtrip-1", "ms", _latency(_served("tiny", _move, 1))),
    Scenario("roundtrip-100", "trips/s", _served("tiny", _move, 100)),
    Scenario("sliders-100", "trips/s", _served("sliders", _move, 100)),
    Scenario("open-tiny", "opens/s", _served("tiny", _open, 8)),
    Scenario("open-sliders", "opens/s", _served("sliders", _open, 8)),
)

#: The rows that each name stands for.
SCENARIOS = {scenario.name: [scenario] for scenario in _ALL} | {
    "encode": [
        Scenario(f"encode {app}", "ms", _encode(app)) for app in ("tiny", "sliders", "heavy")
    ]
}
