"""The least that a server has to do: an application's documents behind the websocket library.

There is one document for each connection, and a change of a client is set as it comes, so that
Bokeh's validation and the application's callbacks run; what they change is written as JSON, with
the OK, in one go. There is no HTTP, no session that outlives its connection, no lock, no thread,
no limit, and what comes in is believed. Arguments: the application, the port.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import picows  # type: ignore[import-not-found,unused-ignore]
import uvloop
from bokeh.application import Application
from bokeh.application.handlers import ScriptHandler
from bokeh.document import Document
from bokeh.document.events import ColumnDataChangedEvent, ModelChangedEvent

from hyperfocal.document import acceleration

_TEXT, _BINARY = 0x81, 0x82


def _head(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def _frame(first: int, payload: bytes) -> bytes:
    return _head(first, len(payload)) + payload


def _message(kind: str, content: bytes, more: bytes = b"", buffers: int = 0) -> bytes:
    header = b'{"msgid":"1","msgtype":"%b","num_buffers":%d%b}' % (kind.encode(), buffers, more)
    return _frame(_TEXT, header) + _frame(_TEXT, b"{}") + _frame(_TEXT, content)


def _column(values: Any, buffers: list[bytes]) -> object:
    if not isinstance(values, np.ndarray):
        return values
    data = {"type": "bytes", "data": {"id": f"b{len(buffers)}"}}
    buffers.append(values.tobytes())
    return {
        "type": "ndarray",
        "array": data,
        "shape": values.shape,
        "dtype": values.dtype.name,
        "order": "little",
    }


class _Session(picows.WSListener):
    """One connection, and its document."""

    def __init__(self, application: Application) -> None:
        super().__init__()
        self._document = Document()
        application.initialize_document(self._document)
        self._document.on_change(self._changed)
        self._content = orjson.dumps({"doc": self._document.to_json(deferred=False)})
        self._periodic: list[Any] = self._document.session_callbacks
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self._frames: list[bytes] = []
        self._events: list[object] = []
        self._buffers: list[bytes] = []
        self._setting = ""  # the model that the client sets; it knows of that

    def on_ws_connected(self, transport: Any) -> None:
        transport.underlying_transport.write(_message("ACK", b"{}"))
        for callback in self._periodic:
            self._tick(transport, callback.callback, callback.period / 1000)

    def on_ws_disconnected(self, transport: Any) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _tick(self, transport: Any, call: Callable[[], None], period_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[call] = loop.call_later(period_s, self._tick, transport, call, period_s)
        call()
        transport.underlying_transport.writelines(list(self._patch()))

    def _changed(self, event: Any) -> None:
        if isinstance(event, ModelChangedEvent) and event.model.id != self._setting:
            change = {"model": {"id": event.model.id}, "attr": event.attr, "new": event.new}
            self._events.append({"kind": "ModelChanged", **change})
        elif isinstance(event, ColumnDataChangedEvent):
            source: Any = event.model
            data = source.data
            entries = [[name, _column(data[name], self._buffers)] for name in data]
            change = {"model": {"id": source.id}, "attr": "data"}
            new = {"type": "map", "entries": entries}
            self._events.append({"kind": "ColumnDataChanged", **change, "data": new})

    def _patch(self) -> Iterator[bytes]:
        events, buffers = self._events, self._buffers
        if events:
            self._events, self._buffers = [], []
            content = orjson.dumps({"events": events})
            yield _message("PATCH-DOC", content, buffers=len(buffers))
            for number, buffer in enumerate(buffers):
                yield _frame(_TEXT, b'{"id":"b%d"}' % number)
                yield _head(_BINARY, len(buffer))
                yield buffer

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        self._frames.append(frame.get_payload_as_bytes())
        if len(self._frames) < 3:
            return
        header, _, content = self._frames
        self._frames = []
        message = orjson.loads(header)
        reply = b',"reqid":"%b"' % message["msgid"].encode()
        if message["msgtype"] == "PULL-DOC-REQ":
            written = _message("PULL-DOC-REPLY", self._content, reply)
            transport.underlying_transport.write(written)
            return
        for event in orjson.loads(content)["events"]:
            model: Any = self._document.get_model_by_id(event["model"]["id"])
            self._setting = model.id
            setattr(model, event["attr"], event["new"])
        self._setting = ""
        written = b"".join((*self._patch(), _message("OK", b"{}", reply)))
        transport.underlying_transport.write(written)


async def _serve(app: str, port: int) -> None:
    acceleration.install()
    application = Application(ScriptHandler(filename=app))

    def accept(request: Any) -> Any:
        response = picows.WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": "bokeh"})
        return picows.WSUpgradeResponseWithListener(response, _Session(application))

    server = await picows.ws_create_server(accept, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], int(sys.argv[2])))
