"""Files of custom components: found by whichever process has loaded the component."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.conftest import health, new_page
from tests.support.certificates import make_certificate
from tests.support.serving import Process, serving

#: Not Panel itself, which takes its time: only these are looked at, whoever has made them.
COMPONENT = """
import param

class Styled(param.Parameterized):
    _stylesheets = ["{name}.css"]
"""
SECRET = "not-listed.css"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two applications, each with a component of its own in a module of its own."""
    folder = tmp_path_factory.mktemp("apps")
    (folder / SECRET).write_text("secret")
    for name in ("first", "second"):
        (folder / f"{name}_parts.py").write_text(COMPONENT.format(name=name))
        (folder / f"{name}.css").write_text(f"/* {name} */")
        (folder / f"{name}.py").write_text(f"import {name}_parts\n")
    return [folder / "first.py", folder / "second.py"]


@pytest.fixture(
    scope="module",
    params=[("--num-procs", "3"), ("--isolate",), ("--isolate", "--num-procs", "2")],
    ids=" ".join,
)
def server(request: pytest.FixtureRequest, scripts: list[Path]) -> Generator[Process]:
    """Each application has one session, so one process has its component."""
    with serving(*request.param, *scripts) as running:
        asyncio.run(new_page(running, "/first"))
        asyncio.run(new_page(running, "/second"))
        yield running
        assert running.stop() == 0
        assert "ERROR" not in running.text
        assert "Traceback" not in running.text


def url(name: str, file: str | None = None, attribute: str = "_stylesheets") -> str:
    return f"/components/{name}_parts/Styled/{attribute}/{file or f'{name}.css'}"


async def passed_on(server: Process) -> int:
    return sum(worker["passed_on"] for worker in (await health(server))["workers"])


async def over_one_connection(server: Process, *paths: str, **options: Any) -> list[httpx.Response]:
    answers: list[httpx.Response] = []
    ports: set[int] = set()
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), **options) as http:
        for path in paths:
            answers.append(await http.get(server.base + path))
            stream = answers[-1].extensions["network_stream"]
            ports.add(stream.get_extra_info("client_addr")[1])
    assert len(ports) == 1
    return answers


async def test_a_component_is_found_from_anywhere(server: Process) -> None:
    before = await passed_on(server)
    for _ in range(12):  # connections of their own, which land anywhere
        async with httpx.AsyncClient() as http:
            for name in ("first", "second"):
                answer = await http.get(server.base + url(name))
                assert (answer.status_code, answer.text) == (200, f"/* {name} */")
    assert await passed_on(server) > before


async def test_a_connection_that_is_kept_goes_where_each_request_belongs(server: Process) -> None:
    paths = ["/health", url("first"), "/first", url("second"), url("none"), "/second", url("first")]
    answers = await over_one_connection(server, *paths)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 404, 200, 200]
    assert answers[1].text == answers[-1].text == "/* first */"
    assert answers[3].text == "/* second */"


async def test_what_nobody_has_is_not_there_and_each_is_asked_once(server: Process) -> None:
    others = len((await health(server))["workers"]) - 1
    unknown = [url("none"), url("first", "other.css"), url("first", SECRET)]
    for path in unknown:
        before = await passed_on(server)
        async with asyncio.timeout(5):
            (answer,) = await over_one_connection(server, path)
        assert answer.status_code == 404
        assert await passed_on(server) - before == others


async def test_nobody_is_asked_for_what_no_component_can_have(server: Process) -> None:
    before = await passed_on(server)
    for _ in range(5):
        async with httpx.AsyncClient() as http:
            for attribute in ("secret", "__dict__", "param"):
                answer = await http.get(server.base + url("first", attribute=attribute))
                assert answer.status_code == 404
    assert await passed_on(server) == before


async def test_many_requests_for_nothing_delay_nobody(server: Process) -> None:
    async def ask(number: int) -> None:
        paths = [url(f"none-{number}-{one}") for one in range(10)]
        answers = await over_one_connection(server, *paths)
        assert {answer.status_code for answer in answers} == {404}

    async with asyncio.timeout(20):
        await asyncio.gather(*map(ask, range(20)))
        assert (await over_one_connection(server, url("first")))[0].status_code == 200


@pytest.mark.parametrize("options", [("--num-procs", "2"), ("--isolate",)], ids=" ".join)
def test_over_tls(tmp_path: Path, scripts: list[Path], options: tuple[str, ...]) -> None:
    certificate = make_certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate.certificate))

    async def test(server: Process) -> None:
        for path in ("/first", "/second"):
            await over_one_connection(server, path, verify=trust)
        paths = [url("first"), url("none"), url("second"), "/first", url("second")]
        for _ in range(6):
            answers = await over_one_connection(server, *paths, verify=trust)
            assert [answer.status_code for answer in answers] == [200, 404, 200, 200, 200]
            assert [answers[0].text, answers[2].text] == ["/* first */", "/* second */"]

    ready = r"Serving at (https://\S+?)/ "
    tls = ("--ssl-certfile", certificate.both)
    with serving(*options, *tls, *scripts, ready=ready) as server:
        asyncio.run(test(server))
        assert server.stop() == 0


def test_a_connection_that_was_at_others_is_let_in_by_them_no_more_than_before(
    tmp_path: Path, scripts: list[Path]
) -> None:
    auth = tmp_path / "auth.py"
    auth.write_text("def get_user(request): return None\nlogin_url = '/login-elsewhere'\n")

    async def test(server: Process) -> None:
        answers = await over_one_connection(server, url("none"), "/first", url("none"), "/second")
        assert [answer.status_code for answer in answers] == [404, 302, 404, 302]

    with serving("--isolate", "--num-procs", "2", "--auth-module", auth, *scripts) as server:
        asyncio.run(test(server))
