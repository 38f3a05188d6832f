"""The native transport, over a socket in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from bokeh.document import Document
from websockets.exceptions import ConnectionClosed as WebSocketClosed

from hyperfocal.connection import Connection, Outbox
from hyperfocal.contexts import ApplicationContext
from hyperfocal.session import Session
from hyperfocal.telemetry import ConnectionClosed, OutboxOverflowed, Telemetry
from hyperfocal.testing.clock import settle
from hyperfocal.web import native
from hyperfocal.web.heartbeat import Heartbeat
from hyperfocal.web.native import NativeTransport
from hyperfocal.web.transport import MOST_READS
from hyperfocal.wire import Decoder, Kind, Message, dump_json, encode
from tests.support.applications import application, tiny
from tests.support.frames import Opcode, close, frame, message
from tests.support.memory import MemoryTransport
from tests.support.serving import Events, running, until

OUTBOX = 100_000


@dataclass
class Client:
    """A client in memory, and the session that it has joined."""

    socket: MemoryTransport
    context: ApplicationContext
    session: Session
    events: Events
    connections: set[Any]
    protocol: NativeTransport
    decoder: Decoder = field(default_factory=Decoder)
    numbers: int = 0

    def request(self, kind: Kind = Kind.SERVER_INFO_REQ, content: Any = None) -> bytes:
        self.numbers += 1
        frames = encode(kind, dump_json(content or {}), msgid=f"c{self.numbers}")
        return b"".join(piece for one in frames for piece in message(one))

    def move(self, value: int) -> bytes:
        """A request to move the slider of ``tiny``."""
        slider: Any = self.session.context.document.select_one({"name": "slider"})
        event = {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value", "new": value}
        return self.request(Kind.PATCH_DOC, {"events": [event]})

    def told(self) -> list[list[Message]]:
        """The messages since the last look, write by write."""
        return [
            [found for one in frames if (found := self.decoder.feed(_content(one))) is not None]
            for frames in self.socket.heard()
        ]

    def replies(self) -> list[str | None]:
        return [one.reqid for messages in self.told() for one in messages]

    @property
    def ended(self) -> list[int]:
        return [event.code for event in self.events.of(ConnectionClosed)]


def _content(one: Any) -> str | bytes:
    data = bytes(one.data)
    return data.decode() if one.opcode is Opcode.TEXT else data


def _entitle(doc: Document, title: str) -> None:
    doc.title = title


def close_codes(socket: MemoryTransport) -> list[int]:
    frames = [one for frames in socket.heard() for one in frames]
    return [int.from_bytes(one.data[:2]) for one in frames if one.opcode is Opcode.CLOSE]


def reads(client: Client) -> bool:
    """Whether the transport lets bytes come."""
    return client.socket.reading


def is_closed(client: Client) -> bool:
    """Whether the transport has closed the socket."""
    return client.socket.closed


@contextlib.asynccontextmanager
async def joined() -> AsyncGenerator[Client]:
    events = Events()
    context = ApplicationContext(application(tiny), telemetry=Telemetry(events))
    session = await context.create_session_if_needed("one")
    connections: set[Any] = set()

    def connect(outbox: Outbox) -> Connection:
        return Connection(session, outbox, telemetry=Telemetry(events))

    protocol = NativeTransport(connect, OUTBOX, 1 << 20, Heartbeat(None), connections)
    socket = MemoryTransport()
    protocol.start(socket)
    one = Client(socket, context, session, events, connections, protocol)
    ((ack,),) = one.told()
    assert ack.kind is Kind.ACK
    assert connections == {protocol}
    try:
        yield one
    finally:
        if connections:
            socket.lose()
        assert not connections
        await context.close()


# --- the way in and out -----------------------------------------------------------------------


async def test_a_request_is_carried_out_and_answered_in_one_write_at_once() -> None:
    async with joined() as client:
        client.socket.receive(client.request(Kind.PULL_DOC_REQ))
        await settle()
        client.told()
        client.socket.receive(client.move(7))
        await settle()
        ((patch, ok),) = client.told()  # there already, without a turn of the event loop
        assert (patch.kind, ok.kind) == (Kind.PATCH_DOC, Kind.OK)


async def test_what_one_read_brings_is_answered_in_one_write() -> None:
    async with joined() as client:
        ping = frame(Opcode.PING, b"?")
        client.socket.receive(client.request() + ping + client.request() + ping)
        await settle()
        pongs, frames = client.socket.heard()  # pings need not wait for anything
        assert [one.opcode for one in pongs] == [Opcode.PONG] * 2
        assert [one.opcode for one in frames] == [Opcode.TEXT] * 6


async def test_changes_from_elsewhere_leave_in_one_write() -> None:
    async with joined() as client:
        client.socket.receive(client.request(Kind.PULL_DOC_REQ))
        await settle()
        client.told()
        for title in ("one", "two"):
            await client.session.with_locked_document(partial(_entitle, title=title))
        await settle()
        told = client.told()
        assert [len(messages) for messages in told] in ([2], [1, 1])
        assert client.session.context.document.title == "two"


async def test_a_flood_lets_others_run_and_is_answered_in_order() -> None:
    async with joined() as client:
        client.socket.receive(b"".join(client.request() for _ in range(50)))
        await settle()
        other = await client.session.with_locked_document(lambda doc: len(client.replies()))
        assert other <= 50
        answered = other
        while answered < 50:
            await asyncio.sleep(0)
            answered += len(client.replies())
        assert reads(client)


async def test_the_order_of_a_flood_stays() -> None:
    async with joined() as client:
        client.socket.receive(b"".join(client.request() for _ in range(50)))
        await settle()
        while not reads(client):
            await asyncio.sleep(0)
        assert client.replies() == [f"c{number}" for number in range(1, 51)]


async def test_no_more_than_a_few_reads_wait_while_somebody_else_has_the_document() -> None:
    async with joined() as client:
        client.socket.receive(client.request(Kind.PULL_DOC_REQ))
        await settle()
        client.told()
        entered, leave = asyncio.Event(), asyncio.Event()

        async def stay(doc: Document) -> None:
            entered.set()
            await leave.wait()

        staying = asyncio.create_task(client.session.with_locked_document(stay))
        await entered.wait()
        info = client.request()
        client.socket.receive(client.move(3) + info)
        for _ in range(MOST_READS):
            await settle()
            assert reads(client) == (
                client.protocol._read - client.protocol._carried_out < MOST_READS
            )
            if reads(client):
                client.socket.receive(client.request())
        assert not reads(client)
        assert client.told() == []
        leave.set()
        await staying
        await settle()
        assert reads(client)
        kinds = [one.kind for messages in client.told() for one in messages]
        assert kinds[:2] == [Kind.PATCH_DOC, Kind.OK]
        assert kinds[2:] == [Kind.SERVER_INFO_REPLY] * MOST_READS


async def test_a_client_that_goes_while_it_waits_gives_up_its_place() -> None:
    async with joined() as client:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def stay(doc: Document) -> None:
            entered.set()
            await leave.wait()

        staying = asyncio.create_task(client.session.with_locked_document(stay))
        await entered.wait()
        client.socket.receive(client.move(3))
        await settle()
        client.socket.lose()
        leave.set()
        await staying
        await client.session.with_locked_document(lambda doc: None)
        slider: Any = client.session.context.document.select_one({"name": "slider"})
        assert slider.value == 0


# --- a client that does not read --------------------------------------------------------------


async def test_what_a_full_socket_does_not_take_waits_in_order() -> None:
    async with joined() as client:
        client.socket.full = True
        client.socket.receive(client.request())
        await settle()
        assert client.replies() == ["c1"]  # it was written, and filled the socket
        client.socket.receive(client.request() + frame(Opcode.PING) * 2 + client.request())
        await settle()
        assert client.socket.writes == []
        client.socket.drain()
        (last,) = client.told()
        assert [one.reqid for one in last] == ["c2", "c3"]


@pytest.mark.parametrize("by_peer", [False, True])
async def test_a_close_comes_behind_the_rest_of_what_a_thread_has_begun_to_write(
    monkeypatch: pytest.MonkeyPatch, by_peer: bool
) -> None:
    async with joined() as client:

        def send(fd: int, data: bytes, size: int, flags: int) -> int:
            client.socket.write(data[:5])
            return 5

        monkeypatch.setattr(native, "_c_send", send)
        client.protocol._fd = 1
        client.protocol._outbox.offer(tuple(encode(Kind.OK, "{}", msgid="o", reqid="r")))
        assert client.protocol.write_collected()
        if by_peer:
            client.socket.receive(close(1000))
        else:
            client.protocol.shutdown()
        await settle()
        frames = [one.opcode for found in client.socket.heard() for one in found]
        assert frames == [Opcode.TEXT] * 3 + [Opcode.CLOSE]


async def test_past_its_bound_a_full_outbox_ends_the_connection_with_1013() -> None:
    async with joined() as client:
        client.socket.receive(client.request(Kind.PULL_DOC_REQ))
        await settle()
        client.told()
        title = "x" * (OUTBOX // 5)
        await client.session.with_locked_document(partial(_entitle, title=title))
        await settle()
        client.told()
        client.socket.full = True
        sizes: list[int] = []
        for _ in range(20):  # it asks, and reads nothing
            client.socket.receive(client.request(Kind.PULL_DOC_REQ))
            await settle()
            sizes.append(sum(map(len, client.socket.writes)))
        assert max(sizes) < OUTBOX // 2  # the first message that filled it, and the close
        assert close_codes(client.socket) == [1013]
        assert client.ended == [1013]
        assert len(client.events.of(OutboxOverflowed)) == 1
        assert client.session.connection_count == 0


# --- the end ------------------------------------------------------------------------------------


async def test_requests_before_a_close_are_answered_before_it_is() -> None:
    async with joined() as client:
        client.socket.receive(client.request() + close(1001, "gone") + client.request())
        await settle()
        frames = [one for frames in client.socket.heard() for one in frames]
        assert [one.opcode for one in frames] == [*[Opcode.TEXT] * 3, Opcode.CLOSE]
        assert is_closed(client)
        assert client.ended == [1001]


async def test_requests_before_a_mistake_are_answered_before_its_end() -> None:
    async with joined() as client:
        client.socket.receive(client.request() + frame(0x3) + client.request())
        await settle()
        frames = [one for frames in client.socket.heard() for one in frames]
        assert [one.opcode for one in frames] == [*[Opcode.TEXT] * 3, Opcode.CLOSE]
        assert client.ended == [1002]
        assert not is_closed(client)
        client.socket.receive(b"whatever" * 10_000)
        await settle()
        assert client.socket.heard() == []
        await until(lambda: is_closed(client))
        assert not client.socket.aborted


async def test_a_message_that_makes_no_sense_ends_with_its_code_and_waits_for_the_answer() -> None:
    async with joined() as client:
        client.socket.receive(b"".join(message("not json")))
        await settle()
        assert close_codes(client.socket) == [1007]
        assert not is_closed(client)
        client.socket.receive(client.request() + frame(Opcode.PING))
        await settle()
        assert client.socket.heard() == []
        client.socket.receive(close(1007))
        await settle()
        assert is_closed(client)
        assert client.socket.heard() == []
        assert client.ended == [1007]


async def test_an_answer_to_a_close_in_the_same_read_is_seen() -> None:
    async with joined() as client:
        client.socket.receive(b"".join(message("not json")) + close(1000))
        await settle()
        assert close_codes(client.socket) == [1007]
        assert is_closed(client)


async def test_a_close_behind_more_than_a_few_requests_is_seen() -> None:
    async with joined() as client:
        stream = b"".join(client.request() for _ in range(5)) + close(1000)
        client.socket.receive(stream)
        await settle()
        await until(lambda: is_closed(client))
        opcodes = [one.opcode for frames in client.socket.heard() for one in frames]
        assert opcodes == [*[Opcode.TEXT] * 15, Opcode.CLOSE]
        assert client.ended == [1000]


async def test_a_close_behind_requests_that_are_no_longer_carried_out_is_seen() -> None:
    async with joined() as client:
        nonsense = b"".join(message("not json"))
        client.socket.receive(client.request() * 4 + nonsense + client.request() + close(1000))
        await settle()
        await until(lambda: is_closed(client))
        assert not client.socket.aborted
        assert client.ended == [1007]


async def test_a_session_that_is_over_closes_at_once() -> None:
    async with joined() as client:
        connections: set[Any] = set()
        await client.context.discard(client.session, "test")

        def connect(outbox: Outbox) -> Connection:
            return Connection(client.session, outbox, telemetry=Telemetry())

        late = NativeTransport(connect, OUTBOX, 1 << 20, Heartbeat(None), connections)
        socket = MemoryTransport()
        late.start(socket)
        assert close_codes(socket) == [1001]
        socket.lose()


async def test_a_mistake_of_ours_ends_the_connection_with_1011(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Connection, *args: Any) -> None:
        raise RuntimeError("oh no")

    async with joined() as client:
        monkeypatch.setattr(Connection, "_next_message", fail)
        client.socket.receive(client.request())
        await settle()
        assert close_codes(client.socket) == [1011]
        assert "oh no" in caplog.text


async def test_the_end_of_the_session_closes_behind_what_is_queued() -> None:
    async with joined() as client:
        client.socket.receive(client.request(Kind.PULL_DOC_REQ))
        await settle()
        client.socket.heard()
        await client.context.discard(client.session, "test")
        await settle()
        assert close_codes(client.socket) == [1001]


async def test_the_end_of_the_server_is_told() -> None:
    async with joined() as client:
        client.protocol.shutdown()
        assert close_codes(client.socket) == [1012]
        assert is_closed(client)
        assert client.ended == [1012]


async def test_the_end_of_the_server_is_told_to_a_full_socket_and_nothing_else() -> None:
    async with joined() as client:
        client.socket.full = True
        client.socket.receive(client.request())
        await settle()
        client.socket.heard()
        client.socket.receive(client.request())
        await settle()
        client.protocol.shutdown()
        assert close_codes(client.socket) == [1012]


async def test_a_connection_that_breaks_is_lost() -> None:
    async with joined() as client:
        client.socket.lose()
        assert client.ended == [1006]


async def test_a_message_past_the_limit_is_told_to_a_client_that_is_still_sending() -> None:
    async with (
        running(
            {"/a": tiny}, websocket_transport="native", websocket_max_message_bytes=1 << 20
        ) as server,
        server.client("/a") as client,
    ):
        with pytest.raises((ConnectionError, WebSocketClosed)):
            await client.send_frames(["x" * (8 << 20)])
            await client.expect(lambda message: message.kind is Kind.OK)
        assert client.socket.close_code == 1009


async def test_a_client_that_makes_a_mistake_and_does_not_read_is_dropped_by_the_heartbeat() -> (
    None
):
    """Regression: as long as it went on sending it was taken for alive, and its session with it."""
    async with joined() as client:
        client.socket.full = True
        client.socket.receive(client.request(Kind.PULL_DOC_REQ))
        await settle()
        client.socket.receive(frame(Opcode.TEXT, b"no JSON"))
        await settle()
        for _ in range(3):
            await settle()
            client.protocol.beat()
            client.socket.receive(frame(Opcode.PING))
        assert client.session.connection_count == 0
