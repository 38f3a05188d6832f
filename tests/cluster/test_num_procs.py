"""Several processes on one port: every request finds its session, wherever it lands."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bokeh.client import pull_session
from bokeh.core.types import ID
from websockets.exceptions import InvalidStatus

from hyperfocal.auth import TokenAuthority
from hyperfocal.clock import SystemClock
from hyperfocal.config import WebSocketTransport
from hyperfocal.errors import UsageError
from hyperfocal.server import asgi_app
from hyperfocal.testing import WireClient, page_token
from tests.cluster.conftest import (
    Marks,
    Remote,
    alive,
    connected,
    folder,
    health,
    new_page,
    pids,
)
from tests.support.certificates import make_certificate
from tests.support.serving import Process, serving, until


@pytest.fixture(
    scope="module", params=[WebSocketTransport.NATIVE, WebSocketTransport.ASGI], ids=str
)
def server(request: pytest.FixtureRequest, script: Path) -> Generator[Process]:
    with serving("--num-procs", "3", "--websocket-transport", request.param, script) as running:
        yield running


async def passed_on(server: Process) -> int:
    return sum(worker["passed_on"] for worker in (await health(server))["workers"])


async def test_pages_and_websockets_find_each_other(server: Process) -> None:
    """Each over connections of its own, which land anywhere."""
    homes: set[int] = set()

    async def visit(token: str) -> None:
        async with connected(server, token) as client:
            remote = Remote(client)
            home = await remote.pull()
            homes.add(home)
            await remote.order("hello")
            assert remote.echoed() == [f"{home} hello"]
        # And it is the same session that a second websocket finds.
        async with connected(server, token) as client:
            again = Remote(client)
            assert await again.pull() == home
            assert again.values["order"]["value"] == "hello"

    before = await passed_on(server)
    for _ in range(10):  # a worker gets nothing as long as it is busy with its first page
        tokens = await asyncio.gather(*(new_page(server) for _ in range(24)))
        await asyncio.gather(*map(visit, tokens))
        if len(homes) > 1:
            break
    workers = await pids(server)
    assert len(workers) == 3
    assert len(homes) > 1
    assert homes <= set(workers.values())
    assert await passed_on(server) > before  # some landed on another process than their page


async def test_health_tells_of_all_workers(server: Process) -> None:
    token = await new_page(server)
    async with connected(server, token) as client:
        await client.pull()
        found = [await health(server) for _ in range(12)]
        for one in found:
            assert one["status"] == "ok"
            assert one["connections"] == 1
            assert one["sessions"] == sum(worker["sessions"] for worker in one["workers"]) > 0
            assert [worker["name"] for worker in one["workers"]] == [
                "worker 1", "worker 2", "worker 3",
            ]  # fmt: skip


async def test_a_session_id_that_a_client_chooses_has_one_home(server: Process) -> None:
    async def visit(number: int) -> int:
        query = {"bokeh-session-id": f"chosen-{number % 4}"}
        token = await new_page(server, params=query)
        async with connected(server, token) as client:
            return await Remote(client).pull()

    homes = await asyncio.gather(*map(visit, range(24)))
    for number in range(4):
        assert len(set(homes[number::4])) == 1
    assert len(set(homes)) > 1

    async def by_header(number: int) -> int:
        token = await new_page(server, headers={"Bokeh-Session-Id": f"chosen-{number}"})
        async with connected(server, token) as client:
            return await Remote(client).pull()

    assert [await by_header(number) for number in range(4)] == homes[:4]


async def test_autoload_scripts(server: Process) -> None:
    async with httpx.AsyncClient() as http:
        for number in range(6):
            query = {"bokeh-autoload-element": "e", "bokeh-session-id": f"embedded-{number}"}
            answer = await http.get(f"{server.base}/app/autoload.js", params=query)
            assert answer.status_code == 200
            async with connected(server, page_token(answer.text)) as client:
                home = await Remote(client).pull()
            async with connected(server, await new_page(server, params=query)) as client:
                assert await Remote(client).pull() == home


async def test_bokeh_client(server: Process) -> None:
    def pull(session_id: str) -> str:
        with pull_session(session_id=ID(session_id), url=f"{server.base}/app") as session:
            order: Any = session.document.select_one({"name": "order"})
            pid: Any = session.document.select_one({"name": "pid"})
            order.value = session_id
            session.force_roundtrip()
            return str(pid.text)

    homes = [await asyncio.to_thread(pull, f"client-{number}") for number in range(6)]
    assert len(set(homes)) > 1
    for number, home in enumerate(homes):
        query = {"bokeh-session-id": f"client-{number}"}
        async with connected(server, await new_page(server, params=query)) as client:
            remote = Remote(client)
            assert await remote.pull() == int(home)
            assert remote.values["order"]["value"] == f"client-{number}"


async def test_a_connection_that_is_kept_moves_with_its_requests(server: Process) -> None:
    """As a browser's does: one connection, sessions at different homes, and files in between."""
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits) as http:
        homes: set[int] = set()
        ports: set[int] = set()
        for number in range(12):
            query = {"bokeh-session-id": f"kept-{number}"}
            answer = await http.get(f"{server.base}/app", params=query)
            assert answer.status_code == 200
            stream = answer.extensions["network_stream"]
            ports.add(stream.get_extra_info("client_addr")[1])
            assert (await http.get(f"{server.base}/static/js/bokeh.min.js")).status_code == 200
            async with connected(server, page_token(answer.text)) as client:
                homes.add(await Remote(client).pull())
        assert len(homes) > 1
        assert len(ports) == 1


async def test_a_token_that_is_none_is_refused(server: Process) -> None:
    for _ in range(6):
        with pytest.raises(InvalidStatus) as raised:
            async with connected(server, "nonsense"):
                pass
        assert raised.value.response.status_code == 403


def test_behind_a_prefix(script: Path) -> None:
    async def visit(server: Process) -> int:
        async with connected(server, await new_page(server)) as client:
            return await Remote(client).pull()

    async def visits(server: Process) -> set[int]:
        return {await visit(server) for _ in range(6)}

    with serving("--num-procs", "2", "--prefix", "inner", script) as server:
        assert len(asyncio.run(visits(server))) == 2


def test_over_tls(tmp_path: Path, script: Path) -> None:
    """The keys of a connection stay in the process that accepted it; bytes are passed on."""
    certificate = make_certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate.certificate))

    async def test(server: Process) -> None:
        homes: set[int] = set()
        async with httpx.AsyncClient(verify=trust) as http:
            for number in range(6):
                page = await http.get(f"{server.base}/app?bokeh-session-id=tls-{number}")
                assert page.status_code == 200
                async with connected(server, page_token(page.text), ssl=trust) as client:
                    remote = Remote(client)
                    homes.add(await remote.pull())
                    await remote.order("x" * 1_000_000)
                    assert len(remote.echoed()[0]) > 1_000_000
            workers = (await http.get(f"{server.base}/health")).json()["workers"]
        assert len(homes) == 2
        assert sum(worker["passed_on"] for worker in workers) > 0

    tls = ("--ssl-certfile", certificate.both)
    with serving("--num-procs", "2", *tls, script, ready=r"Serving at (https://\S+?)/ ") as server:
        asyncio.run(test(server))
        assert server.stop() == 0


def test_over_a_unix_socket(tmp_path: Path, script: Path) -> None:
    path = str(tmp_path / "socket")

    async def test() -> None:
        homes: set[str] = set()
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path)) as http:
            for _ in range(8):
                page = await http.get("http://anywhere/app")
                token = page_token(page.text)
                url = "ws://anywhere/app/ws"
                async with WireClient.connect(url, token, sock=unix_socket(path)) as client:
                    homes.add(str(await Remote(client).pull()))
        assert len(homes) == 2

    command = [sys.executable, "-m", "hyperfocal", "serve", "--unix-socket", path]
    with serving("--num-procs", "2", script, command=command, ready=r"Serving at (\S+) ") as server:
        asyncio.run(test())
        assert Path(path).exists()
        assert server.stop() == 0
    assert not Path(path).exists()


def unix_socket(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.connect(path)
    return made


def test_files_of_extensions_are_found_by_every_process(tmp_path: Path) -> None:
    """Only the process that made a page has heard of the extensions that it needs."""
    script = tmp_path / "app.py"
    script.write_text("import panel as pn\npn.widgets.IntSlider().servable()\n")

    async def test(server: Process) -> None:
        async with httpx.AsyncClient() as http:
            page = (await http.get(f"{server.base}/app")).text
        files = re.findall(r'(?:src|href)="/?(static/extensions/panel/[^"]+)"', page)
        assert files
        for path in files:
            for _ in range(6):  # over connections of their own, which land anywhere
                async with httpx.AsyncClient() as http:
                    assert (await http.head(f"{server.base}/{path}")).status_code == 200, path

    with serving("--num-procs", "2", script) as server:
        asyncio.run(test(server))


def test_files_of_extensions_are_found_by_pages_of_a_server_before(tmp_path: Path) -> None:
    """They come back to a server of which no page has asked for anything."""
    script = tmp_path / "app.py"
    script.write_text("import panel as pn\npn.widgets.IntSlider().servable()\n")
    secret = "of both servers, and long enough"
    token = TokenAuthority(secret.encode(), SystemClock()).issue("a-session", {})

    async def test(server: Process) -> None:
        async with connected(server, token) as client:
            files = re.findall(
                r"'url': '(static/extensions/panel/[^']+)'", str(await client.pull())
            )
        assert files
        async with httpx.AsyncClient() as http:
            for path in files:
                assert (await http.head(f"{server.base}/{path}")).status_code == 200, path

    with serving("--isolate", script, env={"BOKEH_SECRET_KEY": secret}) as server:
        asyncio.run(test(server))


def test_what_is_wrong_with_the_settings_is_one_line(tmp_path: Path, script: Path) -> None:
    with (
        pytest.raises(AssertionError, match="Error: --index"),
        serving("--index", str(tmp_path / "none.html"), "--num-procs", "2", script),
    ):
        pass


def test_programs_have_one_process() -> None:
    with pytest.raises(UsageError, match="num_procs and isolate are for `hyperfocal serve`"):
        asgi_app({}, num_procs=2)


def test_a_signal_runs_all_hooks_and_leaves_no_process(tmp_path: Path, marks: Marks) -> None:
    app = folder(tmp_path / "app")

    async def visit(server: Process) -> set[int]:
        for _ in range(6):
            await new_page(server)
        return set((await pids(server)).values())

    with serving("--num-procs", "3", app, env=marks.env) as server:
        workers = asyncio.run(visit(server))
        assert len(workers) == 3
        assert server.stop(signal.SIGTERM) == 0
    assert set(marks.of("loaded")) == set(marks.of("unloaded")) == workers
    assert len(marks.of("created")) == 6
    assert sorted(marks.of("destroyed")) == sorted(marks.of("created"))
    assert not any(map(alive, workers))
    assert server.log[-1].endswith("Stopped\n")
    assert "Traceback" not in server.text


def test_ctrl_c_in_a_terminal_goes_to_all_processes(tmp_path: Path, marks: Marks) -> None:
    app = folder(tmp_path / "app")
    with serving("--num-procs", "2", app, env=marks.env) as server:
        asyncio.run(new_page(server))
        workers = asyncio.run(pids(server)).values()
        for pid in (*workers, server.process.pid):
            os.kill(pid, signal.SIGINT)
        assert server.process.wait(20) == 0
    assert len(marks.of("unloaded")) == 2
    assert len(marks.of("destroyed")) == 1
    assert not any(map(alive, workers))


def test_workers_end_when_the_process_that_watches_over_them_is_gone(
    tmp_path: Path, marks: Marks
) -> None:
    app = folder(tmp_path / "app")
    with serving("--num-procs", "2", app, env=marks.env) as server:
        workers = asyncio.run(pids(server)).values()
        server.stop(signal.SIGKILL)
        asyncio.run(until(lambda: not any(map(alive, workers))))
    assert len(marks.of("unloaded")) == 2


def test_a_second_signal_ends_workers_that_hang(tmp_path: Path) -> None:
    hooks = "import time\ndef on_server_unloaded(context):\n    print('hanging', flush=True)\n"
    app = folder(tmp_path / "app", hooks=f"{hooks}    time.sleep(1000)\n")
    with serving("--num-procs", "2", app) as server:
        workers = asyncio.run(pids(server)).values()
        server.process.send_signal(signal.SIGTERM)
        asyncio.run(until(lambda: server.text.count("hanging") == 2))
        assert server.stop(signal.SIGTERM) == 1
    assert not any(map(alive, workers))
    assert "asked for a second time" in server.text


def test_a_port_in_use_is_one_line(script: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1 port {port}"),
            serving("--port", str(port), "--num-procs", "2", script),
        ):
            pass
