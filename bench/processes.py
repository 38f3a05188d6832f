"""Server processes: started on their cores, awaited, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO

import psutil

from bench.cores import pin

__all__ = ("free_port", "started")

_START_TIMEOUT_S = 60


def free_port() -> int:
    """A TCP port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def started(
    arguments: list[str],
    port: int,
    cores: Sequence[int | None],
    env: Mapping[str, str] | None = None,
    timeout_s: float = _START_TIMEOUT_S,
) -> Generator[subprocess.Popen[bytes]]:
    """Run a server on these cores until the block ends; the block begins when it answers.

    Raises:
        RuntimeError: it did not come up; the message holds its log.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            arguments,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        )
        try:
            pin(process.pid, *cores)  # long before it starts a thread
            _wait_until_listening(process, port, log, timeout_s)
            yield process
        finally:
            _kill(process)  # how they end is not measured
            process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a server, and the processes that it is made of."""
    try:
        parts = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        parts = []
    process.kill()
    for part in parts:
        with suppress(psutil.NoSuchProcess):
            part.kill()


def _answers(port: int) -> bool:
    """Whether a server answers HTTP there: a socket may listen before anybody serves it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
            one.sendall(b"GET /nothing-here HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return bool(one.recv(1))
    except OSError:
        return False


def _wait_until_listening(
    process: subprocess.Popen[bytes], port: int, log: IO[str], timeout_s: float
) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        if _answers(port):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            text = os.pread(log.fileno(), 1 << 16, 0).decode(errors="replace")
            raise RuntimeError(f"the server did not start: {process.args!r}\n{text}")
        time.sleep(0.002)
