"""Thousands of sessions that come and go: ``python -m bench.load``. Nothing of them may stay.

Waves of visitors open a page, connect, act, and go: politely, without a word, or in the middle of a
message; some only load the page. After each wave their sessions expire. What the server has then is
compared with what it had after the first wave, in which what is made once was made.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
import psutil
import uvloop

from bench.clients import Target
from bench.clients.bokeh import Session, slider_change
from bench.clients.websocket import TEXT, fetch
from bench.cores import Cores, allow_connections, pin
from bench.peers import APPS
from bench.processes import free_port, started

__all__ = ("Remains", "churn")

#: Milliseconds that sessions outlive their visitors here.
_LIFETIME_MS = 1_000
#: Pages that load at the same time.
_AT_ONCE = 50
_WAYS = ("politely", "without a word", "in the middle of a message", "page only", "at once")


@dataclass(frozen=True, slots=True)
class Remains:
    """What a server has when nobody is there."""

    sessions: int
    connections: int
    tasks: int
    threads: int
    descriptors: int
    memory_mb: float

    @classmethod
    def of(cls, process: psutil.Process, target: Target) -> Remains:
        """What it has now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{target.port}/health") as answer:
            health = json.load(answer)
        return cls(
            health["sessions"],
            health["connections"],
            health["tasks"],
            process.num_threads(),
            process.num_fds(),
            round(process.memory_full_info().uss / 1e6, 1),
        )


@dataclass(slots=True)
class _Wave:
    visits: int = 0
    failures: list[str] = field(default_factory=list)


async def _visit(target: Target, rng: random.Random, stay: asyncio.Event, wave: _Wave) -> None:
    way = rng.choice(_WAYS)
    try:
        if way == "page only":
            await fetch(target)
            wave.visits += 1
            return
        session = await Session.open(target)
        await session.pull()
        wave.visits += 1
        if way != "at once":
            for value in range(rng.randrange(1, 5)):
                session.listener = lambda kind, content: None
                session.send("PATCH-DOC", slider_change(session.document, value))
                await asyncio.sleep(rng.random())
        if rng.random() < 0.5:
            await stay.wait()  # so that thousands are there at the same time
        if way == "politely":
            await session.close()
        elif way == "in the middle of a message":
            session.write(TEXT, b'{"msgid":"x","msgtype":"PATCH-DOC","num_buffers":2}')
            session.vanish()
        else:
            session.vanish()
    except (OSError, TimeoutError, RuntimeError) as error:
        wave.failures.append(f"{way}: {error!r}")


async def _wave(target: Target, sessions: int, seconds: float, rng: random.Random) -> _Wave:
    """Visitors for so long, so many of them at once at the most."""
    wave, stay = _Wave(), asyncio.Event()
    end = time.monotonic() + seconds
    gate = asyncio.Semaphore(_AT_ONCE)
    there: set[asyncio.Task[None]] = set()

    async def one() -> None:
        await _visit(target, rng, stay, wave)

    while time.monotonic() < end:
        if len(there) >= sessions:
            stay.set()  # those who have waited go, and others come
            await asyncio.wait(there, return_when=asyncio.FIRST_COMPLETED)
            stay.clear()
            continue
        async with gate:
            task = asyncio.create_task(one())
            there.add(task)
            task.add_done_callback(there.discard)
            await asyncio.sleep(0.002)
    stay.set()
    if there:
        await asyncio.wait(there)
    return wave


async def _rest(process: psutil.Process, target: Target, timeout_s: float = 60.0) -> Remains:
    """What is left once all sessions have ended."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = await asyncio.to_thread(Remains.of, process, target)
        if (found.sessions == 0 and found.connections == 0) or time.monotonic() > deadline:
            # Threads that have nothing to do end by themselves after ten seconds.
            await asyncio.sleep(12)
            return await asyncio.to_thread(Remains.of, process, target)
        await asyncio.sleep(0.5)


def churn(
    sessions: int, seconds: float, waves: int, seed: int, options: list[str]
) -> list[Remains]:
    """Serve, let the waves come, and say what was left after each."""
    cores = Cores.choose()
    pin(0, cores.client)
    allow_connections(2 * sessions + 500)
    port = free_port()
    command = [
        *(sys.executable, "-m", "hyperfocal", "serve", str(APPS / "tiny.py")),
        *("--port", str(port), "--max-sessions", "0", "--check-unused-sessions", "500"),
        *("--unused-session-lifetime", str(_LIFETIME_MS)),
        *("--lost-session-lifetime", str(_LIFETIME_MS), *options),
    ]
    found: list[Remains] = []
    rng = random.Random(seed)
    with started(command, port, [cores.server]) as process:
        watched, target = psutil.Process(process.pid), Target(port, "/tiny")

        async def run() -> None:
            for number in range(waves + 1):
                wave = await _wave(target, sessions, seconds, rng)
                remains = await _rest(watched, target)
                found.append(remains)
                name = "warm-up" if number == 0 else f"wave {number}"
                click.echo(f"{name}: {wave.visits} visits, then {asdict(remains)}")
                for failure in wave.failures[:3]:
                    click.echo(f"  {len(wave.failures)} failed, such as {failure}", err=True)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    return found


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sessions", default=2_000, show_default=True, help="Visitors at the same time.")
@click.option("--seconds", default=30.0, show_default=True, help="How long each wave lasts.")
@click.option("--waves", default=3, show_default=True, help="Waves after the first.")
@click.option("--seed", default=0, show_default=True, help="Who does what.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write JSON.")
@click.argument("options", nargs=-1)
def main(
    sessions: int, seconds: float, waves: int, seed: int, output: Path | None, options: list[str]
) -> None:
    """Let thousands of sessions come and go, and say what is left. OPTIONS are the server's."""
    found = churn(sessions, seconds, waves, seed, list(options))
    first, last = asdict(found[0]), asdict(found[-1])
    grown = {name: (first[name], value) for name, value in last.items()
             if value > 1.05 * first[name]}  # fmt: skip
    if output is not None:
        output.write_text(json.dumps([asdict(one) for one in found], indent=2))
    if grown:
        raise SystemExit(f"More than 5 % is left of the waves: {grown}")
    click.echo("Everything is back where it was, within 5 %.")


if __name__ == "__main__":
    main(prog_name="python -m bench.load")
