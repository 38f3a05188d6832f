"""What people feel who move sliders while something of somebody else's takes its time."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from bench import Measure, Run, Sample, Scenario
from bench.clients import TIMEOUT_S, Tally, Target
from bench.clients.bokeh import Session, slider_change
from bench.clients.bokeh import visit as open_page
from bench.peers import BOKEH_FAMILY, Bench, Server
from bench.scenarios.hostile import bombard
from bench.scenarios.load import drive, sample, simultaneous_visits

__all__ = ("SCENARIOS", "Person", "waiting_s")

#: Who waits for so long after everything else is over waits for ever.
_HANGS_S, _HANGS_QUICK_S = 8.0, 2.0


def _hangs_s(bench: Bench) -> float:
    return _HANGS_QUICK_S if bench.quick else _HANGS_S


class Person:
    """Moves their slider at their own pace, as long as the answers keep up with it."""

    def __init__(self, session: Session, tally: Tally, pace_s: float, name: str = "slider") -> None:
        self._session = session
        self._tally = tally
        self._pace_s = pace_s
        self._name = name
        self._value = 0
        self._sent: float | None = None
        session.listener = self._listen

    def move(self) -> None:
        self._value += 1
        self._sent = time.perf_counter()
        content = slider_change(self._session.document, self._value, self._name)
        self._session.send("PATCH-DOC", content)

    @property
    def waits_s(self) -> float:
        """How long they have been waiting for an answer by now."""
        return 0.0 if self._sent is None else time.perf_counter() - self._sent

    def _listen(self, kind: str, content: bytes) -> None:
        if kind == "OK" and self._sent is not None:
            took, self._sent = self.waits_s, None
            self._tally.latencies_s.append(took)
            loop = asyncio.get_running_loop()
            loop.call_later(max(0.0, self._pace_s - took), self.move)
        elif kind != "PATCH-DOC":
            self._tally.fail(f"{kind}: {content.decode()}")


def waiting_s(people: Iterable[Person]) -> list[float]:
    """How long those have been waiting who wait for longer than a moment."""
    return [one.waits_s for one in people if one.waits_s > 0.05]


async def _felt_by(
    people: Sequence[Person], server: Server, tally: Tally, duration_s: float, hangs_s: float
) -> Sample:
    """What people waited for from now on; the value is their worst wait in milliseconds.

    Raises:
        RuntimeError: something went wrong, or nobody was answered.
    """
    tally.latencies_s.clear()
    start, before, used = time.perf_counter(), time.process_time(), server.cpu_s()
    await asyncio.sleep(duration_s)
    wall = time.perf_counter() - start
    shares = time.process_time() - before, server.cpu_s() - used
    hung = True
    while hung and time.perf_counter() - start < duration_s + hangs_s:
        hung = max(one.waits_s for one in people) > 1.0
        await asyncio.sleep(0.1)  # clients must not pay for telling us, so we look
    if tally.failure is not None:
        raise RuntimeError(f"{server.name}: {tally.failure}")
    tally.latencies_s += waiting_s(people)
    seen = sample(server.name, tally, wall, *shares)
    assert seen.worst_ms is not None
    return replace(seen, value=seen.worst_ms, hung=hung)


async def _populate(server: Server, number: int, tally: Tally, pace_s: float) -> list[Person]:
    """So many people, each from an address of their own, who begin to move their sliders."""
    visits = await simultaneous_visits(server, number, lambda at: _target(server, f"127.0.1.{at}"))
    loop = asyncio.get_running_loop()
    people: list[Person] = []
    for at, session in enumerate(visits):
        assert isinstance(session, Session)
        person = Person(session, tally, pace_s)
        loop.call_later(pace_s * at / number, person.move)
        people.append(person)
    return people


def _target(server: Server, source: str, query: str = "") -> Target:
    # Elsewhere the machine has no further addresses of its own.
    return replace(server.target, query=query, source=source if sys.platform == "linux" else None)


# --- one session's callback, again and again ------------------------------------------------------

_FIFTY = 50


def _beside(slow: str | None) -> Run:
    async def client(server: Server, bench: Bench) -> tuple[Sample, ...]:
        tally, other = Tally(), Tally()
        people = await _populate(server, 5 if bench.quick else _FIFTY, tally, 0.2)
        one = await server.visit(server.target)
        assert isinstance(one, Session)
        await asyncio.sleep(1.0)  # in which everybody's callbacks have run before
        if slow is not None:
            Person(one, other, 0.0, slow).move()
        felt = await _felt_by(people, server, tally, 1.0 if bench.quick else 9.0, _hangs_s(bench))
        if other.failure is not None:
            raise RuntimeError(f"{server.name}: {other.failure}")
        return (felt,)

    return lambda name, bench: drive(bench, name, "slow", client)


# --- what goes wrong once -------------------------------------------------------------------------

_TWENTY = 20
_PACE_S = 0.1
#: Where somebody who makes trouble comes from: one visitor, however many sessions.
_ELSEWHERE = "127.0.0.2"
#: How often a callback has been quick before.
_QUICK_TIMES = 30
_AFTER_S = 3.5
#: What makes trouble in ``bench/apps/trouble``, by the second slider's value.
_SLEEP, _COMPUTE, _RAISE, _COROUTINE, _STUCK = range(900_001, 900_006)


async def _press(
    server: Server, value: int, sessions: int, one_visitor: bool
) -> Callable[[], None]:
    """Sessions whose second slider has been moved quickly; the call sets all to this value."""
    visits = await simultaneous_visits(
        server,
        sessions,
        lambda at: _target(server, _ELSEWHERE if one_visitor else f"127.0.2.{at}"),
    )
    found = [session for session in visits if isinstance(session, Session)]
    quick = [Tally() for _ in found]
    for session, tally in zip(found, quick, strict=True):
        Person(session, tally, 0.0, "trouble").move()
    async with asyncio.timeout(TIMEOUT_S):
        while min(len(tally.latencies_s) for tally in quick) < _QUICK_TIMES:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    for session, tally in zip(found, quick, strict=True):
        session.listener = lambda kind, content: None
        if tally.failure is not None:
            raise RuntimeError(f"{server.name}: {tally.failure}")

    def press() -> None:
        for session in found:
            session.send("PATCH-DOC", slider_change(session.document, value, "trouble"))

    return press


def _pressing(value: int, sessions: int = 1, *, one_visitor: bool = True) -> Trouble:
    async def prepare(server: Server) -> Callable[[], None]:
        return await _press(server, value, sessions, one_visitor)

    return prepare


def _opening(what: str, visitors: int = 1) -> Trouble:
    """Visitors whose page asks for trouble."""

    async def prepare(server: Server) -> Callable[[], None]:
        target = _target(server, _ELSEWHERE, f"?trouble={what}")

        async def visit() -> None:
            with suppress(OSError, TimeoutError, RuntimeError):  # they may never get it
                await open_page(target)

        def begin() -> None:
            for _ in range(visitors):
                task = asyncio.create_task(visit())
                _visiting.add(task)
                task.add_done_callback(_visiting.discard)

        return begin

    return prepare


_visiting: set[asyncio.Task[None]] = set()


async def _worst_patches(server: Server) -> Callable[[], None]:
    session = await server.visit(_target(server, _ELSEWHERE))
    assert isinstance(session, Session)
    return await bombard(session)


#: Prepares for trouble, with time; what it gives makes the trouble at once.
Trouble = Callable[[Server], Coroutine[None, None, Callable[[], None]]]


async def _newcomer(server: Server, hangs_s: float) -> Sample:
    """How long somebody waits for their page while that goes on, in milliseconds."""
    start = time.perf_counter()
    hung = False
    try:
        async with asyncio.timeout(hangs_s):
            await open_page(_target(server, "127.0.0.3"))
    except (OSError, TimeoutError):
        hung = True
    took_ms = (time.perf_counter() - start) * 1e3
    return Sample(took_ms, worst_ms=took_ms, hung=hung)


@dataclass(frozen=True, slots=True)
class _Case:
    """What happens, in words, and how; the limits that Hyperfocal is to keep."""

    words: str
    trouble: Trouble
    limit: float = 100.0
    p99_limit: float | None = 10.0
    auth: str = ""
    peers: tuple[str, ...] = ("bokeh", "bokeh-3.10", "bokeh-asgi", "fastapi")
    newcomer: bool = False
    after_s: float = _AFTER_S


def _felt(case: _Case, all_cores: bool) -> Run:
    async def client(server: Server, bench: Bench) -> tuple[Sample, ...]:
        tally = Tally()
        people = await _populate(server, 5 if bench.quick else _TWENTY, tally, _PACE_S)
        begin = await case.trouble(server)
        await asyncio.sleep(0.5)
        begin()
        felt = await _felt_by(people, server, tally, case.after_s, _hangs_s(bench))
        samples = [felt]
        if case.newcomer:
            samples.append(await _newcomer(server, _hangs_s(bench)))
        return tuple(samples)

    return lambda name, bench: drive(
        bench, name, "trouble", client, auth=case.auth, all_cores=all_cores
    )


_CASES = {
    "sleep": _Case("a callback that was quick sleeps 2 s", _pressing(_SLEEP), 30.0, None),
    "compute": _Case("a callback that was quick computes 2 s", _pressing(_COMPUTE)),
    "async": _Case("an async callback computes 2 s", _pressing(_COROUTINE)),
    "script": _Case("a new visitor's script computes 2 s", _opening("script")),
    "hook": _Case("a session hook computes 2 s", _opening("hook")),
    "str": _Case("the __str__ of a callback's error computes 2 s", _pressing(_RAISE)),
    # bokeh-fastapi has no auth modules.
    "authorize": _Case(
        "the auth module computes 2 s",
        _opening("authorize"),
        auth="trouble_auth",
        peers=("bokeh", "bokeh-3.10", "bokeh-asgi"),
    ),
    "40-sleep": _Case(
        "40 callbacks sleep 2 s at once", _pressing(_SLEEP, 40, one_visitor=False),
        p99_limit=None,
    ),
    "40-stuck": _Case(
        "40 callbacks of one visitor never return", _pressing(_STUCK, 40),
        p99_limit=None, newcomer=True,
    ),
    "8-builds": _Case(
        "8 documents of one visitor never get built", _opening("stuck", 8), newcomer=True,
        p99_limit=None,
    ),
    "patches": _Case(
        "another client sends the worst patches", _worst_patches,
        p99_limit=None, peers=("bokeh",), after_s=30.0,
    ),
}  # fmt: skip
_OURS = ("hyperfocal", "hyperfocal-server")


def _measures(case: _Case, where: str) -> tuple[Measure, ...]:
    name = f"{_TWENTY} people while {case.words}{where}"
    felt = Measure(name, "ms", limit=case.limit, p99_limit=case.p99_limit, waits=True)
    newcomer = Measure(f"a new page after {case.words}{where}", "ms", waits=True)
    return (felt, newcomer) if case.newcomer else (felt,)


SCENARIOS = (
    *(
        Scenario(
            f"isolation-{name}",
            f"{_FIFTY} people move sliders{while_}: their waits",
            (Measure(f"{_FIFTY} people{while_}", "ms", limit=limit, p99_limit=p99, waits=True),),
            BOKEH_FAMILY,
            _beside(slow),
            most_runs=3,
        )
        for name, while_, slow, limit, p99 in (
            ("quiet", "", None, None, None),
            ("sleep", " while another's callback sleeps 2 s, again and again", "sleeper", 100, 50),
            ("compute", " while another's callback computes 2 s, again and again", "computer",
             None, 100),
        )
    ),
    *(
        Scenario(
            f"felt-{name}{suffix}",
            f"{_TWENTY} people move sliders while {case.words}{where}: their waits",
            _measures(case, where),
            (*(case.peers if suffix == "" else ("bokeh-asgi",)), *_OURS),
            _felt(case, suffix != ""),
            most_runs=3,
        )
        for name, case in _CASES.items()
        for suffix, where in (("", ""), ("-2", ", on two cores"))
    ),
)  # fmt: skip
