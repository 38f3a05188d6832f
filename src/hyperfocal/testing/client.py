"""A client of the websocket protocol, for tests without a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from hyperfocal.wire import (
    Buffer,
    Decoder,
    Frame,
    Kind,
    Limits,
    Message,
    MessageIds,
    dump_json,
    encode,
)

__all__ = ("WireClient", "page_token")

_NO_LIMITS = Limits(
    message_bytes=1 << 40, header_bytes=1 << 30, buffers=1 << 30, containers=1 << 40
)


def page_token(html: str) -> str:
    """The token in the page of an application (or in its autoload script).

    Raises:
        ValueError: there is none.
    """
    match = re.search(r'"token":"([^"]+)"', html)
    if match is None:
        raise ValueError("the page holds no token")
    return match[1]


class WireClient:
    """A connection to a session. Made by ``WireClient.connect``.

    Attributes:
        socket: the websocket itself, for tests that speak frames.
        messages: every message that came, in order.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[Message] = []
        self._ids = MessageIds()
        self._arrived = asyncio.Condition()
        self._ended = False
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, token: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AsyncGenerator[WireClient]:
        """Connect and wait for the ACK.

        Args:
            url: the application's websocket, ``ws://host:port/app/ws``.
            token: the page's token.
            headers: further headers of the handshake.
            options: for ``websockets.connect``.
        """
        async with connect(
            url,
            subprotocols=[Subprotocol("bokeh"), Subprotocol(token)],
            additional_headers=dict(headers or {}),
            max_size=None,
            **options,
        ) as socket:
            client = cls(socket)
            client._reader = asyncio.create_task(client._read())
            try:
                await client.expect(lambda message: message.kind is Kind.ACK)
                yield client
            finally:
                client._reader.cancel()
                await asyncio.gather(client._reader, return_exceptions=True)

    async def _read(self) -> None:
        decoder = Decoder(_NO_LIMITS)
        try:
            async for frame in self.socket:
                message = decoder.feed(frame)
                if message is not None:
                    async with self._arrived:
                        self.messages.append(message)
                        self._arrived.notify_all()
        finally:
            async with self._arrived:
                self._ended = True
                self._arrived.notify_all()

    async def expect(
        self, wanted: Callable[[Message], bool], *, timeout_s: float = 10.0
    ) -> Message:
        """The first message that is wanted, now or when it comes.

        Raises:
            ConnectionError: the connection ended before it came.
            TimeoutError: it did not come in time.
        """

        def found() -> Message | None:
            return next((message for message in self.messages if wanted(message)), None)

        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None or self._ended)
        message = found()
        if message is None:
            raise ConnectionError(
                f"the connection ended with {self.socket.close_code} {self.socket.close_reason!r}"
            )
        return message

    async def send_frames(self, frames: Iterable[Frame]) -> None:
        """Send frames as they are."""
        for frame in frames:
            await self.socket.send(frame)

    async def request(
        self, kind: Kind, content: Any = None, buffers: Iterable[Buffer] = ()
    ) -> Message:
        """Send a request and wait for its reply, whatever it is."""
        msgid = self._ids()
        await self.send_frames(encode(kind, dump_json(content or {}), msgid=msgid, buffers=buffers))
        return await self.expect(lambda message: message.reqid == msgid)

    async def pull(self) -> dict[str, Any]:
        """Ask for the document; gives its JSON. Buffers are on the last message."""
        reply = await self.request(Kind.PULL_DOC_REQ)
        doc: dict[str, Any] = reply.content["doc"]
        return doc

    async def patch(self, *events: Mapping[str, Any], buffers: Iterable[Buffer] = ()) -> Message:
        """Send changes; gives the reply, OK or ERROR."""
        return await self.request(Kind.PATCH_DOC, {"events": list(events)}, buffers)

    async def set(self, model_id: str, attr: str, value: Any) -> Message:
        """Change one property; gives the reply."""
        return await self.patch(
            {"kind": "ModelChanged", "model": {"id": model_id}, "attr": attr, "new": value}
        )

    def patches(self) -> list[dict[str, Any]]:
        """The events of all PATCH-DOC messages so far, in order."""
        return [
            event
            for message in self.messages
            if message.kind is Kind.PATCH_DOC
            for event in message.content["events"]
        ]

    async def roundtrip(self) -> None:
        """Come back when the server has processed everything sent before."""
        await self.request(Kind.SERVER_INFO_REQ)
