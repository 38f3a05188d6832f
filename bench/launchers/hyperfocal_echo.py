"""``hyperfocal serve`` whose connections send every message back: its transport and nothing else.

Takes the arguments of ``hyperfocal``.
"""

from __future__ import annotations

import runpy

from hyperfocal.connection import Connection
from hyperfocal.wire import Frame


class _Echo:
    """Three frames in, the same three out."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames: list[Frame] = []

    def receive(self, connection: Connection, frame: Frame) -> None:
        self._frames.append(frame)
        if len(self._frames) == 3:
            frames, self._frames = tuple(self._frames), []
            connection.offer(frames)


_echoes: dict[Connection, _Echo] = {}


def _receive(self: Connection, frame: Frame) -> None:
    echo = _echoes.get(self)
    if echo is None:
        echo = _echoes[self] = _Echo()
    echo.receive(self, frame)


if __name__ == "__main__":
    Connection.receive = _receive  # type: ignore[method-assign]
    runpy.run_module("hyperfocal", run_name="__main__")
