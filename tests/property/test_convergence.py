"""Clients and callbacks change the same properties at the same time; in the end all are equal.

Messages take their time: each end of each connection is a queue, of which the test takes the first
message when it likes. That is BokehJS's behaviour as far as it matters here: what a person does is
applied and sent at once, and what the server says is applied when it comes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.document import apply_patch, decode_patch
from hyperfocal.publishing.conflicts import QUIET_S
from hyperfocal.session import Session
from hyperfocal.telemetry import Telemetry
from hyperfocal.testing import ManualClock
from hyperfocal.testing.clock import settle
from hyperfocal.wire import Decoder, Frame, Message, unpacked
from tests.property.test_changes import OPERATIONS, SETTINGS, ClientDesk, Stage, assert_agrees

#: What the application does: to properties that people change as well.
_WORK = ("set value", "set title of slider", "type text", "set document title")


@pytest.fixture(scope="module")
def loop() -> Generator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class FarClient(ClientDesk):
    """A client at the end of a long line."""

    lagging = False

    def __init__(self, name: str, stage: Stage, session: Session) -> None:
        super().__init__(name, stage)
        self.coming: deque[Message] = deque()
        self.going: deque[dict[str, Any]] = deque()
        self._session = session
        self._decoder = Decoder()

    def offer(self, frames: tuple[Frame, ...]) -> None:
        for frame in unpacked(frames):
            message = self._decoder.feed(frame)
            if message is not None:
                self.coming.append(message)

    def end(self, reason: str) -> None:
        raise AssertionError(reason)

    def give_up(self) -> None:
        raise AssertionError

    def act(self, data: st.DataObject) -> None:
        """A person changes something."""
        choice = data.draw(st.sampled_from([self.scalar, self.scalar, self.title]))
        event = choice(data)
        if event is not None:
            self.replica.apply_content({"events": [event]})
            self.going.append({"events": [event]})

    def hear(self) -> None:
        """The next message of the server arrives."""
        if self.coming:
            message = self.coming.popleft()
            self.replica.apply_content(message.content, message.buffers)

    def be_heard(self) -> None:
        """The next message of the client arrives."""
        if not self.going:
            return
        turn = self._session.turns.nowait(self)
        assert turn is not None
        with turn:
            patch = decode_patch(turn.document, self.going.popleft(), (), setter=self)
            turn.defined = patch.defined
            assert apply_patch(turn.document, patch, setter=self) is None


async def play(data: st.DataObject) -> None:
    stage, clock = Stage(), ManualClock()
    session = Session(
        "an-id",
        stage.document,
        loop=asyncio.get_running_loop(),
        clock=clock,
        telemetry=Telemetry(),
    )
    session.go_live()
    clients = [FarClient(name, stage, session) for name in ("one", "two")]
    for client in clients:
        session.attach(client)
        session.subscribe(client)

    def work() -> None:
        turn = session.turns.nowait()
        assert turn is not None
        with turn:
            OPERATIONS[data.draw(st.sampled_from(_WORK))](stage, data)

    for _ in range(data.draw(st.integers(1, 15), label="steps")):
        client = data.draw(st.sampled_from(clients), label="client")
        what = data.draw(st.sampled_from(["act", "act", "hear", "be heard", "work", "pass"]))
        if what == "act":
            client.act(data)
        elif what == "hear":
            client.hear()
        elif what == "be heard":
            client.be_heard()
        elif what == "work":
            work()
        else:
            await clock.advance(data.draw(st.sampled_from([0.1, QUIET_S, 5.0])))
    # It is quiet from now on.
    for _ in range(20):
        busy = [one for one in clients if one.coming or one.going]
        if busy:
            client = data.draw(st.sampled_from(busy))
            hears = bool(client.coming) and data.draw(st.booleans(), label="hears")
            (client.hear if hears else client.be_heard)()
            continue
        await clock.advance(QUIET_S)
        await settle()
        if not any(client.coming for client in clients):
            break
    for client in clients:
        while client.coming or client.going:
            client.be_heard()
            client.hear()
    await clock.advance(2 * QUIET_S)
    for client in clients:
        while client.coming:
            client.hear()
        assert_agrees(client.replica, stage.document)


@SETTINGS
@given(data=st.data())
def test_whatever_crosses_all_are_equal_once_it_is_quiet(
    loop: asyncio.AbstractEventLoop, data: st.DataObject
) -> None:
    loop.run_until_complete(play(data))
