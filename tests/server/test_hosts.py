"""Our applications under other servers, and within other applications."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator

import httpx
import pytest

from hyperfocal.testing import WireClient, page_token
from tests.support.applications import named
from tests.support.serving import ROOT

SERVERS = {
    "uvicorn": ["uvicorn", "--factory", "--port", "{port}", "tests.server.hosts:{host}"],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}", "tests.server.hosts:{host}()"],
    "granian": [
        *("granian", "--interface", "asgi", "--factory", "--port", "{port}"),
        "tests.server.hosts:{host}",
    ],
}


@contextlib.contextmanager
def hosted(server: str, host: str) -> Generator[tuple[str, list[str]]]:
    """The host under this server: its URL, and what it has printed once it has ended."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [part.format(port=port, host=host) for part in SERVERS[server]]
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed: list[str] = []
    try:
        until = time.monotonic() + 40
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.05)
        yield f"127.0.0.1:{port}", printed
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            printed.append(process.communicate(timeout=20)[0])
        except subprocess.TimeoutExpired:
            process.kill()
            printed.append(process.communicate()[0])


async def note(where: str, path: str, headers: dict[str, str] | None = None) -> str:
    """What an application says, over its websocket."""
    async with httpx.AsyncClient(headers=headers) as http:
        page = await http.get(f"http://{where}{path}")
    assert page.status_code == 200, page.text
    token = page_token(page.text)
    async with WireClient.connect(f"ws://{where}{path}/ws", token, headers=headers) as client:
        text: str = named(await client.pull(), "note")["attributes"]["text"]
    return text


@pytest.mark.parametrize("server", SERVERS)
async def test_under_any_asgi_server(server: str) -> None:
    with hosted(server, "plain") as (where, printed):
        assert await note(where, "/one") == "one of None"
        assert await note(where, "/two") == "two"
    assert "destroyed" in printed[0]  # the server ran our lifespan to its end


@pytest.mark.parametrize("host", ["starlette", "fastapi", "django"])
async def test_within_another_application(host: str) -> None:
    with hosted("uvicorn", host) as (where, printed):
        async with httpx.AsyncClient() as http:
            assert "hello from the host" in (await http.get(f"http://{where}/hello")).text
            page = await http.get(f"http://{where}/sub/path/one")
            # Everything that the page asks for is below the path.
            assert '"/sub/path/static/js/bokeh.min.js' in page.text
            script = await http.get(f"http://{where}/sub/path/static/js/bokeh.min.js")
            assert script.status_code == 200
        assert await note(where, "/sub/path/one") == "one of None"
        assert await note(where, "/sub/path/two") == "two"
        if host == "starlette":
            ada = await note(where, "/sub/path/one", {"X-User": "ada"})
            assert "SimpleUser" in ada
    assert "destroyed" in printed[0]
    assert "Traceback" not in printed[0]


async def test_a_host_that_does_not_run_the_lifespan_is_told() -> None:
    with hosted("uvicorn", "forgetful") as (where, printed):
        assert await note(where, "/sub/path/one") == "one of None"
    assert "does not run its lifespan" in printed[0]
