"""Where the server listens: Unix sockets and TLS, and what is wrong with those that cannot be."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from hyperfocal.config import Settings
from hyperfocal.errors import ConfigError
from hyperfocal.server import ListenError, bind, uvicorn_config
from hyperfocal.testing import page_token
from tests.support.applications import tiny
from tests.support.certificates import Certificate, make_certificate
from tests.support.raw import RawClient, info_request
from tests.support.serving import running, serving

# --- Unix sockets ---------------------------------------------------------------------------------


async def test_pages_and_websockets_over_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    settings = Settings(unix_socket=path)
    async with running({"/a": tiny}, settings) as server:
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path)) as http:
            page = await http.get("http://anywhere/a")
        async with RawClient.connect(server, page_token(page.text), unix=path) as client:
            assert client.status.endswith("101 Switching Protocols")
            await client.frames(3)
            await client.send(info_request())
            await client.frames(3)


async def test_requests_of_a_unix_socket_choose_no_sessions(tmp_path: Path) -> None:
    """Its users are proxies, which may not say that they are."""
    path = str(tmp_path / "s")
    async with (
        running({"/a": tiny}, Settings(unix_socket=path)),
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path)) as http,
    ):
        page = await http.get("http://anywhere/a?bokeh-session-id=mine")
    assert page.status_code == 403


def test_a_socket_is_removed_by_whoever_has_bound_it_and_only_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    (of_parent,) = bind(Settings(unix_socket=str(path)))
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: 0)
        of_parent.close()
    assert path.exists()
    (mine,) = bind(Settings(unix_socket=str(path)))
    path.unlink()
    (other,) = bind(Settings(unix_socket=str(path)))
    mine.close()
    assert path.exists()
    other.close()
    assert not path.exists()


def test_the_mode_of_a_unix_socket_is_what_the_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "s"
    (listening,) = bind(Settings(unix_socket=str(path), unix_socket_mode=0o660))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    listening.close()


def test_a_socket_that_a_dead_server_left_is_taken_over_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "s"
    settings = Settings(unix_socket=str(path))
    first = socket.socket(socket.AF_UNIX)
    first.bind(str(path))
    first.listen()
    with pytest.raises(ListenError, match=f"cannot listen on {path}: a server listens there"):
        bind(settings)
    first.close()  # and leaves its file, as a server that is killed does
    (second,) = bind(settings)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    second.close()
    path.write_text("precious")
    with pytest.raises(ListenError, match="there is a file of this name that is no socket"):
        bind(settings)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    "path", ["/nowhere/at/all/s", "/" + "x" * 200], ids=["no folder", "too long"]
)
def test_a_path_that_cannot_be_is_named(path: str) -> None:
    with pytest.raises(ListenError, match=f"cannot listen on {path}: "):
        bind(Settings(unix_socket=path))


@pytest.mark.parametrize(
    "beside", [{"port": 1}, {"address": "::1"}, {"ssl_certfile": __file__}], ids=repr
)
def test_a_unix_socket_has_no_address_and_no_tls(beside: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"--unix-socket: got 's', expected no --\w+.* beside"):
        Settings(unix_socket="s", **beside)


def test_the_command_serves_on_a_unix_socket_and_removes_it(tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text("from bokeh.io import curdoc\ncurdoc().title = 'hello'\n")
    path = tmp_path / "s"
    command = [sys.executable, "-m", "hyperfocal", "serve", "--unix-socket", str(path)]
    with serving(script, ready=r"Serving at (unix:\S+)", command=command) as server:
        assert server.base == f"unix:{path}"
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as http:
            assert http.get("http://anywhere/hello").status_code == 200
        assert server.stop() == 0
    assert not path.exists()


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secret_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("secret"), "open sesame")


async def test_https_with_a_key_that_has_a_password(secret_certificate: Certificate) -> None:
    files = secret_certificate
    trusting = ssl.create_default_context(cafile=str(files.certificate))
    settings = Settings(
        port=0, address="127.0.0.1", ssl_password="open sesame",
        ssl_certfile=str(files.certificate), ssl_keyfile=str(files.key),
    )  # fmt: skip
    async with (
        running({"/a": tiny}, settings) as server,
        httpx.AsyncClient(verify=trusting) as http,
    ):
        assert server.base.startswith("https://")
        page = await http.get(f"{server.base}/a")
        assert page.status_code == 200
        async with server.client("/a", page_token(page.text), ssl=trusting) as client:
            await client.pull()


def test_a_certificate_that_cannot_be_used_says_why(
    certificate: Certificate, secret_certificate: Certificate, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path)
    attempts: list[dict[str, Any]] = [
        {"ssl_certfile": str(certificate.certificate)},
        {"ssl_certfile": str(certificate.certificate), "ssl_keyfile": str(other.key)},
        {"ssl_certfile": __file__},
        {"ssl_certfile": str(secret_certificate.both)},
        {"ssl_certfile": str(secret_certificate.both), "ssl_password": "wrong"},
    ]
    for files in attempts:
        with pytest.raises(ConfigError, match=r"--ssl-certfile: got .* \(OpenSSL says: .+\)"):
            uvicorn_config(None, Settings(**files))


def test_files_of_a_certificate_have_to_be_there(tmp_path: Path) -> None:
    for option in ("ssl_certfile", "ssl_keyfile"):
        missing: dict[str, Any] = {option: str(tmp_path / "missing.pem")}
        flag = f"--{option.replace('_', '-')}"
        with pytest.raises(ConfigError, match=f"{flag}: got .*, expected a file that can be read"):
            Settings(**missing)
    with pytest.raises(
        ConfigError, match=r"--ssl-keyfile: .*, expected an --ssl-certfile beside it"
    ):
        Settings(ssl_keyfile=__file__)


def test_the_command_serves_https(certificate: Certificate, tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text("from bokeh.io import curdoc\ncurdoc().title = 'hello'\n")
    trusting = ssl.create_default_context(cafile=str(certificate.certificate))
    with serving(
        script, "--ssl-certfile", certificate.both, ready=r"Serving at (https://\S+?)/ "
    ) as server:
        assert httpx.get(f"{server.base}/hello", verify=trusting).status_code == 200
