"""Messages of Bokeh's protocol to a server that sends their frames back."""

from __future__ import annotations

import time

from bench.clients import Tally, Target
from bench.clients.websocket import TEXT, WebSocket, fetch
from hyperfocal.testing import page_token

__all__ = ("visit", "visit_raw")

_FRAMES = (
    b'{"msgid":"1","msgtype":"PATCH-DOC"}',
    b"{}",
    b'{"events":[{"kind":"ModelChanged","model":{"id":"p1001"},"attr":"value","new":12}]}',
)


class _Session(WebSocket):
    """Sends three frames again as soon as three came back."""

    def __init__(self, target: Target, token: str) -> None:
        super().__init__(target, f"{target.path}/ws", "bokeh", token)
        self._tally: Tally | None = None
        self._frames = 0
        self._sent = 0.0

    def frame(self, first: int, payload: bytes) -> None:
        self._frames += 1
        if self._frames < 3:
            return
        self._frames = 0
        if self._tally is None:
            self.answered(payload)
            return
        if payload != _FRAMES[2]:
            self._tally.fail(f"not an echo: {payload!r}")
        self._tally.latencies_s.append(time.perf_counter() - self._sent)
        self._send()

    def failed(self, reason: str) -> None:
        if self._tally is not None:
            self._tally.fail(reason)

    def begin(self, tally: Tally) -> None:
        self._tally = tally
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self.write(TEXT, *_FRAMES)

    async def close(self) -> None:
        self._tally = None
        await super().close()


async def visit(target: Target) -> _Session:
    """A connection up to Hyperfocal's ACK."""
    page = await fetch(target)
    session = await _Session(target, page_token(page.decode())).connect()
    await session.answer()
    return session


async def visit_raw(target: Target) -> _Session:
    """A connection to a bare websocket server, up to the first echo."""
    session = await _Session(target, "token").connect()
    await session.ready
    session.write(TEXT, *_FRAMES)
    await session.answer()
    return session
