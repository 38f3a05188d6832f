"""The protocol of Streamlit: protobuf messages, each a binary frame.

What is comparable: a page load up to the end of the script's first run, and a slider's change up
to the end of the run that it causes. Only the few fields that are needed are spoken, by hand;
``streamlit/proto`` names them.
"""

from __future__ import annotations

import re
import struct

from bench.clients import Target
from bench.clients.mover import Mover
from bench.clients.websocket import BINARY, fetch

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


class _Session(Mover):
    """A session of ``streamlit_tiny.py``."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, "/_stcore/stream", "streamlit")
        self._widget: bytes | None = None
        self._seen = False

    def opened(self) -> None:
        self.write(BINARY, _rerun(None, 0))

    def frame(self, first: int, payload: bytes) -> None:
        if self._widget is None:
            match = re.search(rb"\$\$ID-[0-9a-f]+-slider", payload)
            if match is not None:
                self._widget = match[0]
        text = b"%d" % self._value
        if b"\x0a" + bytes((len(text),)) + text in payload:  # Text.body
            self._seen = True
        if not payload.endswith(_FINISHED) or len(payload) > 60:
            return
        if not self._seen:
            self.fail("the script ended without showing the slider's value")
        else:
            self.shown(payload)

    def send_value(self, value: int) -> None:
        self._seen = False
        self.write(BINARY, _rerun(self._widget, value))


async def visit(target: Target) -> _Session:
    """A page with its first rendering."""
    await fetch(target)
    session = await _Session(target).connect()
    await session.answer()
    return session
