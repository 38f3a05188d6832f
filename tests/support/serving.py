"""Real servers for tests: in the test's own event loop, or as a process of their own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from hyperfocal.auth import AuthProvider
from hyperfocal.config import Settings, WebSocketTransport
from hyperfocal.server import asgi_app, bind, uvicorn_config
from hyperfocal.telemetry import Event, Telemetry
from hyperfocal.testing import WireClient, page_token

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
#: The applications among them.
EXAMPLE_PATHS = sorted(
    [
        *EXAMPLES.glob("*.py"),
        *EXAMPLES.glob("*.ipynb"),
        *(main.parent for main in EXAMPLES.glob("*/main.py")),
    ]
)


async def until(check: Callable[[], Any], timeout_s: float = 20) -> None:
    """Wait for something that is about to happen."""
    async with asyncio.timeout(timeout_s):
        while not check():
            await asyncio.sleep(0.01)


@dataclass
class Events:
    """Everything a server has emitted."""

    seen: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.seen.append(event)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]


@dataclass
class Running:
    """A server in this event loop."""

    base: str
    site: Any
    events: Events
    http: httpx.AsyncClient
    uvicorn: uvicorn.Server

    @property
    def ws(self) -> str:
        return self.base.replace("http", "ws", 1)

    @property
    def transports(self) -> list[str]:
        """The classes of what moves the frames of those who are connected."""
        found = (type(one).__name__ for one in self.uvicorn.server_state.connections)
        return [name for name in found if name != "HttpProtocol"]

    def context(self, url: str = "/") -> Any:
        return next(served.context for served in self.site.served if served.url == url)

    async def page(self, path: str = "/", **options: Any) -> httpx.Response:
        return await self.http.get(self.base + path, **options)

    async def token(self, path: str = "/", **options: Any) -> str:
        response = await self.page(path, **options)
        assert response.status_code == 200, response.text
        return page_token(response.text)

    @asynccontextmanager
    async def client(
        self, path: str = "/", token: str | None = None, **options: Any
    ) -> AsyncGenerator[WireClient]:
        """A connected client: of a new page, or of the page that carries the token."""
        carried = token if token is not None else await self.token(path)
        url = f"{self.ws}{path.rstrip('/')}/ws"
        async with WireClient.connect(url, carried, **options) as client:
            yield client


class PromptServer(uvicorn.Server):
    """Ends as uvicorn does, and as soon as it can: uvicorn's own looks ten times a second."""

    _LOOKS_S = 0.005

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            await asyncio.sleep(self._LOOKS_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while state.connections or state.tasks:
                    await asyncio.sleep(self._LOOKS_S)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            for task in state.tasks:
                task.cancel()
        await self.lifespan.shutdown()


#: What the servers of a test move frames with; the fixture ``either_transport`` changes it.
transport = WebSocketTransport.AUTO


@asynccontextmanager
async def running(
    applications: Any,
    settings: Settings | None = None,
    *,
    configure: Callable[[uvicorn.Config], Any] | None = None,
    auth: AuthProvider | None = None,
    **changes: Any,
) -> AsyncGenerator[Running]:
    """Serve applications on a free port of this machine, in this event loop.

    Args:
        applications: what to serve.
        settings: the settings; by default those with the ``changes``.
        configure: changes uvicorn's configuration. With ``uds`` in it, as with
            ``unix_socket`` in the settings, ``Running.base`` is moot.
        auth: who may come in.
        changes: settings that differ from the defaults.
    """
    changes.setdefault("websocket_transport", transport)
    chosen = settings or Settings(port=0, address="127.0.0.1", **changes)
    events = Events()
    app = asgi_app(applications, chosen, telemetry=Telemetry(events), auth=auth)
    config = uvicorn_config(app, chosen)
    if configure is not None:
        configure(config)
    sockets = bind(chosen) if config.uds is None else None
    server = PromptServer(config)
    task = asyncio.create_task(server._serve(sockets))
    while not server.started:
        await asyncio.sleep(0)
        if task.done():
            await task
    port = 0
    if sockets and chosen.unix_socket is None:
        port = sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(verify=False) as http:
            scheme = "https" if config.is_ssl else "http"
            base = f"{scheme}://127.0.0.1:{port}{chosen.prefix}"
            yield Running(base, app.state.site, events, http, server)
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def bound(config: uvicorn.Config) -> AsyncGenerator[int]:
    """Serve another ASGI application in this event loop; gives its port, on 127.0.0.1."""
    config.host, config.port = "127.0.0.1", 0
    config.load()
    server = PromptServer(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0)
        if task.done():
            await task
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@dataclass
class Process:
    """A server process; ``log`` grows while it runs."""

    process: subprocess.Popen[str]
    base: str
    log: list[str]

    @property
    def text(self) -> str:
        return "".join(self.log)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 20) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)


@contextmanager
def serving(
    *arguments: str | Path,
    command: Sequence[str] | None = None,
    ready: str | None = None,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> Generator[Process]:
    """Run ``hyperfocal serve`` (or another server) as a process and wait until it listens.

    Args:
        arguments: the command's arguments.
        command: the command; by default ``hyperfocal serve --port 0``.
        ready: a pattern in the log whose first group is the URL.
    """
    own = [sys.executable, "-m", "hyperfocal", "serve", "--port", "0"]
    start = list(command or [*own, "--websocket-transport", transport])
    process = subprocess.Popen(
        [*start, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd or ROOT,
        # Tests ask how the server is, and have no proxy that waits for its end.
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "HYPERFOCAL_SHUTDOWN_DELAY": "0",
            **(env or {}),
        },
    )
    log: list[str] = []
    found = threading.Event()
    base: list[str] = []
    pattern = re.compile(ready or r"Serving at (http://\S+?)/ ")

    def follow() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            log.append(line)
            match = pattern.search(line)
            if match and not base:
                base.append(match[1])
                found.set()
        found.set()

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        assert found.wait(30), f"the server did not start:\n{''.join(log)}"
        assert base, f"the server ended at once:\n{''.join(log)}"
        yield Process(process, base[0], log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        follower.join()
        assert process.stdout is not None
        process.stdout.close()
