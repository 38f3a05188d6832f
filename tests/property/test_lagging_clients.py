"""Clients that keep up only now and then end up with the server's document all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.document import apply_patch, decode_patch
from hyperfocal.session import Session
from hyperfocal.telemetry import Telemetry
from hyperfocal.testing import ManualClock
from hyperfocal.wire import Decoder, Frame, unpacked
from tests.property.test_changes import SETTINGS, ClientDesk, Stage, assert_agrees


@pytest.fixture(scope="module", params=[(8, 64), (1, 0)], ids=["tidied-seldom", "tidied-always"])
def _tidying(request: pytest.FixtureRequest) -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hyperfocal.document.missed._MAX_PIECES", request.param[0])
        patch.setattr("hyperfocal.document.missed._TIDY_AT", request.param[1])
        yield


@pytest.fixture(scope="module")
def loop() -> Generator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Lagger(ClientDesk):
    """A client with a replica, to which the session tells what it can."""

    def __init__(self, name: str, stage: Stage) -> None:
        super().__init__(name, stage)
        self.lagging = False
        self.messages = 0
        self._decoder = Decoder()

    def offer(self, frames: tuple[Frame, ...]) -> None:
        for frame in unpacked(frames):
            message = self._decoder.feed(frame)
            if message is not None:
                self.messages += 1
                self.replica.apply_content(message.content, message.buffers)

    def end(self, reason: str) -> None:
        raise AssertionError(reason)

    def give_up(self) -> None:
        raise AssertionError("there was not that much to tell")

    def change_something(self, data: st.DataObject) -> dict[str, Any] | None:
        """One edit of one property: all that a client with an old document can be held to."""
        event = self.scalar(data)
        if event is None:
            return None
        self.replica.apply_content({"events": [event]})
        return {"events": [event]}


def receive(session: Session, client: Lagger, content: dict[str, Any]) -> None:
    """What a connection does with a patch."""
    turn = session.turns.nowait(client)
    assert turn is not None
    with turn:
        patch = decode_patch(turn.document, content, (), setter=client)
        turn.defined = patch.defined
        assert apply_patch(turn.document, patch, setter=client) is None


@pytest.mark.usefixtures("_tidying")
@SETTINGS
@given(data=st.data())
def test_for_every_interleaving_the_clients_document_is_the_servers_in_the_end(
    loop: asyncio.AbstractEventLoop, data: st.DataObject
) -> None:
    loop.run_until_complete(play(loop, data))


async def play(loop: asyncio.AbstractEventLoop, data: st.DataObject) -> None:
    stage = Stage()
    session = Session(
        "an-id", stage.document, loop=loop, clock=ManualClock(), telemetry=Telemetry()
    )
    session.go_live()
    clients = [Lagger(name, stage) for name in ("one", "two", "three")]
    for client in clients:
        session.attach(client)
        session.subscribe(client)
    for _ in range(data.draw(st.integers(1, 8), label="turns")):
        who = data.draw(st.sampled_from(clients), label="who")
        what = data.draw(st.sampled_from(["lag", "catch up", "edit", "work", "work", "work"]))
        if what == "lag":
            who.lagging = True
        elif what == "catch up":
            who.lagging = False
            session.has_room()
        elif what == "edit":
            content = who.change_something(data)
            if content is not None:
                receive(session, who, content)
                assert not session.publisher.is_behind(who)  # told before its reply
                assert_agrees(who.replica, stage.document)
        else:
            turn = session.turns.nowait()
            assert turn is not None
            with turn:
                for _ in range(data.draw(st.integers(1, 12), label="operations")):
                    stage.perform(data)
        for client in clients:
            if not client.lagging and not session.publisher.is_behind(client):
                assert_agrees(client.replica, stage.document)
    for client in clients:
        client.lagging = False
        session.has_room()
        assert_agrees(client.replica, stage.document)
        assert not session.publisher.is_behind(client)
