"""Connections that move between servers: two of them here, in one process and one event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop

from hyperfocal.config import Settings
from hyperfocal.server import bind, uvicorn_config
from hyperfocal.web.exchange import Arrival, Refusal
from tests.support.certificates import make_certificate
from tests.support.serving import until

BUSY = Refusal(b"too much to do\n", "text/plain", 7)
DOWN = Refusal(b"<h1>gone</h1>", "text/html", 3, refreshes=True)
CRASHED = Refusal(b"it crashed\n", "text/plain", 5)

LARGE = 8 * 1024 * 1024


class Node:
    """One server; requests whose path begins with another one's name go there.

    Those that begin with "anyone" are answered by the last that is asked.
    """

    def __init__(self, name: str, nodes: dict[str, Node]) -> None:
        self.name = name
        self.nodes = nodes
        self.full = False
        self.release = asyncio.Event()
        self.arrived: list[Arrival] = []
        self.crashed: Refusal | None = None  # said by others for this one
        self.kept: dict[int, Any] = {}
        self.adopted: list[Any] = []
        settings = Settings(port=0, address="127.0.0.1", http_request_timeout_ms=20_000)
        self.sockets = bind(settings)
        self.port = self.sockets[0].getsockname()[1]
        self.config = uvicorn_config(self.app, settings, self)
        self.config.lifespan = "off"
        self.server = uvicorn.Server(self.config)
        self.tasks: set[asyncio.Task[Any]] = set()
        nodes[name] = self

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Says where it is, and what it got."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": self.name})
            await receive()
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        if scope["path"].endswith("/slow"):
            await self.release.wait()
        text = f"{self.name} {scope['method']} {scope['path']} {scope['scheme']} ".encode() + body
        if scope["path"].endswith("/large"):
            text = b"x" * LARGE
        headers = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    def direct(self, url: bytes, headers: Any, asked: Sequence[int] = ()) -> Any:
        name = url.decode().split("/")[1]
        if name == "anyone":
            known = (*asked, list(self.nodes).index(self.name))
            others = [node for at, node in enumerate(self.nodes.values()) if at not in known]
            return _Way(others[0], known) if others else None
        if name == "down":
            return DOWN
        return None if name == self.name else _Way(self.nodes[name])

    def open(self, adopt: Any) -> None: ...

    def answers(self, ticket: int) -> None:
        for node in self.nodes.values():
            settled = node.kept.pop(ticket, None)
            if settled is not None:
                settled(False)

    def close(self) -> None: ...

    async def adopt(self, connection: socket.socket, arrival: Arrival) -> None:
        make: Any = self.config.http_protocol_class
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: make(
                config=self.config,
                server_state=self.server.server_state,
                app_state={},
                arrival=arrival,
            ),
            connection,
        )
        self.adopted.append(transport)


class _Way:
    def __init__(self, node: Node, asked: tuple[int, ...] = ()) -> None:
        self.node = node
        self.busy = BUSY
        self.asked = asked

    @property
    def crashed(self) -> Refusal | None:
        return self.node.crashed

    def send(self, connection: int, arrival: Arrival, settled: Any = None) -> bool:
        node = self.node
        if node.full:
            return False
        arrival = replace(arrival, asked=self.asked)
        if settled is not None:
            arrival = replace(arrival, ticket=len(node.arrived) + 1)
            node.kept[arrival.ticket] = settled
        node.arrived.append(arrival)
        copy = socket.fromfd(connection, socket.AF_INET, socket.SOCK_STREAM)
        copy = socket.socket(fileno=copy.detach())  # which finds out what it is
        copy.setblocking(False)
        task = asyncio.get_running_loop().create_task(node.adopt(copy, arrival))
        node.tasks.add(task)
        return True


@asynccontextmanager
async def two(tls: Path | None = None) -> AsyncGenerator[tuple[Node, Node]]:
    nodes: dict[str, Node] = {}
    a, b = Node("a", nodes), Node("b", nodes)
    if tls is not None:
        for node in (a, b):
            node.config.ssl_certfile = str(tls)
    serving = [asyncio.create_task(node.server._serve(node.sockets)) for node in (a, b)]
    await until(lambda: a.server.started and b.server.started)
    try:
        yield a, b
    finally:
        for node in (a, b):
            node.server.should_exit = True
            node.release.set()
        await asyncio.gather(*serving)


Test = Callable[[], Awaitable[None]]


@pytest.fixture(
    params=[asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    """Runs a test on either event loop: they treat descriptors differently."""

    def on_loop(test: Test) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(test(), 50))

    return on_loop


def get(path: str, *, body: bytes = b"", method: str = "GET") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{length}\r\n".encode() + body


async def response(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return head, await reader.readexactly(length)


async def texts(reader: asyncio.StreamReader, count: int) -> list[str]:
    return [(await response(reader))[1].decode().rstrip() for _ in range(count)]


Run = Callable[[Test], None]


def test_a_connection_goes_to_and_fro(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            for path in ("/a/1", "/b/2", "/b/3", "/a/4", "/b/5"):
                writer.write(get(path))
                assert await texts(reader, 1) == [f"{path[1]} GET {path} http"]
            assert [len(node.arrived) for node in (a, b)] == [1, 2]
            assert len(a.server.server_state.connections) == 0
            assert len(b.server.server_state.connections) == 1
            own = writer.get_extra_info("sockname")
            assert [arrival.client for arrival in b.arrived] == [own, own]
            writer.close()
            await until(lambda: not b.server.server_state.connections)

    run(test)


def test_requests_in_one_write_are_answered_in_order_wherever_they_belong(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            paths = ["/a/1", "/a/2", "/b/3", "/a/4", "/b/5", "/b/6", "/a/7"]
            writer.write(b"".join(map(get, paths)))
            assert await texts(reader, 7) == [f"{path[1]} GET {path} http" for path in paths]
            writer.close()

    run(test)


def test_a_request_that_comes_in_pieces(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            for path in ("/b/1", "/a/2"):
                for byte in get(path):
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0)
                assert await texts(reader, 1) == [f"{path[1]} GET {path} http"]
            writer.close()

    run(test)


def test_a_body_goes_with_its_request(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            body = b"0123456789" * 20_000
            writer.write(get("/b/1", body=body, method="POST"))
            _, got = await response(reader)
            assert got == b"b POST /b/1 http " + body
            writer.close()

    run(test)


def test_a_request_that_anyone_may_answer_goes_to_each_once(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/anyone/1", body=b"one", method="POST"))
            assert await texts(reader, 1) == ["b POST /anyone/1 http one"]
            writer.write(get("/b/2") + get("/anyone/3") + get("/b/4"))
            expected = ["b GET /b/2 http", "a GET /anyone/3 http", "b GET /b/4 http"]
            assert await texts(reader, 3) == expected
            assert [one.asked for one in b.arrived] == [(0,), ()]
            assert [one.asked for one in a.arrived] == [(1,)]
            writer.close()

    run(test)


def test_a_connection_waits_for_the_response_before(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/a/slow"))
            await until(lambda: a.server.server_state.tasks)
            writer.write(get("/b/2"))
            writer.write(get("/a/3"))
            await asyncio.sleep(0.05)
            assert b.arrived == []
            a.release.set()
            expected = ["a GET /a/slow http", "b GET /b/2 http", "a GET /a/3 http"]
            assert await texts(reader, 3) == expected
            writer.close()

    run(test)


def test_a_connection_waits_until_the_client_has_read(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/a/large") + get("/b/2"))
            await until(lambda: a.server.server_state.total_requests == 1)
            assert b.arrived == []
            _, body = await response(reader)
            assert body == b"x" * LARGE
            assert await texts(reader, 1) == ["b GET /b/2 http"]
            writer.close()

    run(test)


def test_a_request_behind_a_body_in_one_write_is_told_to_come_again(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/a/1", body=b"x", method="POST") + get("/b/2"))
            assert await texts(reader, 1) == ["a POST /a/1 http x"]
            head, _ = await response(reader)
            assert head.startswith("http/1.1 503 ")
            assert await reader.read() == b""
            assert b.arrived == []
            writer.close()

    run(test)


@pytest.mark.parametrize("path", ["/b/1", "/down/1"])
def test_a_process_that_cannot_answer(run: Run, path: str) -> None:
    async def test() -> None:
        async with two() as (a, b):
            b.full = True
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/a/0") + get(path) + get("/a/never"))
            assert await texts(reader, 1) == ["a GET /a/0 http"]
            head, body = await response(reader)
            refusal = DOWN if "down" in path else BUSY
            assert head.startswith("http/1.1 503 ")
            assert f"retry-after: {refusal.retry_after_s}\r\n" in head
            assert ("refresh: 3\r\n" in head) == refusal.refreshes
            assert body == refusal.body
            assert await reader.read() == b""
            writer.close()

    run(test)


def test_nonsense_is_refused_where_it_comes(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
            assert (await response(reader))[0].startswith("http/1.1 400 ")
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/b/1"))
            assert await texts(reader, 1) == ["b GET /b/1 http"]
            writer.write(b"nonsense\r\n\r\n")
            assert (await response(reader))[0].startswith("http/1.1 400 ")
            assert len(b.arrived) == 1
            writer.close()

    run(test)


def test_the_keys_of_a_connection_stay_and_its_bytes_are_passed_on(
    run: Run, tmp_path: Path
) -> None:
    certificate = make_certificate(tmp_path).both

    async def test() -> None:
        async with two(certificate) as (a, b):
            trust = ssl.create_default_context(cafile=str(certificate))
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port, ssl=trust)
            writer.write(get("/a/1") + get("/b/2") + get("/b/large") + get("/a/3"))
            assert await texts(reader, 2) == ["a GET /a/1 https", "b GET /b/2 https"]
            _, body = await response(reader)
            assert body == b"x" * LARGE
            # Back again, by a second relay.
            assert await texts(reader, 1) == ["a GET /a/3 https"]
            own = writer.get_extra_info("sockname")
            assert [arrival.client for arrival in b.arrived + a.arrived] == [own, own]
            writer.close()
            await until(lambda: not a.server.server_state.connections)
            await until(lambda: not b.server.server_state.connections)

    run(test)


def test_a_process_that_dies_before_it_answers_is_excused(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            b.crashed = CRASHED
            # One that answers, several times; its connection is closed by its own hand alone.
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/b/1"))
            assert await texts(reader, 1) == ["b GET /b/1 http"]
            assert b.kept == {}
            writer.write(get("/a/2") + get("/b/3"))
            assert await texts(reader, 2) == ["a GET /a/2 http", "b GET /b/3 http"]
            await until(lambda: not a.server.server_state.connections)
            b.adopted[-1].close()
            assert await reader.read() == b""
            writer.close()
            # One that takes its time, and dies.
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/b/slow"))
            await until(lambda: len(b.adopted) == 3 and b.kept)
            ((_, settled),) = b.kept.items()
            b.kept.clear()
            b.adopted[-1].abort()
            settled(True)
            head, body = await response(reader)
            assert head.startswith("http/1.1 503 ")
            assert body == CRASHED.body
            assert await reader.read() == b""
            writer.close()

    run(test)


def test_a_client_that_leaves_is_not_kept(run: Run) -> None:
    async def test() -> None:
        async with two() as (a, b):
            b.crashed = CRASHED
            _, writer = await asyncio.open_connection("127.0.0.1", a.port)
            writer.write(get("/b/slow"))
            await until(lambda: b.kept)
            writer.close()
            await until(lambda: not b.kept)
            await until(lambda: not a.server.server_state.connections)

    run(test)


def test_a_relay_to_a_process_that_dies_is_excused(run: Run, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path).both

    async def test() -> None:
        async with two(certificate) as (a, b):
            b.crashed = CRASHED
            trust = ssl.create_default_context(cafile=str(certificate))
            reader, writer = await asyncio.open_connection("127.0.0.1", a.port, ssl=trust)
            writer.write(get("/b/slow"))
            await until(lambda: b.adopted)
            b.adopted[-1].abort()
            head, body = await response(reader)
            assert head.startswith("http/1.1 503 ")
            assert body == CRASHED.body
            writer.close()

    run(test)
