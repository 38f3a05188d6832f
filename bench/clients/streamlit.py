"""The protocol of Streamlit: protobuf messages, each a binary frame.

What is comparable: a page load up to the end of the script's first run, and a slider's change up
to the end of the run that it causes. Only the few fields that are needed are spoken, by hand;
``streamlit/proto`` names them.
"""

from __future__ import annotations

import re
import struct
import time

from bench.clients import Tally, Target
from bench.clients.websocket import BINARY, WebSocket, fetch

__all__ = ("visit",)

#: ForwardMsg.script_finished (field 6, a varint): 0 says that it ran to its end.
_FINISHED = b"\x30\x00"


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of fewer than 128 bytes."""
    assert len(content) < 128 and number < 16
    return bytes((number << 3 | 2, len(content))) + content


def _rerun(widget: bytes | None, value: int) -> bytes:
    """BackMsg.rerun_script, with the slider's value."""
    if widget is None:
        return _field(11, b"")
    # WidgetState: id, double_array_value {data}.
    state = _field(1, widget) + _field(7, _field(1, struct.pack("<d", value)))
    return _field(11, _field(2, _field(1, state)))


class _Session(WebSocket):
    """A session of ``streamlit_tiny.py``."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, "/_stcore/stream", "streamlit")
        self._widget: bytes | None = None
        self._tally: Tally | None = None
        self._value = 0
        self._sent = 0.0
        self._shown = False

    def opened(self) -> None:
        self.write(BINARY, _rerun(None, 0))

    def frame(self, first: int, payload: bytes) -> None:
        if self._widget is None:
            match = re.search(rb"\$\$ID-[0-9a-f]+-slider", payload)
            if match is not None:
                self._widget = match[0]
        text = b"%d" % self._value
        if b"\x0a" + bytes((len(text),)) + text in payload:  # Text.body
            self._shown = True
        if not payload.endswith(_FINISHED) or len(payload) > 60:
            return
        if not self._shown:
            self.fail("the script ended without showing the slider's value")
        elif self._tally is None:
            self.answered(payload)
        else:
            self._tally.latencies_s.append(time.perf_counter() - self._sent)
            self._move()

    def failed(self, reason: str) -> None:
        if self._tally is not None:
            self._tally.fail(reason)

    def begin(self, tally: Tally) -> None:
        self._tally = tally
        self._move()

    def _move(self) -> None:
        self._value += 1
        self._shown = False
        self._sent = time.perf_counter()
        self.write(BINARY, _rerun(self._widget, self._value))

    async def close(self) -> None:
        self._tally = None
        await super().close()


async def visit(target: Target) -> _Session:
    """A page with its first rendering."""
    await fetch(target)
    session = await _Session(target).connect()
    await session.answer()
    return session
