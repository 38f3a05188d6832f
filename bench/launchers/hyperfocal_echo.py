"""``hyperfocal serve`` whose connections send every message back: its transport and nothing else.

Takes the arguments of ``hyperfocal``.
"""

from __future__ import annotations

import runpy
from collections.abc import Sequence

from hyperfocal.connection import Connection, Done
from hyperfocal.wire import Frame


class _Echo:
    """Three frames in, the same three out."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: list[Frame] = []

    def receive(self, connection: Connection, frames: Sequence[Frame]) -> None:
        self._frames += frames
        while len(self._frames) >= 3:
            message, self._frames = tuple(self._frames[:3]), self._frames[3:]
            connection.offer(message)


_echoes: dict[Connection, _Echo] = {}


def _receive(self: Connection, frames: Sequence[Frame], done: Done) -> None:
    echo = _echoes.get(self)
    if echo is None:
        echo = _echoes[self] = _Echo()
    echo.receive(self, frames)
    done(None)


if __name__ == "__main__":
    Connection.receive = _receive  # type: ignore[method-assign]
    runpy.run_module("hyperfocal", run_name="__main__")
