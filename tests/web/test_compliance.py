"""What RFC 6455 asks of a server, over both transports, in the manner of the Autobahn suite.

The server does not echo: that a message came whole shows in the reply to the request that it
makes up with others, and the frames of a request are sent one by one, split, or mixed with
control frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from bokeh.application import Application
from bokeh.application.application import SessionContext
from bokeh.application.handlers import Handler
from bokeh.document import Document
from bokeh.util.token import generate_jwt_token, generate_session_id

from hyperfocal.config import WebSocketTransport
from hyperfocal.wire import Buffer, Kind, dump_json, encode
from tests.support.applications import tiny
from tests.support.frames import Opcode, close, frame, message, mistakes
from tests.support.raw import RawClient, info_request
from tests.support.serving import Running, running

pytestmark = pytest.mark.usefixtures("either_transport")

LIMIT = 400_000


@pytest.fixture
async def server() -> AsyncGenerator[Running]:
    async with running({"/a": tiny}, websocket_max_message_bytes=LIMIT, keep_alive_ms=0) as one:
        yield one


@asynccontextmanager
async def joined(server: Running) -> AsyncGenerator[RawClient]:
    """A client that has got its ACK."""
    async with RawClient.connect(server, await server.token("/a")) as client:
        assert client.status == "HTTP/1.1 101 Switching Protocols"
        assert "sec-websocket-accept: " in client.head
        assert "sec-websocket-protocol: bokeh\r\n" in client.head
        header = (await client.frames(3))[0]
        assert b'"ACK"' in header[1]
        yield client


async def answered(client: RawClient) -> None:
    """The reply to an info request has come."""
    header, _, content = await client.frames(3)
    assert b'"SERVER-INFO-REPLY"' in header[1]
    assert b"version_info" in content[1]


@pytest.mark.parametrize("fragments", [1, 2, 3, 20])
async def test_messages_in_fragments(server: Running, fragments: int) -> None:
    async with joined(server) as client:
        await client.send(info_request(fragments))
        await answered(client)
        for piece in info_request(fragments):
            await client.send(piece)
        await answered(client)


async def test_control_frames_between_fragments_are_answered_in_order(server: Running) -> None:
    async with joined(server) as client:
        pieces = info_request(3)
        for number, piece in enumerate(pieces):
            await client.send(piece)
            await client.send(frame(Opcode.PING, b"%d" % number) + frame(Opcode.PONG, b"unasked"))
        pings = [(Opcode.PONG, b"%d" % number) for number in range(len(pieces))]
        # The reply is due between the last two of nine; both come in the order of what was sent.
        found = await client.frames(len(pieces) + 3)
        assert [one for one in found if one[0] is Opcode.PONG] == pings
        assert b"SERVER-INFO-REPLY" in next(one[1] for one in found if one[0] is Opcode.TEXT)


@pytest.mark.parametrize("size", [0, 1, 124, 125])
async def test_a_ping_is_answered_with_its_payload(server: Running, size: int) -> None:
    async with joined(server) as client:
        await client.send(frame(Opcode.PING, b"\xff" * size))
        assert await client.frames(1) == [(Opcode.PONG, b"\xff" * size)]


async def test_many_pings_in_one_write(server: Running) -> None:
    async with joined(server) as client:
        await client.send(frame(Opcode.PING, b"%d" % number) for number in range(100))
        assert await client.frames(100) == [(Opcode.PONG, b"%d" % n) for n in range(100)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 150_000])
@pytest.mark.parametrize("fragments", [1, 3])
async def test_every_length_encoding_both_ways(server: Running, size: int, fragments: int) -> None:
    async with joined(server) as client:
        content = dump_json({"events": [], "x": "x" * size})
        buffer = Buffer("b", b"\0" * size)
        frames = encode(Kind.PATCH_DOC, content, msgid="m", buffers=[buffer])
        await client.send(piece for one in frames for piece in message(one, fragments))
        assert b'"OK"' in (await client.frames(3))[0][1]


async def test_every_split_point_of_a_request(server: Running) -> None:
    async with joined(server) as client:
        stream = b"".join(info_request(2))
        for at in range(1, len(stream)):
            await client.send(stream[:at])
            await asyncio.sleep(0)  # so that the server may see the first part alone
            await client.send(stream[at:])
            await answered(client)


async def test_mistakes_end_the_connection_with_their_code(server: Running) -> None:
    found: dict[str, int | None] = {}
    for name, (data, _) in mistakes().items():
        async with joined(server) as client:
            await client.send(info_request())
            await answered(client)
            await client.send(data)
            found[name] = await client.end()
            await client.eof()
    assert found == {name: code for name, (_, code) in mistakes().items()}
    async with joined(server) as client:
        await client.send(info_request())
        await answered(client)


@pytest.mark.parametrize("fragments", [1, 2, 11])
async def test_a_message_that_is_too_large_ends_with_1009(server: Running, fragments: int) -> None:
    async with joined(server) as client:
        await client.send(message("x" * (LIMIT + 1), fragments))
        assert await client.end() == 1009


async def test_a_message_that_says_it_is_too_large_is_not_waited_for(server: Running) -> None:
    async with joined(server) as client:
        await client.send(b"\x81\xff" + (1 << 62).to_bytes(8) + b"mask")
        assert await client.end() == 1009


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011])
async def test_a_close_is_answered_with_its_code(server: Running, code: int) -> None:
    async with joined(server) as client:
        await client.send(close(code, "é" * 61))
        assert await client.end() == code
        await client.eof()


@pytest.mark.parametrize("code", [1012, 1013, 1014, 3000, 3999, 4000, 4999])
async def test_other_codes_are_answered_too(server: Running, code: int) -> None:
    async with joined(server) as client:
        await client.send(close(code))
        assert await client.end() == code


async def test_a_close_without_a_code_is_answered_without_one(server: Running) -> None:
    async with joined(server) as client:
        await client.send(frame(Opcode.CLOSE))
        assert await client.end() == 1005
        await client.eof()


async def test_a_close_between_fragments_and_what_comes_behind_it(
    server: Running, either_transport: WebSocketTransport
) -> None:
    # The library behind uvicorn's websocket takes the former for a mistake.
    code = 1000 if either_transport is WebSocketTransport.NATIVE else 1002
    async with joined(server) as client:
        first, *rest = info_request(2)
        await client.send([first, close(1000), *rest, frame(Opcode.PING)])
        assert await client.end() == code
        await client.eof()


async def test_compression_that_a_client_offers_is_not_granted(server: Running) -> None:
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    async with RawClient.connect(server, await server.token("/a"), headers=offer) as client:
        assert "101" in client.status
        assert "sec-websocket-extensions" not in client.head
        await client.frames(3)
        await client.send(frame(Opcode.TEXT, b"{}", rsv=4))
        assert await client.end() == 1002


@pytest.mark.parametrize(
    "headers",
    [
        {"Connection": "keep-alive, Upgrade"},  # Firefox
        {"Connection": "upgrade", "Upgrade": "WebSocket"},
        {"Cookie": "session=" + "x" * 40_000, "User-Agent": "x" * 9000},
        {f"X-Header-{number}": "x" for number in range(200)},
    ],
    ids=["firefox", "spelling", "large", "many"],
)
async def test_handshakes_that_browsers_make(server: Running, headers: dict[str, str]) -> None:
    async with RawClient.connect(server, await server.token("/a"), headers=headers) as client:
        assert "101" in client.status
        await client.frames(3)
        await client.send(info_request())
        await answered(client)


async def test_a_client_that_does_not_wait_for_the_handshake_is_heard() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow(Handler):
        def modify_document(self, doc: Document) -> None: ...

        async def on_session_created(self, session_context: SessionContext) -> None:
            asked.set()
            await answer.wait()

    async with running({"/a": Application(Slow())}) as server:
        token = generate_jwt_token(generate_session_id())
        connecting = RawClient.connect(server, token, wait=False)
        async with connecting as client:
            await asked.wait()
            await client.send(info_request())
            # On this machine bytes are there when they have been sent; the server reads them
            # before what comes later.
            assert (await server.page("/health")).status_code == 200
            answer.set()
            await client.handshake()
            assert "101" in client.status
            await client.frames(3)
            await answered(client)


async def test_only_get_asks_for_a_websocket(server: Running) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    response = await server.http.post(f"{server.base}/a/ws", headers=headers)
    assert response.status_code in (404, 405)
