"""The protocol of Bokeh, which Bokeh's server, Panel, bokeh-fastapi and Hyperfocal speak."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import orjson

from bench.clients import Tally, Target
from bench.clients.websocket import BINARY, TEXT, WebSocket, fetch
from hyperfocal.testing import page_token

__all__ = ("Session", "visit", "visit_bare")

#: Gets the kind of a message and its content's JSON.
Listener = Callable[[str, bytes], None]


class Session(WebSocket):
    """One websocket, up to the close. Made by ``Session.open``.

    Attributes:
        document: the content of the latest PULL-DOC-REPLY.
        listener: called with every message, instead of waiting for one.
        buffer_bytes: the size of all binary buffers that came.
    """

    def __init__(self, target: Target, token: str) -> None:
        super().__init__(target, f"{target.path}/ws", "bokeh", token)
        self._contents: list[bytes] = []
        self._due = 3
        self._kind = ""
        self._wanted = "ACK"
        self._requests = 0
        self.document = b""
        self.listener: Listener | None = None
        self.buffer_bytes = 0

    @classmethod
    async def open(cls, target: Target) -> Session:
        """Open a page and connect its websocket, up to the ACK."""
        page = await fetch(target)
        session = await cls(target, page_token(page.decode())).connect()
        await session.answer()
        return session

    def frame(self, first: int, payload: bytes) -> None:
        contents = self._contents
        contents.append(payload)
        count = len(contents)
        if count == 1:
            header = orjson.loads(payload)
            self._kind = header["msgtype"]
            self._due = 3 + 2 * header.get("num_buffers", 0)
        elif first == BINARY:
            self.buffer_bytes += len(payload)
        if count == self._due:
            self._contents = []
            self._message(self._kind, contents[2])

    def _message(self, kind: str, content: bytes) -> None:
        if self.listener is not None:
            self.listener(kind, content)
        elif kind == "ERROR":
            self.fail(content.decode())
        elif kind == self._wanted:
            self.answered(content)

    def failed(self, reason: str) -> None:
        if self.listener is not None:
            self.listener("ERROR", reason.encode())

    def send(self, kind: str, content: bytes) -> None:
        """Send a request, in three frames."""
        self._requests += 1
        header = b'{"msgid":"%d","msgtype":"%b"}' % (self._requests, kind.encode())
        self.write(TEXT, header, b"{}", content)

    async def pull(self) -> bytes:
        """The document, as JSON."""
        self._wanted = "PULL-DOC-REPLY"
        self.send("PULL-DOC-REQ", b"{}")
        self.document = await self.answer()
        return self.document

    async def close(self) -> None:
        self.listener = None
        await super().close()

    def change(self, value: int) -> None:
        """Move the document's slider."""
        content = slider_change(self.document, value)
        self.send("PATCH-DOC", content)

    def begin(self, tally: Tally) -> None:
        mover = _Mover(self, tally)
        self.listener = mover.listen
        mover.move()

    def begin_pressing(self, tally: Tally, name: str) -> None:
        """Press a button, again as soon as the OK and what came of it are here, until closed."""
        presser = _Presser(self, tally, name)
        self.listener = presser.listen
        presser.press()


async def visit(target: Target) -> Session:
    """A page with its document."""
    session = await Session.open(target)
    await session.pull()
    return session


async def visit_bare(target: Target) -> Session:
    """A document of a server that has websockets and no pages."""
    session = await Session(target, "token").connect()
    await session.answer()
    await session.pull()
    return session


def _change_before(document: bytes, name: str = "slider") -> bytes:
    """A change of a slider of the document as JSON, up to its value."""
    found = rb'"name":"Slider","id":"([\w-]+)","attributes":\{[^{}]*?"%b"' % name.encode()
    match = re.search(found, document)
    if match is None:
        raise RuntimeError("the document holds no slider of this name")
    model = b'{"events":[{"kind":"ModelChanged","model":{"id":"%b"},' % match[1]
    return model + b'"attr":"value","new":'


def slider_change(document: bytes, value: int, name: str = "slider") -> bytes:
    """The content of a PATCH-DOC that moves a slider of a document (JSON) of ``bench/apps``."""
    return _change_before(document, name) + b"%d}]}" % value


def button_press(document: bytes, name: str) -> bytes:
    """The content of a PATCH-DOC that presses a button of a document (JSON) of ``bench/apps``."""
    model = next(_ids_of(orjson.loads(document), name), None)
    if model is None:
        raise RuntimeError("the document holds no button of this name")
    values = {"type": "map", "entries": [["model", {"id": model}]]}
    press = {"type": "event", "name": "button_click", "values": values}
    event = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": press}
    return orjson.dumps({"events": [event]})


def _ids_of(value: object, name: str) -> Iterator[str]:
    """Ids of the models of this name in a document's JSON."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        attributes = found.get("attributes")
        if isinstance(attributes, dict) and attributes.get("name") == name:
            yield found["id"]
        for part in found.values():
            yield from _ids_of(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _ids_of(part, name)


class _Mover:
    """Moves the slider of one session, again as soon as the server has said OK."""

    def __init__(self, session: Session, tally: Tally) -> None:
        self._before = _change_before(session.document)
        self._session = session
        self._tally = tally
        self._value = 0
        self._patched = False
        self._sent = 0.0

    def move(self) -> None:
        self._value += 1
        self._sent = time.perf_counter()
        self._session.send("PATCH-DOC", self._before + b"%d}]}" % self._value)

    def listen(self, kind: str, content: bytes) -> None:
        if kind == "PATCH-DOC":
            self._patched = True
        elif kind != "OK":
            self._tally.fail(f"{kind}: {content.decode()}")
        elif not self._patched and self._value > 1:  # a change may come just after its OK
            self._tally.fail("a change was acknowledged and nothing came of it")
        else:
            self._patched = False
            self._tally.latencies_s.append(time.perf_counter() - self._sent)
            self.move()


class _Presser:
    """Presses a button again when both are here, the OK and a change, in either order."""

    def __init__(self, session: Session, tally: Tally, name: str) -> None:
        self._content = button_press(session.document, name)
        self._session = session
        self._tally = tally
        self._due = {"OK", "PATCH-DOC"}
        self._sent = 0.0

    def press(self) -> None:
        self._due = {"OK", "PATCH-DOC"}
        self._sent = time.perf_counter()
        self._session.send("PATCH-DOC", self._content)

    def listen(self, kind: str, content: bytes) -> None:
        if kind not in {"OK", "PATCH-DOC"}:
            self._tally.fail(f"{kind}: {content.decode()}")
        self._due.discard(kind)
        if not self._due:
            self._tally.latencies_s.append(time.perf_counter() - self._sent)
            self.press()
