"""The websocket, over real sockets."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.document import Document
from bokeh.models.widgets import Div
from bokeh.util.token import generate_jwt_token, generate_session_id
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from hyperfocal.auth import TokenAuthority
from hyperfocal.clock import SystemClock
from hyperfocal.telemetry import ConnectionClosed as Closed
from hyperfocal.telemetry import ConnectionRefused, SessionCreated
from hyperfocal.testing import WireClient
from hyperfocal.wire import Kind
from tests.support.applications import application, arrays, named, tiny
from tests.support.serving import Running, running, until

pytestmark = pytest.mark.usefixtures("either_transport")


async def test_a_conversation() -> None:
    async with running({"/a": application(arrays)}) as server, server.client("/a") as client:
        doc = await client.pull()
        assert len(client.messages[-1].buffers) == 2
        reply = await client.set(named(doc, "slider")["id"], "value", 3)
        assert reply.kind is Kind.OK
        (event,) = client.patches()
        assert event["kind"] == "ColumnDataChanged"
        patch = client.messages[-2]
        assert patch.kind is Kind.PATCH_DOC
        assert len(patch.buffers) == 2
        await client.roundtrip()


async def test_two_clients_of_one_session() -> None:
    async with running({"/a": tiny}) as server:
        token = await server.token("/a")
        async with server.client("/a", token) as first, server.client("/a", token) as second:
            doc = await first.pull()
            await second.pull()
            await first.set(named(doc, "slider")["id"], "value", 8)
            await second.roundtrip()
            await second.expect(lambda message: message.kind is Kind.PATCH_DOC)
            assert {(e["attr"], e["new"]) for e in second.patches()} == {
                ("value", 8), ("text", "8"),
            }  # fmt: skip
            assert [e["attr"] for e in first.patches()] == ["text"]
        assert len(server.events.of(SessionCreated)) == 1


# --- who may connect -------------------------------------------------------------------------


async def refused(server: Running, token: str, *, status: int = 403, **options: Any) -> str:
    with pytest.raises(InvalidStatus) as caught:
        async with server.client("/a", token, **options):
            pass
    assert caught.value.response.status_code == status
    body = (caught.value.response.body or b"").decode()
    assert server.events.of(ConnectionRefused)[-1].reason == body
    return body


async def test_a_bad_token_is_refused_before_the_upgrade_with_the_reason() -> None:
    """Regression: today's server answers with 101 and then silence."""
    async with running({"/a": tiny}) as server:
        good = await server.token("/a")
        assert "malformed" in await refused(server, "nonsense")
        assert "signature" in await refused(
            server, good[:-2] + ("xx" if good[-2:] != "xx" else "yy")
        )
        foreign = TokenAuthority(b"another", SystemClock()).issue("x")
        assert "signature is wrong" in await refused(server, foreign)
        assert len(server.context("/a").sessions) == 1


async def test_without_the_two_subprotocols_there_is_no_conversation() -> None:
    from websockets.asyncio.client import connect

    async with running({"/a": tiny}) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"{server.ws}/a/ws"):
                pass
        assert b"subprotocols" in (caught.value.response.body or b"")


async def test_a_page_of_another_origin_is_refused_unless_allowed() -> None:
    async with running(
        {"/a": tiny}, websocket_origins=("good.example", "*.fine.example:80")
    ) as server:
        token = await server.token("/a")
        reason = await refused(server, token, headers={"Origin": "https://evil.example"})
        assert "--allow-websocket-origin=evil.example" in reason
        for origin in ("https://good.example", "http://x.fine.example"):
            async with server.client("/a", token, headers={"Origin": origin}) as client:
                await client.pull()


async def test_without_a_setting_pages_of_this_machine_may_connect_and_no_others() -> None:
    async with running({"/a": tiny}) as server:
        token = await server.token("/a")
        for origin in ("http://localhost:8000", "http://127.0.0.1", "https://[::1]:8443"):
            async with server.client("/a", token, headers={"Origin": origin}) as client:
                await client.pull()
        for origin in ("http://localhost.evil.example", "http://evil.example:5006", "null"):
            await refused(server, token, headers={"Origin": origin})


async def test_idle_clients_are_pinged() -> None:
    pings: list[Frame] = []

    class Watching(ClientConnection):
        def process_event(self, event: Frame | Request | Response) -> None:
            if isinstance(event, Frame) and event.opcode is Opcode.PING:
                pings.append(event)
            super().process_event(event)

    async with (
        running({"/a": tiny}, keep_alive_ms=50) as server,
        server.client("/a", create_connection=Watching),
    ):
        await until(lambda: len(pings) >= 2)


async def test_an_unsigned_token_that_a_client_made_works_on_this_machine_only() -> None:
    token = generate_jwt_token(generate_session_id(signed=False), signed=False)
    async with running({"/a": tiny}) as server:
        async with server.client("/a", token) as client:
            assert (await client.pull())["roots"]
        assert "not signed" in await refused(server, token, headers={"X-Forwarded-For": "1.2.3.4"})
    async with running({"/a": tiny}, secret_key=b"configured") as server:
        assert "not signed" in await refused(server, token)
    async with running({"/a": tiny}, session_ids="signed") as server:
        assert "not signed" in await refused(server, token)
    async with (
        running({"/a": tiny}, session_ids="unsigned", secret_key=b"x") as server,
        server.client("/a", token, headers={"X-Forwarded-For": "1.2.3.4"}) as client,
    ):
        assert (await client.pull())["roots"]


class Yesterday(SystemClock):
    def wall(self) -> float:
        return super().wall() - 86_400


async def test_an_expired_token_may_come_back_to_a_live_session_and_make_no_new_one() -> None:
    async with running({"/a": tiny}, secret_key=b"secret") as server:
        session_id = server.site.visits.policy.new_session_id()
        old = TokenAuthority(b"secret", Yesterday(), 300).issue(session_id)
        assert "expired" in await refused(server, old)
        await server.context("/a").create_session_if_needed(session_id)
        async with server.client("/a", old) as client:
            assert (await client.pull())["roots"]


async def test_a_websocket_that_makes_the_session_brings_the_pages_request() -> None:
    class Asked(FunctionHandler):
        def process_request(self, request: Any) -> dict[str, Any]:
            return {"lang": request.headers.get("Accept-Language")}

    async with running({"/a": Application(Asked(tiny))}) as server:
        token = await server.token(
            "/a?n=7", headers={"Cookie": "c=d; e=f", "Accept-Language": "fr", "X-Own": "1"}
        )
        context = server.context("/a")
        await context.discard(context.sessions[0], "test")
        async with server.client("/a", token, headers={"X-Other": "2"}):
            request = context.sessions[0].context.request
            assert request.arguments == {"n": [b"7"]}
            assert request.cookies == {"c": "d", "e": "f"}
            assert request.headers["Cookie"] == "c=d; e=f"
            assert request.headers["X-Own"] == "1"
            assert context.sessions[0].context.token_payload["lang"] == "fr"


async def test_headers_too_long_for_a_token_are_replaced_by_the_websockets_own() -> None:
    class Asked(FunctionHandler):
        def process_request(self, request: Any) -> dict[str, Any]:
            return {"mine": request.headers.get("X-Mine")}

    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=6000))
    async with running({"/a": Application(Asked(tiny))}) as server:
        token = await server.token("/a?n=7", headers={"X-Noise": noise, "X-Mine": "page"})
        assert len(token) < 4096
        context = server.context("/a")
        await context.discard(context.sessions[0], "test")
        async with server.client("/a", token, headers={"X-Mine": "socket", "Cookie": "a=b"}):
            (session,) = context.sessions
            assert session.context.request.arguments == {"n": [b"7"]}
            assert session.context.request.cookies == {"a": "b"}
            assert session.context.token_payload["mine"] == "socket"


async def test_arguments_of_a_client_that_made_its_own_token_reach_the_session() -> None:
    token = generate_jwt_token("mine", signed=False)  # type: ignore[arg-type]
    async with running({"/a": tiny}) as server:
        url = f"{server.ws}/a/ws?n=3"
        async with WireClient.connect(url, token):
            assert server.context("/a").sessions[0].context.request.arguments == {"n": [b"3"]}


@pytest.mark.parametrize(
    "payload",
    [{"arguments": 5}, {"arguments": {"n": ["text"]}}, {"headers": 3}, {"cookies": {"a": 1}}],
)
async def test_a_token_whose_payload_makes_no_sense_is_refused(payload: dict[str, Any]) -> None:
    token = generate_jwt_token("mine", signed=False, extra_payload=payload)  # type: ignore[arg-type]
    async with running({"/a": tiny}) as server:
        assert "malformed" in await refused(server, token)


async def test_a_page_that_outlived_its_session_gets_the_new_one_with_its_arrays_inline() -> None:
    async with running({"/a": application(arrays)}) as server:
        token = await server.token("/a")
        context = server.context("/a")
        await context.discard(context.sessions[0], "test")
        async with server.client("/a", token) as client:
            await client.pull()
            assert client.messages[-1].buffers == ()


async def test_an_application_that_fails_refuses_the_websocket() -> None:
    failing = [False]

    def moody(doc: Document) -> None:
        if failing[0]:
            raise RuntimeError("hush")
        doc.add_root(Div())

    async with running({"/a": moody}) as server:
        token = await server.token("/a")
        context = server.context("/a")
        await context.discard(context.sessions[0], "test")
        failing[0] = True
        reason = await refused(server, token, status=500)
        assert "failed" in reason
        assert "hush" not in reason
        failing[0] = False
        async with server.client("/a", token) as client:
            assert (await client.pull())["roots"]


# --- how it ends -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (["not json"], 1007),
        (["[]"], 1002),
        (['{"msgid": "1", "msgtype": "NO-SUCH"}'], 1002),
        ([b"binary first"], 1003),
        (['{"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 999999}'], 1009),
    ],
)
async def test_frames_that_make_no_message_close_with_a_code_and_a_reason(
    frames: list[str | bytes], code: int
) -> None:
    async with running({"/a": tiny}) as server:
        async with server.client("/a") as client:
            await client.send_frames(frames)
            with pytest.raises(ConnectionError):
                await client.expect(lambda message: message.kind is Kind.ERROR)
            assert client.socket.close_code == code
            assert client.socket.close_reason
        await until(lambda: server.events.of(Closed))
        assert server.events.of(Closed)[0].code == code
        async with server.client("/a") as client:
            assert (await client.pull())["roots"]


async def test_a_message_over_the_limit_closes_with_1009() -> None:
    async with (
        running({"/a": tiny}, websocket_max_message_bytes=10_000) as server,
        server.client("/a") as client,
    ):
        with pytest.raises((ConnectionError, ConnectionClosed)):
            await client.set("x", "y", "z" * 20_000)
        assert client.socket.close_code == 1009


async def test_many_small_frames_over_the_limit_close_with_1009() -> None:
    async with (
        running({"/a": tiny}, websocket_max_message_bytes=10_000) as server,
        server.client("/a") as client,
    ):
        header = '{"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 9}'
        with pytest.raises((ConnectionError, ConnectionClosed)):
            await client.send_frames([header, "{}", "{}"])
            for _ in range(9):
                await client.send_frames(['{"id": "b"}', b"x" * 5000])
            await client.expect(lambda message: message.kind is Kind.OK)
        assert client.socket.close_code == 1009


async def test_how_a_client_leaves_is_noticed() -> None:
    async with running({"/a": tiny}) as server:
        token = await server.token("/a")
        async with server.client("/a", token):
            pass  # closes with 1000
        async with server.client("/a", token) as client:
            client.socket.transport.abort()
        await until(lambda: len(server.events.of(Closed)) == 2)
        first, second = (event.code for event in server.events.of(Closed))
        assert first == 1000
        assert second in (1005, 1006)
        (session,) = server.context("/a").sessions
        assert session.connection_count == 0


async def test_closing_the_server_closes_sessions_with_their_hooks() -> None:
    log: list[str] = []

    def modify(doc: Document) -> None:
        doc.add_root(Div())
        doc.on_session_destroyed(lambda context: log.append(context.id))

    async with running({"/a": modify}) as server, server.client("/a") as client:
        await client.pull()
    assert len(log) == 1


async def test_unused_sessions_are_swept() -> None:
    async with running(
        {"/a": tiny}, unused_session_lifetime_ms=1, check_unused_sessions_ms=20
    ) as server:
        await server.page("/a")
        await until(lambda: not server.context("/a").sessions)


async def test_a_message_that_fails_ends_its_connection_alone_and_is_told_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked_in: list[int] = []

    class WordyError(Exception):
        def __str__(self) -> str:
            asked_in.append(threading.get_ident())
            return "w" * 1_000_000

    def fail(*_: Any, **__: Any) -> None:
        raise WordyError

    async with running({"/a": tiny}) as server, server.client("/a") as bystander:
        await bystander.pull()
        async with server.client("/a") as client:
            doc = await client.pull()
            with monkeypatch.context() as patch:
                patch.setattr("hyperfocal.connection.connection.decode_patch", fail)
                with pytest.raises(ConnectionError, match="1011"):
                    await client.set(named(doc, "slider")["id"], "value", 8)
        await bystander.roundtrip()
    assert "A message of a client failed" in caplog.text
    assert len(caplog.text) < 100_000
    assert asked_in
    assert threading.get_ident() not in asked_in
