"""Requests that never end, are too large, or are none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hyperfocal.application import load
from hyperfocal.web.handover import HttpProtocol
from hyperfocal.web.requests import read_request
from tests.support.applications import tiny
from tests.support.serving import Running, running, until

HANDSHAKE = b"GET /a/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@dataclass
class Peer:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def rest(self) -> bytes:
        """All that the server still says, until it closes."""
        async with asyncio.timeout(20):
            return await self.reader.read()

    async def response(self) -> bytes:
        """A response with its body."""
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return head + await self.reader.readexactly(size)

    async def send(self, data: bytes) -> None:
        """Send as much of it as the server takes."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()


@contextlib.asynccontextmanager
async def peer_of(server: Running) -> AsyncGenerator[Peer]:
    port = int(server.base.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


async def is_well(server: Running) -> None:
    """It serves others, and nothing is left of those who have gone."""
    assert (await server.page("/health")).json()["connections"] == 0
    await server.http.aclose()
    await until(lambda: not server.uvicorn.server_state.connections)


@pytest.mark.parametrize("start", [b"GET /", HANDSHAKE, b"\r\n", b"GET / HTTP/1.1\r\nA: "])
async def test_a_request_that_comes_byte_by_byte_is_ended_with_408(start: bytes) -> None:
    async with running({"/a": tiny}, http_request_timeout_ms=200) as server:
        async with peer_of(server) as peer:
            await peer.send(start)

            async def trickle() -> None:
                while True:
                    await peer.send(b"a" if not start.isspace() else b"\r\n")
                    await asyncio.sleep(0.01)

            trickling = asyncio.create_task(trickle())
            said = await peer.rest()
            trickling.cancel()
        assert said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert said.count(b"HTTP/1.1") == 1
        await is_well(server)


async def test_a_connection_without_a_request_is_closed_without_a_word() -> None:
    async with running({"/a": tiny}, http_request_timeout_ms=50) as server:
        async with peer_of(server) as peer:
            assert await peer.rest() == b""
        await is_well(server)


async def test_a_second_request_has_as_long_as_the_first_and_no_longer() -> None:
    async with running({"/a": tiny}, http_request_timeout_ms=200) as server:
        async with peer_of(server) as peer:
            await peer.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await peer.response()).startswith(b"HTTP/1.1 200")
            await peer.send(b"GET /health HTTP/1.1\r\nHo")
            assert (await peer.rest()).startswith(b"HTTP/1.1 408")
        await is_well(server)


async def test_a_body_that_never_ends_is_not_waited_for() -> None:
    async with running({"/a": tiny}, http_request_timeout_ms=200) as server:
        async with peer_of(server) as peer:
            await peer.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx")
            said = await peer.rest()
        assert said.startswith(b"HTTP/1.1 405")
        assert said.count(b"HTTP/1.1") == 1
        await is_well(server)


async def test_a_client_that_has_to_wait_is_not_called_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[object] = []
    judge = HttpProtocol._too_slow

    def look(self: HttpProtocol) -> None:
        looked.append(self)
        judge(self)

    monkeypatch.setattr(HttpProtocol, "_too_slow", look)
    async with running({"/a": tiny}, http_request_timeout_ms=50) as server:
        await server.page("/a", params={"bokeh-session-id": "one"})
        (session,) = server.context("/a").sessions
        request = b"GET /a?bokeh-session-id=one HTTP/1.1\r\nHost: x\r\n\r\n"
        async with peer_of(server) as peer:
            async with session.turn():
                await peer.send(request + request + request[:20])
                await until(lambda: len(looked) >= 2)
            assert (await peer.response()).startswith(b"HTTP/1.1 200")
            assert (await peer.response()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("behind", [b"\x00\r\n\r\n", b"GET / HTTP/1.1\r\na: " + b"x" * (1 << 20)])
async def test_nonsense_behind_a_request_is_not_answered_in_its_place(
    behind: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with running({"/a": tiny}) as server:
        await server.page("/a", params={"bokeh-session-id": "one"})
        (session,) = server.context("/a").sessions
        async with peer_of(server) as peer:
            async with session.turn():
                await peer.send(b"GET /a?bokeh-session-id=one HTTP/1.1\r\nHost: x\r\n\r\n")
                await server.page("/health")
                sending = asyncio.create_task(peer.send(behind))
                said = await peer.rest()
                await sending
            assert said == b""
        await is_well(server)
    assert "Exception" not in caplog.text


async def test_a_body_for_which_the_application_waits_is_ended_with_408() -> None:
    async def reads(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] == "http.request":
            pass

    def configure(config: Any) -> None:
        inner = config.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await (reads if scope["type"] == "http" else inner)(scope, receive, send)

        config.app = app

    async with (
        running({"/a": tiny}, http_request_timeout_ms=100, configure=configure) as server,
        peer_of(server) as peer,
    ):
        await peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx")
        assert (await peer.rest()).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "request_",
    [
        HANDSHAKE + b"Cookie: " + b"x" * (1 << 20) + b"\r\n\r\n",
        HANDSHAKE + b"Cookie: " + b"x" * (1 << 20),
        HANDSHAKE + b"".join(b"x-%d: %s\r\n" % (number, b"y" * 100) for number in range(5000)),
        b"GET /a?" + b"x" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x" * (1 << 20),
    ],
    ids=["one header", "one header without an end", "many headers", "the target", "a name"],
)
async def test_headers_that_are_too_large_are_refused_with_431(request_: bytes) -> None:
    async with running({"/a": tiny}) as server:
        async with peer_of(server) as peer:
            sending = asyncio.create_task(peer.send(request_))
            said = await peer.rest()
            await sending
        assert said.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert server.context("/a").sessions == []
        await is_well(server)


async def test_headers_below_the_limit_are_taken() -> None:
    async with running({"/a": tiny}) as server:
        response = await server.page("/a", headers={"cookie": "a=" + "x" * 60_000})
        assert response.status_code == 200
    async with running({"/a": tiny}, http_max_header_bytes=8192) as server:
        response = await server.page("/a", headers={"cookie": "a=" + "x" * 9_000})
        assert response.status_code == 431


async def test_trailers_count_as_headers() -> None:
    async with running({"/a": tiny}) as server:
        async with peer_of(server) as peer:
            start = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
            sending = asyncio.create_task(peer.send(start + b"a: " + b"x" * (1 << 20)))
            said = await peer.rest()
            await sending
        assert said.count(b"HTTP/1.1") == 1
        await is_well(server)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"\x00" * 200_000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        HANDSHAKE.replace(b"/a/ws", b"/a/ws\xff") + b"\r\n",
        HANDSHAKE.replace(b"/a/ws", b"http://[::1/ws") + b"\r\n",
        HANDSHAKE.replace(b"/a/ws", b"*") + b"\r\n",
        HANDSHAKE.replace(b"GET /a/ws", b"CONNECT a:1") + b"\r\n",
        HANDSHAKE + b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
        HANDSHAKE + b"Origin: \xff\r\nSec-WebSocket-Protocol: \xe9, \xff\r\n\r\n",
    ],
    ids=lambda request: repr(request[:80]),
)
async def test_what_is_no_request_is_refused(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with running({"/a": tiny}) as server:
        async with peer_of(server) as peer:
            await peer.send(request_)
            peer.writer.write_eof()
            said = await peer.rest()
        assert said.startswith(b"HTTP/1.1 4")
        await is_well(server)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "path", ["/../../pyproject.toml", "/%2e%2e/own.py", "/..%2fown.py", "/link.py", "//etc/passwd"]
)
async def test_static_files_are_those_of_their_folder(tmp_path: Path, path: str) -> None:
    static = tmp_path / "app" / "static"
    static.mkdir(parents=True)
    (tmp_path / "app" / "main.py").write_text("")
    (tmp_path / "app" / "own.py").write_text("secret = 1")
    (static / "link.py").symlink_to(tmp_path / "app" / "own.py")
    (static / "seen.py").write_text("no secret")
    app = load(str(tmp_path / "app"))
    async with running({"/app": app}) as server, peer_of(server) as peer:
        for asked, status in ((path, b"404"), ("/seen.py", b"200")):
            await peer.send(f"GET /app/static{asked} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            said = await peer.response()
            assert said.split()[1] == status
            assert b"secret = 1" not in said


def test_a_cookie_that_takes_python_long_is_left_out() -> None:
    """Regression: 32 KB of backslashes kept the event loop busy for a second (CVE-2024-7592)."""
    scope = {
        "headers": [(b"cookie", b'a="' + b'\\"' * 30_000 + b'"')],
        "path": "/",
        "scheme": "http",
    }
    assert read_request(scope).cookies == {}
    scope["headers"] = [(b"cookie", b'a="\\"b\\""; c=d')]
    assert read_request(scope).cookies == {"a": '"b"', "c": "d"}
