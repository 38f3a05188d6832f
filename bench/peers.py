"""The servers that are compared, each as a process on a core of its own."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.clients import Dialect, Target, bokeh, echo, shiny, streamlit
from bench.cores import Cores
from bench.environments import Environments, MissingPeerError
from bench.processes import free_port, started

__all__ = ("APPS", "BOKEH_FAMILY", "ECHOES", "LAUNCHERS", "PEERS", "Bench", "Peer", "Server")

APPS = Path(__file__).parent / "apps"
LAUNCHERS = Path(__file__).parent / "launchers"
#: With a process's id it names its clock (clock_getcpuclockid(3)): CPUCLOCK_SCHED.
_PROCESS_CLOCK = 2


@dataclass(frozen=True, slots=True)
class Serve:
    """What a server is asked to do.

    Attributes:
        app: the name of the application in ``bench/apps``.
        keep_alive_s: how often to ping clients, where the server can be told.
        auth: a module of ``bench/apps`` that says who may come in, if any.
    """

    app: str
    port: int
    keep_alive_s: float = 37.0
    auth: str = ""

    @property
    def path(self) -> str:
        """The application's file, or folder."""
        file = APPS / f"{self.app}.py"
        return str(file if file.exists() else APPS / self.app)

    @property
    def auth_file(self) -> list[str]:
        """The auth module's file, or nothing."""
        return [str(APPS / f"{self.auth}.py")] if self.auth else []


@dataclass(frozen=True, slots=True)
class Peer:
    """How one kind of server is started, as its users start it.

    Attributes:
        environment: of ``bench/requirements``; empty for our own.
        module: what the environment must be able to import.
        arguments: of Python, by what is to be served.
        help: the arguments of Python that print the command's help; none where there is no command.
        dialect: the client.
        many: it is several processes, which may use all cores.
        most_runs: more runs than this would only take time: no target speaks of this peer.
        where_known: an option and its value, given where ``serve --help`` names the option.
        needs: an option that ``serve --help`` must name.
    """

    environment: str
    module: str
    arguments: Callable[[Serve], list[str]]
    help: tuple[str, ...] = ()
    dialect: Dialect = bokeh.visit
    path: Callable[[str], str] = "/{}".format
    needs: str = ""
    where_known: tuple[str, ...] = ()
    many: bool = False
    most_runs: int = 99


def _bokeh_like(*start: str) -> Callable[[Serve], list[str]]:
    def arguments(serve: Serve) -> list[str]:
        keep_alive = f"--keep-alive={serve.keep_alive_s * 1000:.0f}"
        auth = [f"--auth-module={file}" for file in serve.auth_file]
        return [*start, "serve", serve.path, "--port", str(serve.port), keep_alive, *auth]

    return arguments


def _launched(launcher: str) -> Callable[[Serve], list[str]]:
    def arguments(serve: Serve) -> list[str]:
        file = str(LAUNCHERS / launcher)
        return [file, serve.path, str(serve.port), str(serve.keep_alive_s), *serve.auth_file]

    return arguments


def _streamlit(serve: Serve) -> list[str]:
    options = {
        "server.port": serve.port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.serverAddress": "localhost",
        "browser.gatherUsageStats": "false",
    }
    app = str(APPS / f"streamlit_{serve.app}.py")
    return ["-m", "streamlit", "run", app, *(f"--{name}={o}" for name, o in options.items())]


def _shiny(serve: Serve) -> list[str]:
    app = str(APPS / f"shiny_{serve.app}.py")
    return ["-m", "shiny", "run", "--no-dev-mode", "--port", str(serve.port), app]


def _hyperfocal(*options: str) -> Callable[[Serve], list[str]]:
    started = _bokeh_like("-m", "hyperfocal")

    def arguments(serve: Serve) -> list[str]:
        return [*started(serve), *options]

    return arguments


_bokeh = _bokeh_like("-m", "bokeh")

#: How many sessions the warm pool holds.
_PREWARMED = 4

PEERS: Mapping[str, Peer] = {
    "bokeh": Peer("bokeh", "bokeh", _bokeh_like("-m", "bokeh"), ("-m", "bokeh", "--help")),
    "bokeh-nodelay": Peer("bokeh", "bokeh", _bokeh_like(str(LAUNCHERS / "bokeh_nodelay.py"))),
    "panel": Peer(
        "panel", "panel", _bokeh_like("-m", "panel"), ("-m", "panel", "--help"), most_runs=3
    ),
    "fastapi": Peer("fastapi", "bokeh_fastapi", _launched("bokeh_in_fastapi.py")),
    # The same of today, which needs a newer Python than ours.
    "bokeh-3.10": Peer("bokeh310", "bokeh", _bokeh_like("-m", "bokeh"), ("-m", "bokeh", "--help")),
    "bokeh-asgi": Peer("bokeh310", "bokeh", _launched("bokeh_asgi.py")),
    "streamlit": Peer(
        "streamlit",
        "streamlit",
        _streamlit,
        ("-m", "streamlit", "--help"),
        streamlit.visit,
        lambda app: "/",
        most_runs=3,
    ),
    "shiny": Peer(
        "shiny",
        "shiny",
        _shiny,
        ("-m", "shiny", "--help"),
        shiny.visit,
        lambda app: "/",
        most_runs=3,
    ),
    "hyperfocal": Peer(
        "",
        "hyperfocal",
        _hyperfocal(),
        ("-m", "hyperfocal", "--help"),
        where_known=("--prewarm", "0"),
    ),
    "hyperfocal-server": Peer("", "hyperfocal", _launched("hyperfocal_server.py")),
    "bokeh-procs": Peer(
        "bokeh", "bokeh", lambda serve: [*_bokeh(serve), "--num-procs", "2"], many=True
    ),
    "hyperfocal-procs": Peer(
        "", "hyperfocal", _hyperfocal("--num-procs", "2"), needs="--num-procs", many=True
    ),
    "hyperfocal-prewarm": Peer(
        "", "hyperfocal", _hyperfocal("--prewarm", str(_PREWARMED)), needs="--prewarm"
    ),
    # What the machine and Bokeh leave of a server.
    "floor": Peer(
        "",
        "picows",
        lambda serve: [str(LAUNCHERS / "floor.py"), serve.path, str(serve.port)],
        dialect=bokeh.visit_bare,
    ),
}

#: Hyperfocal's transport without its sessions, and the bare library under it.
ECHOES: Mapping[str, Peer] = {
    "raw-echo": Peer(
        "",
        "uvicorn",
        lambda serve: [str(LAUNCHERS / "raw_echo.py"), str(serve.port)],
        dialect=echo.visit_raw,
    ),
    "hyperfocal-echo": Peer(
        "",
        "hyperfocal",
        _bokeh_like(str(LAUNCHERS / "hyperfocal_echo.py")),
        dialect=echo.visit,
    ),
}

#: Those that serve the same Bokeh documents and matter to the targets.
BOKEH_FAMILY = ("bokeh", "bokeh-nodelay", "fastapi", "bokeh-3.10", "bokeh-asgi", "hyperfocal")


def _cpu_s(process: psutil.Process) -> float:
    if sys.platform != "linux":
        times = process.cpu_times()
        return times.user + times.system
    return time.clock_gettime(~process.pid << 3 | _PROCESS_CLOCK)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens."""

    name: str
    target: Target
    process: psutil.Process
    visit: Dialect

    def cpu_s(self) -> float:
        """The processor time that it has used so far, in seconds; of all processes that it is.

        On Linux the process's own clock tells it to the nanosecond, and that of threads that
        have ended as well; elsewhere it comes in ticks of 10 ms.
        """
        return sum(map(_cpu_s, (self.process, *self.process.children(recursive=True))))

    def memory_bytes(self) -> int:
        """The memory that would be free without it."""
        return int(self.process.memory_full_info().uss)


@dataclass(frozen=True, slots=True)
class Bench:
    """What every run needs.

    Attributes:
        duration_s: how long a run measures, after its warm-up.
        quick: sizes, too, are as small as they can be.
    """

    cores: Cores
    environments: Environments = field(default_factory=Environments)
    duration_s: float = 2.0
    quick: bool = False

    def command(self, name: str) -> tuple[str, Peer]:
        """The Python of a peer, and how the peer is started.

        Raises:
            MissingPeerError: it cannot be had.
        """
        peer = PEERS[name] if name in PEERS else ECHOES[name]
        python = self.environments.python(peer.environment, peer.module)
        if peer.needs and peer.needs not in _serve_help(python, peer.module):
            raise MissingPeerError(f"{peer.module} serve has no option {peer.needs}")
        return python, peer

    @contextmanager
    def serving(
        self,
        name: str,
        app: str,
        *,
        keep_alive_s: float = 37.0,
        env: Mapping[str, str] | None = None,
        auth: str = "",
        all_cores: bool = False,
    ) -> Generator[Server]:
        """Serve an application of ``bench/apps`` with this peer.

        Args:
            auth: a module of ``bench/apps`` that says who may come in.
            all_cores: the server may use the client's core as well.

        Raises:
            MissingPeerError: the peer cannot be had.
            RuntimeError: it did not come up; the message holds its log.
        """
        python, peer = self.command(name)
        serve = Serve(app, free_port(), keep_alive_s, auth)
        arguments = [python, *peer.arguments(serve)]
        if peer.where_known and peer.where_known[0] in _serve_help(python, peer.module):
            arguments += peer.where_known
        cores = [self.cores.server]
        if (
            peer.many or all_cores
        ):  # it would have the client's alone, like all that the client starts
            cores.append(self.cores.client)
        with started(arguments, serve.port, cores, env) as process:
            target = Target(serve.port, peer.path(app))
            yield Server(name, target, psutil.Process(process.pid), peer.dialect)


@functools.cache
def _serve_help(python: str, module: str) -> str:
    done = subprocess.run(
        [python, "-m", module, "serve", "--help"], capture_output=True, text=True, check=False
    )
    return done.stdout
