"""People at browsers, far away: what BokehJS does, over a line that takes its time."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hyperfocal.connection import Connection
from hyperfocal.document import EncodedPatch
from hyperfocal.errors import BuildError, BusyError
from hyperfocal.web.asgi import AsgiTransport
from hyperfocal.wire import Decoder, Kind, dump_json, encode
from tests.document.replica import Replica
from tests.simulation.application import Books

__all__ = ("Person",)

#: Bytes that may wait for a person; small, so that some lag and some are given up.
_OUTBOX_BYTES = 6_000


class Person:
    """Opens sessions, moves widgets, and goes, one way or another.

    Args:
        name: for messages.
        app: the application's context.
        books: what must hold.
        rng: all their decisions, and the line's.

    Attributes:
        session: the one that they have open.
        replica: their copy of the document, once they have it.
    """

    def __init__(self, name: str, app: Any, books: Books, rng: random.Random) -> None:
        self.name = name
        self._app = app
        self._books = books
        self._rng = rng
        self._pages = 0
        self.session: Any = None
        self.replica: Replica | None = None
        self._coming: asyncio.Queue[Any] = asyncio.Queue()
        self._awaited: list[str] = []
        self._requests = 0
        self._corrections = 0
        #: Requests for values that the application corrects, and what had been corrected before.
        self._to_be_corrected: dict[str, int] = {}
        self._stalled = False

    async def live(self) -> None:
        """Visit again and again, until it is to be calm; then stay."""
        rng = self._rng
        while not self._books.calm:
            await asyncio.sleep(rng.choice([0.0, 0.1, 3.0]))
            await self._visit(f"session-{rng.randrange(3)}")
            if rng.random() < 0.3:
                await asyncio.sleep(rng.choice([1.0, 16.0, 45.0]))

    async def _visit(self, session_id: str) -> None:
        old = list(self._books.failures)
        try:
            session = await self._app.create_session_if_needed(session_id)
        except (BuildError, BusyError) as error:
            self._books.expect(error not in old, "somebody got the failure of an earlier try")
            self._books.failures.append(error)
            return
        self._books.expect(session.id == session_id, "somebody got another session")
        if session.lifetime.name != "LIVE":
            return
        self._coming = asyncio.Queue()
        await self._coming.put({"type": "websocket.connect"})
        await self._coming.get()
        self._decoder, self.replica = Decoder(), None
        self._awaited, self._stalled, self._greeted = [], False, asyncio.Event()
        self._to_be_corrected.clear()
        self._pages += self._rng.random() < 0.7  # else the same page comes back
        page = f"{self.name}-{self._pages}"
        self.session = session

        def connect(outbox: Any) -> Connection:
            return Connection(
                session, outbox, telemetry=self._app._telemetry, url="/", page=page, versions={}
            )

        transport = AsgiTransport(connect, _OUTBOX_BYTES, self._receive, self._send)
        serving = asyncio.ensure_future(transport.run())
        acting = asyncio.ensure_future(self._act())
        try:
            await asyncio.wait({serving, acting}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                how = self._rng.choice([1000, 1001, 1006, 1006])
                self._coming.put_nowait({"type": "websocket.disconnect", "code": how})
                self._stalled = False
            await serving
            if acting.done():
                acting.result()
        finally:
            acting.cancel()
            self._stalled = False
            self._coming.put_nowait({"type": "websocket.disconnect", "code": 1006})
            self.session = self.replica = None

    # --- the line -------------------------------------------------------------------------------

    async def _receive(self) -> Any:
        return await self._coming.get()

    async def _send(self, event: Any) -> None:
        rng = self._rng
        await asyncio.sleep(rng.choice([0.0, 0.0, 0.01, 0.2]))
        while self._stalled and not self._books.calm:
            await asyncio.sleep(0.5)
        if event["type"] == "websocket.close":
            self._coming.put_nowait({"type": "websocket.disconnect", "code": event["code"]})
            return
        frame = event.get("text")
        message = self._decoder.feed(frame if frame is not None else event["bytes"])
        if message is not None:
            self._hear(message)

    def _hear(self, message: Any) -> None:
        if message.kind is Kind.ACK:
            self._greeted.set()
        elif message.kind is Kind.PATCH_DOC:
            if self.replica is not None:
                self.replica.apply_content(message.content, message.buffers)
                self._corrections += any(
                    event.get("new") == 60 for event in message.content["events"]
                )
        else:
            due = self._awaited.pop(0) if self._awaited else None
            self._books.expect(message.reqid == due, f"a reply to {message.reqid}, not to {due}")
            if due in self._to_be_corrected:
                known = self._to_be_corrected.pop(due) < self._corrections
                self._books.expect(known, "a reply came before what the request has changed")
            if message.kind is Kind.PULL_DOC_REPLY:
                self.replica = Replica()
                self.replica.load(EncodedPatch(dump_json(message.content), message.buffers))

    def _ask(self, kind: Kind, content: Any) -> str:
        self._requests += 1
        msgid = f"{self.name}-{self._requests}"
        self._awaited.append(msgid)
        for frame in encode(kind, dump_json(content), msgid=msgid):
            self._coming.put_nowait({"type": "websocket.receive", "text": frame})
        return msgid

    # --- the person -----------------------------------------------------------------------------

    async def _act(self) -> None:
        rng, books = self._rng, self._books
        await self._greeted.wait()
        self._ask(Kind.PULL_DOC_REQ, {})
        for _ in range(rng.randrange(12)):
            if books.calm:
                break
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.05, 0.5, 4.0]))
            if self.replica is not None:
                self._change_something(self.replica)
            self._stalled = rng.random() < 0.15
        if not books.calm and rng.random() < 0.5:
            return  # and be gone
        await asyncio.Event().wait()

    def _change_something(self, replica: Replica) -> None:
        rng = self._rng
        choice: tuple[str, Any] = rng.choice(
            [
                ("one", rng.randrange(100)),
                ("two", rng.randrange(100)),
                ("text", "".join(rng.choices("abc", k=rng.choice([1, 3, 2000])))),
            ]
        )
        name, value = choice
        for model_id, twin in replica.models.items():
            if twin.attributes.get("name") == name:
                event = {
                    "kind": "ModelChanged",
                    "model": {"id": model_id},
                    "attr": "value",
                    "new": value,
                }
                replica.apply_content({"events": [event]})
                msgid = self._ask(Kind.PATCH_DOC, {"events": [event]})
                if name == "one" and int(value) > 60:
                    self._to_be_corrected[msgid] = self._corrections
                return

    def check(self) -> None:
        """It is quiet: the person sees what the server has, and has all answers."""
        session, books = self.session, self._books
        if session is None or session.destroyed or not self._greeted.is_set():
            return
        books.expect(not self._awaited, f"{self.name} still waits for {self._awaited}")
        if self.replica is None:
            books.expect(False, f"{self.name} never got the document")
            return
        mine, servers = self.replica.state(), Replica.of(session.document).state()
        books.expect(mine == servers, f"{self.name} has {mine}, the server {servers}")
