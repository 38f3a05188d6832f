"""However much a client sends at once, others have their turn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
import uvloop

from hyperfocal.web.chunks import CHUNK_BYTES, Chunked
from hyperfocal.web.handover import HttpProtocol
from tests.support.applications import tiny
from tests.support.serving import running

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Recorder(asyncio.Protocol):
    """Notes what comes, and how often others had a turn by then."""

    def __init__(self, stops: bool = False) -> None:
        self.pieces: list[tuple[int, int]] = []
        self.received = bytearray()
        self.turns = 0
        self.stops = stops
        self.is_paused = False
        self.ended = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        Chunked(self, transport, lambda: self.is_paused)
        asyncio.get_running_loop().call_soon(self.turn)

    def turn(self) -> None:
        self.turns += 1
        if not self.ended.is_set():
            asyncio.get_running_loop().call_soon(self.turn)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.pieces.append((len(data), self.turns))
        if self.stops:
            self.is_paused = True
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


@contextlib.asynccontextmanager
async def sent_to(protocol: Recorder, data: bytes) -> AsyncGenerator[None]:
    """Have somebody send all that at once."""
    server = await asyncio.get_running_loop().create_server(lambda: protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def send() -> None:
        with (
            socket.create_connection(("127.0.0.1", port)) as client,
            contextlib.suppress(ConnectionError),
        ):
            client.sendall(data)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        protocol.transport.abort()
        thread.join()
        server.close()


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_others_have_a_turn_after_each_piece(make_loop: Any) -> None:
    data = bytes(range(256)) * 8192

    async def play() -> Recorder:
        protocol = Recorder()
        async with sent_to(protocol, data):
            await protocol.ended.wait()
        return protocol

    with asyncio.Runner(loop_factory=make_loop) as runner:
        protocol = runner.run(play())
    assert bytes(protocol.received) == data
    assert max(size for size, _ in protocol.pieces) == CHUNK_BYTES
    turns = [turns for size, turns in protocol.pieces if size == CHUNK_BYTES]
    assert len(turns) > 100
    assert len(set(turns)) == len(turns)


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_protocol_that_wants_nothing_gets_nothing(make_loop: Any) -> None:
    async def play() -> None:
        protocol = Recorder(stops=True)
        async with sent_to(protocol, bytes(100 * CHUNK_BYTES)):
            for count in range(1, 11):
                while len(protocol.pieces) < count:
                    await asyncio.sleep(0)
                for _ in range(50):
                    await asyncio.sleep(0)
                assert len(protocol.pieces) == count
                protocol.is_paused = False
                protocol.transport.resume_reading()
            protocol.transport.abort()
            await protocol.ended.wait()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(play())


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_connection_that_has_gone_to_another_protocol_is_left_alone(make_loop: Any) -> None:
    async def play() -> None:
        heir = Recorder()

        class Leaves(Recorder):
            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                asyncio.get_running_loop().call_soon(self.leave)

            def leave(self) -> None:
                if not self.transport.is_reading():  # in the turn of others
                    self.transport.set_protocol(heir)
                    heir.transport = self.transport

        protocol = Leaves()
        async with sent_to(protocol, bytes(2 * CHUNK_BYTES)):
            while heir.transport is None:
                await asyncio.sleep(0)
            for _ in range(50):
                await asyncio.sleep(0)
            assert not heir.pieces
            heir.transport.resume_reading()
            await heir.ended.wait()
        protocol.ended.set()
        assert len(protocol.received) + len(heir.received) == 2 * CHUNK_BYTES

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(play())


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_who_pipelines_requests_and_does_not_read_is_not_read(
    make_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: 9 MB of requests whose answers nobody read took 400 MB."""
    waiting: list[int] = []
    original = HttpProtocol.on_headers_complete

    def noting(self: HttpProtocol) -> None:
        original(self)
        waiting.append(len(self.pipeline))

    monkeypatch.setattr(HttpProtocol, "on_headers_complete", noting)
    request = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    count = 30_000

    async def play() -> None:
        async with running(tiny) as server:
            port = int(server.base.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
            writer.write(request * count)
            async with asyncio.timeout(60):
                while True:  # until nothing moves any more: the client reads 64 KiB by itself
                    taken = len(waiting)
                    await asyncio.sleep(0.3)
                    if len(waiting) == taken:
                        break
                assert 0 < taken < count
                assert max(waiting) <= 8 + CHUNK_BYTES // len(request)
                answers = 0
                while answers < count:
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200 ")
                    size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                    await reader.readexactly(size)
                    answers += 1
                assert max(waiting) <= 8 + CHUNK_BYTES // len(request)
            writer.close()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(play())
