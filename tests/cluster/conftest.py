"""Applications that say where they run, and clients that find out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from hyperfocal.testing import WireClient, page_token
from tests.support.serving import Process

#: Says its process, and takes commands: what a person's callbacks might do.
APP = """
import ctypes, os, signal
from bokeh.io import curdoc
from bokeh.models import Div, TextInput

pid, order, echo = Div(text=str(os.getpid()), name="pid"), TextInput(name="order"), Div(name="echo")

def obey(attr, old, new):
    if new == "exit":
        os._exit(7)
    elif new == "crash":
        ctypes.string_at(0)
    elif new == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    echo.text = f"{os.getpid()} {new}"

order.on_change("value", obey)
for root in (pid, order, echo):
    curdoc().add_root(root)
"""

#: Hooks that leave marks in a file: one short write each, which no other process can split.
HOOKS = """
import os

def mark(what):
    fd = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{what} {os.getpid()}\\n".encode())
    os.close(fd)

def on_server_loaded(context): mark("loaded")
def on_server_unloaded(context): mark("unloaded")
def on_session_created(context): mark("created")
def on_session_destroyed(context): mark("destroyed")
"""


def folder(path: Path, *, main: str = APP, hooks: str = HOOKS) -> Path:
    """An application in a folder of its own."""
    path.mkdir()
    (path / "main.py").write_text(main)
    (path / "app_hooks.py").write_text(hooks)
    return path


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("apps") / "app.py"
    path.write_text(APP)
    return path


class Marks:
    """What the hooks have left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {"MARKS": str(path)}

    def of(self, what: str) -> list[int]:
        """The processes in which this hook has run."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(f"{what} ")]


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "marks")


async def new_page(server: Process, path: str = "/app", **options: Any) -> str:
    """The token of a page, asked for over a connection of its own."""
    async with httpx.AsyncClient() as http:
        response = await http.get(server.base + path, **options)
    assert response.status_code == 200, response.text
    return page_token(response.text)


def connected(server: Process, token: str, path: str = "/app", **options: Any) -> Any:
    """A client of the page with this token."""
    url = f"{server.base.replace('http', 'ws', 1)}{path}/ws"
    return WireClient.connect(url, token, **options)


class Remote:
    """A client's view of the application above."""

    def __init__(self, client: WireClient) -> None:
        self.client = client
        self.ids: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    async def pull(self) -> int:
        """Pull the document; gives the process in which it lives."""
        doc = await self.client.pull()
        for root in doc["roots"]:
            self.ids[root["attributes"]["name"]] = root["id"]
            self.values[root["attributes"]["name"]] = root["attributes"]
        return int(self.values["pid"]["text"])

    async def order(self, what: str) -> None:
        """Have the application do something; wait until it has."""
        await self.client.set(self.ids["order"], "value", what)

    def echoed(self) -> list[str]:
        """What it has answered."""
        return [str(event["new"]) for event in self.client.patches() if event.get("attr") == "text"]


async def health(server: Process) -> dict[str, Any]:
    async with httpx.AsyncClient() as http:
        found: dict[str, Any] = (await http.get(f"{server.base}/health")).json()
    return found


async def pids(server: Process) -> dict[str, int]:
    """The processes that take connections, by name."""
    workers = (await health(server))["workers"]
    return {one["name"]: one["pid"] for one in workers if one["state"] == "ready"}


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return not re.search(r"\) Z ", stat)
