"""The two servers that are held side by side, as processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id

from hyperfocal.testing import WireClient, page_token
from tests.support.serving import Process, serving

APPS = Path(__file__).parent / "apps"
KINDS = ("bokeh", "hyperfocal")
#: Behind a stroke: what moves the frames. Without one it is the native transport.
WEBSOCKET_KINDS = (*KINDS, "hyperfocal/asgi")
#: Small, so that a test need not send much to exceed it.
MESSAGE_BYTES = 1_000_000

#: For tests of what Hyperfocal does where today's server is wrong.
only_hyperfocal = pytest.mark.parametrize("kind", ["hyperfocal"], indirect=True)

#: The first group is scheme, host and port; the prefix is known here.
_READY = {
    "bokeh": r"Bokeh app running at: (http://[^/\s]+)",
    "hyperfocal": r"Serving at (http://[^/\s]+)",
}


def new_token() -> str:
    """A token for a new session, made as ``bokeh.client`` makes them: no page need be rendered."""
    return generate_jwt_token(generate_session_id())


@dataclass(frozen=True)
class Peer:
    """A server of either kind."""

    kind: str
    process: Process
    base: str
    http: httpx.Client

    @property
    def ws(self) -> str:
        return self.base.replace("http", "ws", 1)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(self.base + path, **options)

    def token(self, path: str, **options: Any) -> str:
        response = self.get(path, **options)
        assert response.status_code == 200, response.text
        return page_token(response.text)

    def join(
        self, path: str, token: str, *, query: str = "", **options: Any
    ) -> AbstractAsyncContextManager[WireClient]:
        """A client with this token."""
        return WireClient.connect(f"{self.ws}{path}/ws{query}", token, **options)

    def visit(self, path: str) -> AbstractAsyncContextManager[WireClient]:
        """A client of a new session."""
        return self.join(path, new_token())


@contextmanager
def peer(
    kind: str, *arguments: str | Path, prefix: str = "", env: dict[str, str] | None = None
) -> Generator[Peer]:
    """Run a server of this kind, ``bokeh`` or ``hyperfocal[/transport]``, on a free port."""
    name, _, transport = kind.partition("/")
    command = [sys.executable, "-m", name, "serve", "--port", "0"]
    if name == "hyperfocal":
        command += ["--websocket-transport", transport or "native"]
    if prefix:
        command += ["--prefix", prefix]
    with (
        serving(*arguments, command=command, ready=_READY[name], env=env) as process,
        httpx.Client(trust_env=False, verify=False, timeout=20) as http,
    ):
        yield Peer(name, process, process.base + prefix, http)


@dataclass(frozen=True)
class Visitor:
    """What ``apps/visitor`` knows of its visitor."""

    id: str
    arguments: dict[str, list[str]]
    cookies: dict[str, str]
    headers: dict[str, str]
    address: str
    protocol: str
    visitor: str | None
    argv: list[str]


def visitor(text: str) -> Visitor:
    """Read what ``apps/visitor`` has written."""
    return Visitor(**json.loads(text))


def models(value: Any) -> dict[str, dict[str, Any]]:
    """The named models that are defined in JSON, by name."""
    found: dict[str, dict[str, Any]] = {}
    children: list[Any] = []
    if isinstance(value, dict):
        name = value.get("attributes", {}).get("name") if value.get("type") == "object" else None
        if name is not None:
            found[name] = value
        children = list(value.values())
    elif isinstance(value, list):
        children = value
    for child in children:
        found.update(models(child))
    return found
