"""Moving a slider again and again, as the clients of protocols other than Bokeh's do."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from bench.clients import Tally, Target
from bench.clients.websocket import WebSocket

__all__ = ("Mover",)


class Mover(WebSocket, ABC):
    """A session whose slider is moved as soon as the answer to the move before is here.

    Args:
        target: where the application is served.
        path: the path of its websocket.
        subprotocols: as in ``WebSocket``.
    """

    def __init__(self, target: Target, path: str, *subprotocols: str) -> None:
        super().__init__(target, path, *subprotocols)
        self._tally: Tally | None = None
        self._value = 0
        self._sent = 0.0

    def failed(self, reason: str) -> None:
        """The connection is of no use any more."""
        if self._tally is not None:
            self._tally.fail(reason)

    def begin(self, tally: Tally) -> None:
        """Move the slider, again as soon as the answer is here, until closed."""
        self._tally = tally
        self._move()

    def shown(self, payload: bytes) -> None:
        """The server has shown the slider's value."""
        if self._tally is None:
            self.answered(payload)
        else:
            self._tally.latencies_s.append(time.perf_counter() - self._sent)
            self._move()

    def _move(self) -> None:
        self._value += 1
        self._sent = time.perf_counter()
        self.send_value(self._value)

    @abstractmethod
    def send_value(self, value: int) -> None:
        """Tell the server of the slider's value."""

    async def close(self) -> None:
        """Move no more, and close the websocket."""
        self._tally = None
        await super().close()
