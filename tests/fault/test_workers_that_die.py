"""A process that dies takes down its own sessions, is replaced, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from hyperfocal.pages import AFRESH_TEXT
from tests.cluster.conftest import (
    APP,
    Remote,
    alive,
    connected,
    folder,
    health,
    new_page,
    pids,
)
from tests.support.serving import Process, serving, until
from tests.web.test_beginning_afresh import COMES_BACK


async def crash(remote: Remote, how: str) -> None:
    """Have the application crash in a callback."""
    with pytest.raises((ConnectionError, ConnectionClosed)):
        await remote.order(how)


async def come_back(server: Process, token: str, path: str = "/app") -> int:
    """As BokehJS does: try again with the token of the page. Gives the new session's process."""
    async with asyncio.timeout(20):
        while True:
            try:
                async with connected(server, token, path) as client:
                    return await Remote(client).pull()
            except (InvalidHandshake, OSError, EOFError):
                await asyncio.sleep(0.05)


def test_one_that_is_killed_is_replaced_and_the_others_sessions_live_on(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)

    async def test(server: Process) -> None:
        tokens = [await new_page(server) for _ in range(8)]
        clients = [connected(server, token) for token in tokens]
        remotes = [Remote(await client.__aenter__()) for client in clients]
        homes = [await remote.pull() for remote in remotes]
        victim = homes[0]
        assert len(set(homes)) == 2
        os.kill(victim, signal.SIGKILL)
        lost = [remote for remote, home in zip(remotes, homes, strict=True) if home == victim]
        for remote in lost:
            await remote.client.socket.wait_closed()
            assert remote.client.socket.close_code == 1006  # BokehJS comes back after that

        # The others noticed nothing.
        for remote, home in zip(remotes, homes, strict=True):
            if home != victim:
                await remote.order("still there")
                assert remote.echoed() == [f"{home} still there"]

        # Those who come back are served by whoever is in the place of the dead one.
        back = {await come_back(server, tokens[at]) for at, h in enumerate(homes) if h == victim}
        assert len(back) == 1
        assert not back & set(homes)
        assert back < set((await pids(server)).values())
        for client in clients:
            await client.__aexit__(None, None, None)

    with serving("--num-procs", "2", tmp_path / "app.py") as server:
        asyncio.run(test(server))
        assert server.stop() == 0
    assert "was ended by SIGKILL (is memory short?); its sessions are lost" in server.text


def test_one_that_dies_at_once_again_and_again_is_given_time(tmp_path: Path) -> None:
    hooks = "import os, pathlib\ndef on_server_loaded(context):\n"
    hooks += "    if not pathlib.Path(os.environ['CALM']).exists(): os._exit(3)\n"
    app = folder(tmp_path / "app", hooks=hooks)
    calm = tmp_path / "calm"
    with serving("--isolate", app, env={"CALM": str(calm)}) as server:
        asyncio.run(until(lambda: "for the third time in a row" in server.text))
        calm.touch()
        asyncio.run(until(lambda: httpx.get(f"{server.base}/app").status_code == 200))
        assert server.stop() == 0
    deaths = [line for line in server.log if "ended by itself with status 3" in line]
    assert deaths[0].endswith("its sessions are lost. Starting it again at once\n")
    assert deaths[1].endswith("for the second time in a row; its sessions are lost. Starting it "
                              "again in 0.5 s\n")  # fmt: skip
    assert deaths[2].endswith("Starting it again in 1 s\n")
    assert "The worker of /app (process " in deaths[0]


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("exit", "ended by itself with status 7"),
        ("crash", "was ended by SIGSEGV"),
        ("kill", "was ended by SIGKILL"),
    ],
)
def test_an_application_that_crashes_is_alone(tmp_path: Path, how: str, cause: str) -> None:
    for name in ("app", "other"):
        (tmp_path / f"{name}.py").write_text(APP)

    async def test(server: Process) -> None:
        token = await new_page(server)
        other_token = await new_page(server, "/other")
        async with connected(server, other_token, "/other") as other_client:
            other = Remote(other_client)
            home = await other.pull()
            async with connected(server, token) as client:
                remote = Remote(client)
                victim = await remote.pull()
                assert victim != home
                await crash(remote, how)
            await until(lambda: not alive(victim))
            # The other application's page has noticed nothing.
            await other.order("still there")
            assert other.echoed() == [f"{home} still there"]
            # The page of the dead one comes back, to a new process.
            assert await come_back(server, token) not in (victim, home)

    with serving("--isolate", tmp_path / "app.py", tmp_path / "other.py") as server:
        asyncio.run(test(server))
        assert server.stop() == 0
    assert cause in server.text


def test_the_page_of_an_application_that_does_not_live_says_so(tmp_path: Path) -> None:
    bad = folder(tmp_path / "bad", hooks="import os\ndef on_server_loaded(c): os._exit(3)\n")
    (tmp_path / "good.py").write_text(APP)

    async def test(server: Process) -> None:
        await until(lambda: "Starting it again in 4 s" in server.text)
        async with httpx.AsyncClient() as http:
            page = await http.get(f"{server.base}/bad")
            assert page.status_code == 503
            assert "This application stopped unexpectedly" in page.text
            assert int(page.headers["retry-after"]) > 0
            assert page.headers["refresh"] == page.headers["retry-after"]
            script = await http.get(f"{server.base}/bad/autoload.js?bokeh-autoload-element=e1")
            assert script.status_code == 503
            assert "stopped unexpectedly" in script.text
            assert script.headers["access-control-allow-origin"] == "*"
            # The start page, files and the other application do not know of it.
            index = await http.get(f"{server.base}/")
            assert "/bad" in index.text and "/good" in index.text
            assert (await http.get(f"{server.base}/static/js/bokeh.min.js")).status_code == 200
            health = (await http.get(f"{server.base}/health")).json()
            assert {one["name"]: one["state"] for one in health["workers"]} == {
                "door": "ready", "/bad": "down", "/good": "ready",
            }  # fmt: skip
        token = await new_page(server, "/good")
        with pytest.raises(InvalidStatus) as raised:
            async with connected(server, token, "/bad"):
                pass
        assert raised.value.response.status_code == 503
        async with connected(server, token, "/good") as client:
            await Remote(client).pull()

    with serving("--isolate", bad, tmp_path / "good.py") as server:
        asyncio.run(test(server))
        assert server.stop() == 0


def test_the_door_is_replaced_and_sessions_live_on(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)

    async def test(server: Process) -> None:
        async with connected(server, await new_page(server)) as client:
            remote = Remote(client)
            home = await remote.pull()
            door = (await pids(server))["door"]
            os.kill(door, signal.SIGKILL)
            await until(lambda: not alive(door))
            await remote.order("still there")
            assert remote.echoed() == [f"{home} still there"]
            assert await come_back(server, await new_page(server)) == home

    with serving("--isolate", "--num-procs", "1", tmp_path / "app.py") as server:
        asyncio.run(test(server))


def stuck_app(folder: Path) -> Path:
    """The application, with an order that has C code keep the interpreter."""
    keep = "if new == 'stuck': ctypes.PyDLL(None).sleep(1000)"
    app = folder / "app.py"
    app.write_text(APP.replace("if new ==", f"{keep}\n    if new ==", 1))
    return app


def unanswered(server: Process) -> list[str]:
    """What the log says of processes that did not answer."""
    return [line for line in server.log if "has not answered for" in line]


async def begin(server: Process, order: str, token: str) -> tuple[int, asyncio.Task[None]]:
    """Have a session do something that does not end; gives its process, and a task to cancel."""
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def go() -> None:
        async with connected(server, token) as client:
            remote = Remote(client)
            begun.set_result(await remote.pull())
            with contextlib.suppress(ConnectionError, ConnectionClosed, TimeoutError):
                await remote.order(order)

    task = asyncio.create_task(go())
    return await begun, task


def test_a_worker_that_is_stuck_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    """New visitors go elsewhere, whatever it was sent before."""

    async def test(server: Process) -> None:
        home, waiting = await begin(server, "stuck", await new_page(server))
        await asyncio.sleep(0.5)
        async with httpx.AsyncClient(timeout=4) as http:
            served = 0
            for _ in range(12):
                try:
                    served += (await http.get(f"{server.base}/app")).status_code == 200
                except httpx.TimeoutException:
                    pass
            assert served >= 11  # the first may have been sent there before it showed
        assert not unanswered(server)
        waiting.cancel()
        os.kill(home, signal.SIGKILL)

    with serving("--num-procs", "2", stuck_app(tmp_path)) as server:
        asyncio.run(test(server))


def test_a_worker_that_is_stuck_is_replaced_and_the_others_sessions_live_on(
    tmp_path: Path,
) -> None:
    async def test(server: Process) -> None:
        tokens = [await new_page(server) for _ in range(8)]
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(server, one)) for one in tokens]
            remotes = [Remote(client) for client in clients]
            homes = [await remote.pull() for remote in remotes]
            assert len(set(homes)) == 2
            victim = homes[0]
            with pytest.raises((ConnectionError, ConnectionClosed)):
                await remotes[0].order("stuck")
            await until(lambda: not alive(victim))
            for remote, home in zip(remotes, homes, strict=True):
                if home != victim:
                    await remote.order("still there")
                    assert remote.echoed() == [f"{home} still there"]
        # Pages come back to whoever is in the place of the stuck one, and are told.
        lost = [token for token, home in zip(tokens, homes, strict=True) if home == victim]
        assert await come_back(server, lost[0]) not in homes
        async with connected(server, lost[1]) as client:
            await client.pull()
            await client.patch(COMES_BACK)
            assert AFRESH_TEXT in str([message.content for message in client.messages])
        # Once: nobody else was ended.
        (said,) = unanswered(server)
        worker = next(name for name, pid in first.items() if pid == victim)
        assert f"The {worker} (process {victim}) has not answered for " in said
        assert 1.5 <= float(said.split("answered for ")[1].split()[0]) < 10
        assert f"(process {victim}) was ended by SIGABRT because it was stuck; its" in server.text
        assert "Starting it again at once" in server.text
        # Where its code was.
        stack_of_it = server.text.partition("Fatal Python error: Aborted")[2]
        assert re.search(rf'File "{app}", line \d+ in obey', stack_of_it)

    app = stuck_app(tmp_path)
    with serving("--num-procs", "2", "--stuck-after", "1500", app) as server:
        first = asyncio.run(pids(server))
        asyncio.run(test(server))
        assert server.stop() == 0


def test_who_waits_for_a_page_of_a_worker_that_is_stuck_is_told(tmp_path: Path) -> None:
    app = tmp_path / "bad.py"
    app.write_text("import ctypes\nctypes.PyDLL(None).sleep(1000)\n")
    with serving("--isolate", "--stuck-after", "1000", app) as server:
        page = httpx.get(f"{server.base}/", follow_redirects=True, timeout=30)
        assert page.status_code == 503
        assert "This application stopped unexpectedly" in page.text
        assert server.stop() == 0
    (said,) = unanswered(server)
    assert "The worker of /bad (process " in said


def test_a_process_that_is_stuck_and_blocks_the_signal_is_killed(tmp_path: Path) -> None:
    app = stuck_app(tmp_path)
    # A process that ignores it stands for one that does not get as far.
    ignores = "ctypes.CDLL(None).signal(6, ctypes.c_void_p(1))"
    app.write_text(app.read_text().replace("if new ==", f"{ignores}\n    if new ==", 1))

    async def test(server: Process) -> None:
        home, waiting = await begin(server, "stuck", await new_page(server))
        await until(lambda: not alive(home), 30)
        await waiting

    with serving("--num-procs", "2", "--stuck-after", "1000", app) as server:
        asyncio.run(test(server))
        assert server.stop() == 0
    assert "was ended by SIGKILL because it was stuck; its sessions are lost" in server.text


def test_a_process_that_is_stopped_for_a_while_is_left_alone(tmp_path: Path) -> None:
    async def test(server: Process) -> None:
        async with connected(server, await new_page(server)) as client:
            remote = Remote(client)
            home = await remote.pull()
            os.kill(home, signal.SIGSTOP)
            await asyncio.sleep(4)
            os.kill(home, signal.SIGCONT)
            await remote.order("still there")
            assert remote.echoed() == [f"{home} still there"]
            # So are all, when the whole server is stopped.
            everyone = [server.process.pid, *(await pids(server)).values()]
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for pid in everyone:
                    os.kill(pid, number)
                await asyncio.sleep(3)
            await remote.order("there again")
            assert remote.echoed()[-1] == f"{home} there again"

    with serving("--num-procs", "2", "--stuck-after", "1000", stuck_app(tmp_path)) as server:
        asyncio.run(test(server))
        assert server.stop() == 0
    assert not unanswered(server)
    assert "its sessions are lost" not in server.text


def test_a_worker_that_is_stuck_is_left_alone_when_that_is_asked_for(tmp_path: Path) -> None:
    async def test(server: Process) -> None:
        home, waiting = await begin(server, "stuck", await new_page(server))
        await asyncio.sleep(2)
        assert alive(home)
        os.kill(home, signal.SIGKILL)
        await waiting
        while "was ended by SIGKILL" not in server.text:  # not while the server ends
            await asyncio.sleep(0.01)

    with serving("--num-procs", "2", "--stuck-after", "0", stuck_app(tmp_path)) as server:
        asyncio.run(test(server))
        assert server.stop() == 0
    assert not unanswered(server)


def test_a_server_that_has_nothing_to_do_is_not_woken(tmp_path: Path) -> None:
    """No process of it answers when nobody asks; by the switches that the system counts."""

    def switches(pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    async def test(server: Process) -> None:
        workers = (await pids(server)).values()
        await asyncio.sleep(3)  # the last answer to what was asked meanwhile
        before = [switches(pid) for pid in workers]
        await asyncio.sleep(3)
        after = [switches(pid) for pid in workers]
        assert sum(after) - sum(before) <= 2, (before, after)

    with serving("--num-procs", "2", "--stuck-after", "1000", stuck_app(tmp_path)) as server:
        asyncio.run(test(server))


@pytest.mark.parametrize("how", ["__import__('os')._exit(1)", "__import__('ctypes').string_at(0)"])
def test_a_script_that_crashes_while_its_page_is_made_is_excused(tmp_path: Path, how: str) -> None:
    (tmp_path / "bad.py").write_text(how)
    (tmp_path / "good.py").write_text(APP)

    async def test(server: Process) -> None:
        async with httpx.AsyncClient() as http:
            for _ in range(2):
                page = await http.get(f"{server.base}/bad")
                assert page.status_code == 503
                assert "This application stopped unexpectedly" in page.text
                assert "while it was preparing your page" in page.text
                assert "refresh" not in page.headers  # which would crash it again and again
                states = [worker["state"] for worker in (await health(server))["workers"]]
                assert states[0] == states[2] == "ready"
                await until(lambda: server.text.count("Starting it again") >= 1)
                await until(lambda: httpx.get(f"{server.base}/bad/metadata").status_code == 200)
            script = await http.get(f"{server.base}/bad/autoload.js?bokeh-autoload-element=e")
            assert script.status_code == 503
            assert "stopped unexpectedly" in script.text
        async with connected(server, await new_page(server, "/good"), "/good") as client:
            await Remote(client).pull()

    with serving("--isolate", tmp_path / "bad.py", tmp_path / "good.py") as server:
        asyncio.run(test(server))
        assert server.stop() == 0
