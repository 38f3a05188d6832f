"""Websockets whose messages are compressed (RFC 7692)."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from hyperfocal.config import Settings, WebSocketTransport
from hyperfocal.errors import ConfigError
from hyperfocal.server import uvicorn_config
from hyperfocal.testing import WireClient
from hyperfocal.wire import Kind
from tests.support.applications import named
from tests.support.proxy import Proxy
from tests.support.raw import RawClient
from tests.support.serving import running

TEXT = "".join(f"line {number} of a long text; " for number in range(4000))
DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate"}


def long(document: Document) -> None:
    document.add_root(Div(text=TEXT, name="div"))


async def bytes_of_a_document(compression: str | None = "deflate", **settings: Any) -> int:
    """How many bytes a client gets that pulls the document and changes it."""
    async with (
        running({"/a": long}, **settings) as server,
        Proxy.to(int(server.base.rpartition(":")[2])) as proxy,
    ):
        token = await server.token("/a")
        url = f"ws://127.0.0.1:{proxy.port}/a/ws"
        async with WireClient.connect(url, token, compression=compression) as client:
            div = named(await client.pull(), "div")
            assert div["attributes"]["text"] == TEXT
            reply = await client.set(div["id"], "text", TEXT[::-1])
            assert reply.kind is Kind.OK
            (session,) = server.context("/a").sessions
            assert session.document.roots[0].text == TEXT[::-1]
            return proxy.passed_bytes


async def test_what_websockets_carry_is_compressed_at_the_level_that_is_set() -> None:
    plain = await bytes_of_a_document()
    fast = await bytes_of_a_document(websocket_compression_level=1)
    small = await bytes_of_a_document(websocket_compression_level=9)
    little_memory = await bytes_of_a_document(
        websocket_compression_level=9, websocket_compression_mem_level=1
    )
    assert plain > len(TEXT)
    assert small < fast < plain / 3
    assert small < little_memory < plain / 3


async def test_a_client_that_does_not_compress_gets_plain_frames() -> None:
    assert await bytes_of_a_document(None, websocket_compression_level=9) > len(TEXT)


@pytest.mark.parametrize("level", [None, 1])
async def test_a_server_that_compresses_uses_the_transport_that_can(level: int | None) -> None:
    settings: dict[str, Any] = {
        "websocket_compression_mem_level": 4,
        "websocket_compression_level": level,
    }
    async with running({"/a": long}, **settings) as server, server.client("/a"):
        assert server.transports == ["WebSocketProtocol"]


async def test_the_handshake_says_whether_frames_are_compressed() -> None:
    cases: list[tuple[dict[str, Any], bool]] = [
        ({}, False),
        ({"websocket_compression_level": 3}, True),
    ]
    for settings, said in cases:
        async with running({"/a": long}, **settings) as server:
            token = await server.token("/a")
            async with RawClient.connect(server, token, headers=DEFLATE) as client:
                assert ("permessage-deflate" in client.head) is said


async def test_a_small_message_that_unpacks_to_a_large_one_is_refused() -> None:
    settings: dict[str, Any] = {
        "websocket_compression_level": 6,
        "websocket_max_message_bytes": 100_000,
    }
    async with running({"/a": long}, **settings) as server:
        token = await server.token("/a")
        async with RawClient.connect(server, token, headers=DEFLATE) as client:
            packer = PerMessageDeflate(False, False, 15, 15)
            bomb = Frame(Opcode.TEXT, b"x" * 10_000_000).serialize(mask=True, extensions=[packer])
            assert len(bomb) < 100_000
            await client.send(bomb)
            client._protocol.extensions = [PerMessageDeflate(False, False, 15, 15)]
            assert await client.end() == 1009


def test_the_native_transport_cannot_compress_and_says_so() -> None:
    settings = Settings(
        websocket_transport=WebSocketTransport.NATIVE, websocket_compression_level=1
    )
    with pytest.raises(ConfigError, match="--websocket-transport: got 'native', expected auto or"):
        uvicorn_config(None, settings)
