"""The servers that are compared, each as a process on a core of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.client import Target

__all__ = ("APPS", "PEERS", "Cores", "Peer", "pin", "serving")

APPS = Path(__file__).parent / "apps"

#: The log line by which a server says that it listens; its group is the port.
PEERS = {
    "bokeh": re.compile(r"Bokeh app running at: http://[^/\s]*:(\d+)"),
    "hyperfocal": re.compile(r"Serving at http://[^/\s]*:(\d+)"),
}


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where; ``None`` where the machine does not let us choose."""

    server: int | None
    client: int | None

    @classmethod
    def choose(cls) -> Cores:
        """The last core for the server, the one before it for the client."""
        if sys.platform != "linux":
            return cls(None, None)
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[-1], cores[-2] if len(cores) > 1 else cores[-1])

    @property
    def complaint(self) -> str | None:
        """What is wrong with this placement, if anything."""
        if self.server is None:
            return "processes cannot be pinned to cores on this platform"
        if self.server == self.client:
            return "there is one core only: server and client share it"
        return None


def pin(pid: int, core: int | None) -> None:
    """Let a process (0: this one) run on one core only."""
    if core is not None and sys.platform == "linux":
        os.sched_setaffinity(pid, {core})


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that listens."""

    name: str
    target: Target
    process: psutil.Process

    def cpu_s(self) -> float:
        """The processor time that it has used so far, in seconds."""
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def serving(name: str, app: str, cores: Cores) -> Generator[Peer]:
    """Serve an application of ``bench/apps`` with this server, as its users start it.

    Raises:
        RuntimeError: it did not come up; the message holds its log.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", name, "serve", str(APPS / f"{app}.py"), "--port", "0"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            pin(process.pid, cores.server)  # long before it starts a thread
            port = _port(process, log.fileno(), PEERS[name])
            yield Peer(name, Target(port, f"/{app}"), psutil.Process(process.pid))
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: subprocess.Popen[bytes], log: int, ready: re.Pattern[str]) -> int:
    deadline = time.monotonic() + 60
    while True:
        text = os.pread(log, 1 << 16, 0).decode(errors="replace")
        match = ready.search(text)
        if match is not None:
            return int(match[1])
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {process.args!r}\n{text}")
        time.sleep(0.02)
