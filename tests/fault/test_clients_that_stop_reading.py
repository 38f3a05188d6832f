"""A client whose socket is full."""

from __future__ import annotations

import asyncio

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div

from hyperfocal.wire import Kind, encode
from tests.support.serving import running, until

pytestmark = pytest.mark.usefixtures("either_transport")


def big(doc: Document) -> None:
    """A document that one text makes large."""
    doc.add_root(Div(text="", name="div"))


async def test_a_client_that_stops_reading_holds_nobody_and_is_told_the_rest_in_one() -> None:
    """Regression: today's server awaits a slow client's socket with the document locked."""
    async with running({"/a": big}, outbox_max_bytes=1 << 20) as server:
        token = await server.token("/a")
        async with (
            server.client("/a", token) as stuck,
            server.client("/a", token) as live,
        ):
            await stuck.pull()
            await live.pull()
            stuck.socket.transport.pause_reading()
            (session,) = server.context("/a").sessions
            for number in range(200):
                text = f"{number} " + "x" * 200_000
                async with asyncio.timeout(5):
                    await session.with_locked_document(
                        lambda document, text=text: setattr(document.roots[0], "text", text)
                    )
                await live.roundtrip()
            assert live.patches()[-1]["new"].startswith("199 ")
            assert len(live.patches()) == 200
            assert session.connection_count == 2
            stuck.socket.transport.resume_reading()
            await until(lambda: stuck.patches() and stuck.patches()[-1]["new"].startswith("199 "))
            # What was on its way when it stopped, and the rest as one.
            assert len(stuck.patches()) < 100
            await stuck.roundtrip()


async def test_a_client_that_asks_and_does_not_read_is_let_go_and_a_second_one_stays_live() -> None:
    async with running({"/a": big}, outbox_max_bytes=1 << 20) as server:
        token = await server.token("/a")
        async with (
            server.client("/a", token) as stuck,
            server.client("/a", token) as live,
        ):
            await stuck.pull()
            await live.pull()
            (session,) = server.context("/a").sessions
            await session.with_locked_document(
                lambda document: setattr(document.roots[0], "text", "x" * 500_000)
            )
            stuck.socket.transport.pause_reading()
            for number in range(100):
                if session.connection_count == 1:
                    break
                try:
                    async with asyncio.timeout(5):
                        await stuck.send_frames(encode(Kind.PULL_DOC_REQ, "{}", msgid=f"{number}"))
                except (ConnectionError, TimeoutError):
                    break
                await live.roundtrip()
            await until(lambda: session.connection_count == 1)
            await live.roundtrip()
            stuck.socket.transport.resume_reading()
            await stuck.socket.wait_closed()
            assert stuck.socket.close_code == 1013
