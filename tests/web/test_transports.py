"""What carries websockets: TCP, TLS, Unix sockets; pings; the end of the server."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvicorn
from bokeh.util.token import generate_jwt_token, generate_session_id

from hyperfocal.config import Settings, WebSocketTransport
from hyperfocal.errors import UsageError
from hyperfocal.server import asgi_app, uvicorn_config
from hyperfocal.telemetry import ConnectionClosed
from hyperfocal.testing import WireClient
from hyperfocal.wire import Kind
from tests.support.applications import named, tiny
from tests.support.certificates import make_certificate
from tests.support.frames import Opcode, frame
from tests.support.raw import RawClient, info_request
from tests.support.serving import running, serving, until

pytestmark = pytest.mark.usefixtures("either_transport")

EXPECTED = {
    WebSocketTransport.NATIVE: ["NativeTransport"],
    WebSocketTransport.ASGI: ["WebSocketProtocol"],
}


def new_token() -> str:
    return generate_jwt_token(generate_session_id())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine and its key, in one file."""
    return make_certificate(tmp_path_factory.mktemp("tls")).both


def tls(certificate: Path) -> Callable[[uvicorn.Config], None]:
    def configure(config: uvicorn.Config) -> None:
        config.ssl_certfile = str(certificate)

    return configure


async def test_over_tcp(either_transport: WebSocketTransport) -> None:
    async with running({"/a": tiny}) as server, server.client("/a") as client:
        assert server.transports == EXPECTED[either_transport]
        await client.pull()


async def test_over_tls(either_transport: WebSocketTransport, certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with running({"/a": tiny}, configure=tls(certificate)) as server:
        token = new_token()
        async with WireClient.connect(
            f"{server.ws}/a/ws", token, ssl=trusting, max_queue=None
        ) as client:
            assert server.transports == EXPECTED[either_transport]
            doc = await client.pull()
            for value in range(20):
                reply = await client.set(named(doc, "slider")["id"], "value", value)
                assert reply.kind is Kind.OK
            large = "x" * 3_000_000
            await client.patch({"kind": "TitleChanged", "title": large})
            assert (await client.pull())["title"] == large
        await until(lambda: server.events.of(ConnectionClosed))
        assert server.events.of(ConnectionClosed)[0].code == 1000


async def test_a_mistake_over_tls(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with (
        running({"/a": tiny}, configure=tls(certificate)) as server,
        RawClient.connect(server, new_token(), tls=trusting) as client,
    ):
        await client.send(frame(0x3))
        assert await client.end() == 1002


async def test_over_a_unix_socket(either_transport: WebSocketTransport, tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    def configure(config: uvicorn.Config) -> None:
        config.uds = path

    async with (
        running({"/a": tiny}, configure=configure, session_ids="unsigned") as server,
        RawClient.connect(server, new_token(), unix=path) as client,
    ):
        assert server.transports == EXPECTED[either_transport]
        await client.frames(3)
        await client.send(info_request())
        await client.frames(3)


# --- pings --------------------------------------------------------------------------------------


async def test_a_client_that_does_not_answer_pings_is_dropped() -> None:
    async with (
        running({"/a": tiny}, keep_alive_ms=50) as server,
        RawClient.connect(server, new_token()) as client,
    ):
        await client.frames(3)
        assert (await client.frames(1))[0][0] is Opcode.PING
        assert await client.end() == 1011
        await until(lambda: server.events.of(ConnectionClosed))
        (session,) = server.context("/a").sessions
        assert session.connection_count == 0


async def test_a_client_that_answers_pings_stays() -> None:
    async with (
        running({"/a": tiny}, keep_alive_ms=400) as server,
        RawClient.connect(server, new_token()) as client,
    ):
        await client.frames(3)
        for _ in range(3):
            ((opcode, payload),) = await client.frames(1)
            assert opcode is Opcode.PING
            await client.send(frame(Opcode.PONG, payload))
        assert server.events.of(ConnectionClosed) == []


# --- how much a client may send at once ---------------------------------------------------------


async def test_a_large_message_in_many_pieces() -> None:
    async with running({"/a": tiny}) as server, server.client("/a") as client:
        large = "é" * 2_000_000
        assert (await client.patch({"kind": "TitleChanged", "title": large})).kind is Kind.OK
        assert (await client.pull())["title"] == large


async def test_a_flood_of_one_client_leaves_the_others_alone() -> None:
    requests = 20_000
    async with (
        running({"/a": tiny}) as server,
        RawClient.connect(server, new_token()) as flooding,
        server.client("/a") as other,
    ):
        await flooding.frames(3)
        flooding.writer.write(b"".join(info_request()) * requests)
        answered = asyncio.create_task(flooding.frames(3 * requests))
        for _ in range(5):
            await other.roundtrip()
        # The others have long had what they asked for when the flood is still being answered.
        assert not answered.done()
        assert len(await answered) == 3 * requests


# --- the end of the server ----------------------------------------------------------------------


async def test_clients_are_told_that_the_server_ends(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "curdoc().add_root(Div())\n"
        "curdoc().on_session_destroyed(lambda context: print('destroyed', flush=True))\n"
    )
    with serving(script) as server:
        url = f"{server.base.replace('http', 'ws')}/app/ws"
        async with WireClient.connect(url, new_token()) as client:
            await client.pull()
            server.process.send_signal(signal.SIGTERM)
            await client.socket.wait_closed()
            assert client.socket.close_code == 1012
        assert server.process.wait(20) == 0
    assert "destroyed" in server.text


@pytest.mark.slow
async def test_a_client_that_reads_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "curdoc().add_root(Div(text='x' * 20_000_000))\n"
    )
    with serving(script) as server:
        url = f"{server.base.replace('http', 'ws')}/app/ws"
        async with WireClient.connect(url, new_token()) as client:
            client.socket.transport.pause_reading()
            await client.send_frames(['{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"])
            async with WireClient.connect(url, new_token()) as other:
                await other.pull()  # by now the other document is on its way as well
            assert server.stop() == 0
            client.socket.transport.abort()


# --- what there is to choose --------------------------------------------------------------------


def test_without_picows_there_is_asgi_unless_the_native_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hyperfocal.web.native", None)
    for chosen in (WebSocketTransport.AUTO, WebSocketTransport.ASGI):
        settings = Settings(websocket_transport=chosen)
        ws = uvicorn_config(asgi_app({"/a": tiny}, settings), settings).ws
        assert getattr(ws, "__name__", "") == "WebSocketProtocol"
    settings = Settings(websocket_transport=WebSocketTransport.NATIVE)
    with pytest.raises(UsageError, match="--websocket-transport native"):
        uvicorn_config(asgi_app({"/a": tiny}, settings), settings)
