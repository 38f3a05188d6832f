"""How many instructions a round trip takes in a whole server: ``python -m bench.instructions``.

The server runs in Valgrind's Callgrind, with all of its processes and threads, and one session
moves its slider. Counts are steady on a machine that others use as well; times are not. The kernel
is not counted.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import psutil

from bench.clients import TIMEOUT_S, Dialect, Target
from bench.clients.bokeh import Session
from bench.cores import Cores, pin
from bench.peers import LAUNCHERS, PEERS, Bench, Serve
from bench.processes import free_port, started

__all__ = ("count", "totals_in", "unavailable")

#: CPython specialises code that has run for some times, and Hyperfocal watches it at first.
_WARM_UP = 60
#: What Callgrind has not seen before it translates first; that is not counted.
_TRANSLATING = 20
#: How long a server may take to start there.
_TIMEOUT_S = 300.0


def unavailable() -> str | None:
    """Why instructions cannot be counted here, if so."""
    for command in ("valgrind", "callgrind_control"):
        if shutil.which(command) is None:
            return f"there is no {command} (on Debian: apt-get install valgrind)"
    return None


def count(
    bench: Bench,
    name: str,
    app: str,
    trips: int,
    options: Sequence[str] = (),
    sessions: int = 1,
) -> float:
    """Instructions of a round trip, in all processes of the server.

    Args:
        name: of the peer.
        app: of ``bench/apps``.
        trips: so many are counted.
        options: further ones of the server.
        sessions: how many move at the same time.

    Raises:
        MissingPeerError: the peer cannot be had.
        RuntimeError: the server did not come up, or nothing was counted.
    """
    python, peer = bench.command(name)
    serve = Serve(app, free_port())
    start = peer.arguments(serve)
    if start[:2] == ["-m", "hyperfocal"]:
        start[:2] = [str(LAUNCHERS / "hyperfocal_stretched.py")]
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes"),
            *("--fair-sched=yes", f"--callgrind-out-file={folder}/%p"),
            *(python, *start, *options),
        ]
        env = {"PYTHONHASHSEED": "0"}
        with started(arguments, serve.port, [bench.cores.server], env, _TIMEOUT_S) as process:
            root = psutil.Process(process.pid)
            pids = [one.pid for one in (root, *root.children(recursive=True))]
            target = Target(serve.port, peer.path(app))
            asyncio.run(_counted(peer.dialect, target, pids, trips, sessions))
            found = [total for file in Path(folder).iterdir() for total in totals_in(file)]
    if not any(found):
        raise RuntimeError(f"Callgrind counted nothing of {name}")
    return sum(found) / (-(-trips // sessions) * sessions)


async def _counted(
    visit: Dialect, target: Target, pids: Sequence[int], trips: int, sessions: int
) -> None:
    sliders: list[_Slider] = []
    for _ in range(sessions):
        session = await visit(target)
        if not isinstance(session, Session):
            raise RuntimeError("only peers that speak Bokeh's protocol can be counted")
        sliders.append(_Slider(session))

    async def move(times: int) -> None:
        await asyncio.gather(*(slider.move(-(-times // sessions)) for slider in sliders))

    await move(_WARM_UP)
    _tell(pids, "--instr=on")
    await move(_TRANSLATING)
    _tell(pids, "--zero")
    await move(trips)
    _tell(pids, "--dump")


class _Slider:
    """Moves, and waits for the answer."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._value = 0
        self._answer: asyncio.Future[None] | None = None
        session.listener = self._listen

    async def move(self, times: int) -> None:
        for _ in range(times):
            self._value += 1
            self._answer = asyncio.get_running_loop().create_future()
            self._session.change(self._value)
            async with asyncio.timeout(TIMEOUT_S):
                await self._answer

    def _listen(self, kind: str, content: bytes) -> None:
        if self._answer is None or self._answer.done():
            return
        if kind == "OK":
            self._answer.set_result(None)
        elif kind != "PATCH-DOC":
            self._answer.set_exception(RuntimeError(f"{kind}: {content.decode()}"))


def _tell(pids: Sequence[int], what: str) -> None:
    for pid in pids:
        subprocess.run(["callgrind_control", what, str(pid)], check=True, capture_output=True)


def totals_in(file: Path) -> list[int]:
    """What a file of Callgrind's says that was counted."""
    return [int(total) for total in re.findall(r"^totals: (\d+)", file.read_text(), re.MULTILINE)]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=click.Choice(list(PEERS)),
    metavar="NAME",
    help="Whose; may be given several times.  [default: hyperfocal, floor]",
)
@click.option("--app", default="tiny", show_default=True, help="Of bench/apps; with a slider.")
@click.option("--trips", default=200, show_default=True, help="Round trips to count.")
@click.option("--sessions", default=1, show_default=True, help="That move at the same time.")
@click.argument("options", nargs=-1)
def main(
    peers: tuple[str, ...], app: str, trips: int, sessions: int, options: tuple[str, ...]
) -> None:
    """Count the instructions of a round trip of one session in a whole server.

    OPTIONS, behind --, are the server's.
    """
    missing = unavailable()
    if missing is not None:
        raise click.ClickException(missing)
    cores = Cores.choose()
    pin(0, cores.client)
    bench = Bench(cores)
    for name in peers or ("hyperfocal", "floor"):
        counted = count(bench, name, app, trips, options, sessions)
        click.echo(f"{name}, {app}: {counted:,.0f} instructions per round trip")


if __name__ == "__main__":
    main(prog_name="python -m bench.instructions")
