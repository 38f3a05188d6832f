"""A TCP proxy that can be cut, as a network is, and slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager


class Proxy:
    """Forwards connections to a port of this machine until it is cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.refused = 0
        self.port = 0
        self.passed_bytes = 0  # from the server

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int) -> AsyncGenerator[Proxy]:
        proxy = cls(target)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            proxy.cut()
            await server.wait_closed()

    def cut(self) -> None:
        """Drop what is connected, without a word, and refuse what comes."""
        self._cut = True
        self._flows.set()
        for writer in list(self._writers):
            writer.transport.abort()

    def hold(self) -> None:
        """Keep what the server says on its way until ``release``; clients are still heard."""
        self._flows.clear()

    def release(self) -> None:
        """Let what was held arrive."""
        self._flows.set()

    def mend(self, target: int | None = None) -> None:
        """Forward again, to the same port or to another one."""
        self._cut = False
        self._target = target or self._target

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            self.refused += 1
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, up_writer}
        try:
            always = asyncio.Event()
            always.set()
            await asyncio.gather(
                self._pump(reader, up_writer, always),
                self._pump(up_reader, writer, self._flows, self._count),
            )
        finally:
            self._writers -= {writer, up_writer}
            writer.transport.abort()
            up_writer.transport.abort()

    def _count(self, size: int) -> None:
        self.passed_bytes += size

    @staticmethod
    async def _pump(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flows: asyncio.Event,
        count: Callable[[int], object] = lambda size: None,
    ) -> None:
        try:
            while data := await reader.read(65536):
                count(len(data))
                await flows.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            if not writer.is_closing():
                writer.close()
