"""``hyperfocal.Server``: from a script, a thread, an event loop that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import webbrowser
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hyperfocal import Server
from hyperfocal.config import Settings
from hyperfocal.errors import ConfigError, UsageError
from hyperfocal.server import ListenError
from hyperfocal.telemetry import SessionCreated, SessionDestroyed, Telemetry
from hyperfocal.testing import WireClient, page_token
from hyperfocal.web.site import Site
from tests.support.applications import tiny
from tests.support.certificates import make_certificate
from tests.support.serving import Events


def made(applications: Any = tiny, **options: Any) -> tuple[Server, Events]:
    events = Events()
    options.setdefault("port", 0)
    return Server(applications, telemetry=Telemetry(events), **options), events


def test_in_a_thread() -> None:
    server, events = made()
    with server:
        assert threading.current_thread() is threading.main_thread()
        assert httpx.get(server.url + "/").status_code == 200
        (session,) = server.get_sessions()
        assert server.get_session("/", session.id) is session
        assert server.get_sessions("/") == [session]
        with pytest.raises(ValueError, match="nothing is served"):
            server.get_sessions("/other")
        with pytest.raises(ValueError, match="no session"):
            server.get_session("/", "another")
        assert server.io_loop.is_running()
    assert len(events.of(SessionDestroyed)) == len(events.of(SessionCreated)) == 1
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url + "/")
    with pytest.raises(UsageError, match="started before"):
        server.start()
    server.stop()


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "half"])
def test_a_tls_handshake_that_does_not_go_on_ends_as_requests_do(
    tmp_path: Path, begun: bytes
) -> None:
    """Regression: it was left for a minute."""
    files = make_certificate(tmp_path)
    server, _ = made(
        ssl_certfile=str(files.certificate), ssl_keyfile=str(files.key), http_request_timeout=200
    )
    with server, socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(begun)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
        trusting = ssl.create_default_context(cafile=str(files.certificate))
        assert httpx.get(f"{server.url}/health", verify=trusting).status_code == 200


async def test_on_a_loop_that_runs() -> None:
    """As in a notebook, whose cells run on the loop."""
    server, events = made({"/app": tiny}, prefix="/at")
    server.start()
    assert server.io_loop is asyncio.get_running_loop()
    async with httpx.AsyncClient() as http:
        page = await http.get(f"{server.url}/app")
    url = f"ws://localhost:{server.port}/at/app/ws"
    async with WireClient.connect(url, page_token(page.text)) as client:
        assert (await client.pull())["roots"]
    server.stop()
    await server.stopped()
    assert len(events.of(SessionDestroyed)) == 1


async def test_async_with_waits_until_it_listens() -> None:
    async with made()[0] as server, httpx.AsyncClient() as http:
        assert (await http.get(server.url + "/")).status_code == 200


def test_on_a_loop_of_somebody_else() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server, _ = made(io_loop=loop)
        server.start()
        assert httpx.get(server.url + "/", timeout=20).status_code == 200
        server.stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_script_that_runs_until_shutdown(tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    script.write_text(
        textwrap.dedent("""
        import hyperfocal
        def app(doc):
            doc.on_session_destroyed(lambda context: print("destroyed", flush=True))
        server = hyperfocal.Server(app, port=0)
        print(server.url, flush=True)
        server.run_until_shutdown()
        print("over", flush=True)
        """)
    )
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport) as http:
        assert http.get(url + "/").status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "destroyed\nover\n"
    assert process.wait(20) == 0
    process.stdout.close()


def test_run_until_shutdown_of_a_server_in_a_thread() -> None:
    server, events = made()
    server.start()
    httpx.get(server.url + "/")
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    server.run_until_shutdown()
    assert len(events.of(SessionDestroyed)) == 1


def test_a_script_by_its_path(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text("from bokeh.io import curdoc\ncurdoc().title = 'by its path'\n")
    with made({"/app": script})[0] as server:
        assert "by its path" in httpx.get(server.url + "/app").text


def test_options_have_the_names_of_the_command_line_of_settings_and_of_bokeh() -> None:
    server, _ = made(
        allow_websocket_origin=["example.com"],
        unused_session_lifetime=7,
        keep_alive_milliseconds=8,
        token_expiration_s=9,
    )
    server.unlisten()
    found = server.settings
    assert found.websocket_origins == ("example.com",)
    assert found.unused_session_lifetime_ms == 7
    assert (found.keep_alive_ms, found.token_expiration_s) == (8, 9)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"prot": 1}, UsageError, "no option prot; do you mean port?"),
        ({"port": -1}, ConfigError, "--port"),
        ({"extra_patterns": []}, UsageError, "mount hyperfocal.asgi_app"),
        ({"settings": Settings(), "port": 1}, UsageError, "not both"),
        ({"num_procs": 2}, UsageError, "hyperfocal serve --num-procs"),
    ],
)
def test_options_that_make_no_sense(
    options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Server(tiny, **options)


def test_what_is_no_application_leaves_nothing_open() -> None:
    with pytest.raises(UsageError, match="not an application"):
        made(17)


def test_a_port_that_is_taken() -> None:
    with made()[0] as server, pytest.raises(ListenError):
        made(port=server.port)


def test_a_server_that_cannot_be_started_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def fails(self: Site) -> AsyncGenerator[None]:
        if self.served:
            raise LookupError
        yield

    monkeypatch.setattr(Site, "lifespan", fails)
    server, _ = made()
    with pytest.raises(UsageError, match="could not be started"):
        server.start()
    server.stop()


def test_show_opens_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []

    class Browser:
        def open(self, url: str, new: int) -> None:
            opened.append((url, new))

    monkeypatch.setattr(webbrowser, "get", lambda name: Browser())
    server, _ = made({"/app": tiny})
    server.show("/app")
    server.show("/app", new="window")
    assert opened == [(f"{server.url}/app", 2), (f"{server.url}/app", 1)]
    with pytest.raises(ValueError, match="slash"):
        server.show("app")
    server.unlisten()
