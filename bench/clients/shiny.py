"""The protocol of Shiny for Python: JSON objects, each a text frame.

What is comparable: a page load up to the output's first value, and a slider's change up to the
output that follows from it.
"""

from __future__ import annotations

import orjson

from bench.clients import Target
from bench.clients.mover import Mover
from bench.clients.websocket import TEXT, fetch

__all__ = ("visit",)


class _Session(Mover):
    """A session of ``shiny_tiny.py``."""

    def __init__(self, target: Target) -> None:
        super().__init__(target, "/websocket/")

    def opened(self) -> None:
        # What Shiny's own client says of a page with one input and one visible output.
        data = {
            "slider:shiny.number": 0,
            ".clientdata_output_text_hidden": False,
            ".clientdata_pixelratio": 1,
            ".clientdata_url_protocol": "http:",
            ".clientdata_url_hostname": "localhost",
            ".clientdata_url_port": str(self._target.port),
            ".clientdata_url_pathname": "/",
            ".clientdata_url_search": "",
            ".clientdata_url_hash_initial": "",
            ".clientdata_singletons": "",
        }
        self.write(TEXT, orjson.dumps({"method": "init", "data": data}))

    def frame(self, first: int, payload: bytes) -> None:
        if b'"values"' not in payload:
            return
        message = orjson.loads(payload)
        if message["errors"]:
            self.fail(f"errors: {message['errors']}")
        if message["values"].get("text") != str(self._value):
            return
        self.shown(payload)

    def send_value(self, value: int) -> None:
        content = b'{"method":"update","data":{"slider:shiny.number":%d}}' % value
        self.write(TEXT, content)


async def visit(target: Target) -> _Session:
    """A page with its first output."""
    await fetch(target)
    session = await _Session(target).connect()
    await session.answer()
    return session
