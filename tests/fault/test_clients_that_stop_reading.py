"""A client whose socket is full."""

from __future__ import annotations

import asyncio

import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div

from tests.support.applications import named
from tests.support.serving import running, until

pytestmark = pytest.mark.usefixtures("either_transport")


async def test_a_client_that_stops_reading_is_let_go_and_a_second_one_stays_live() -> None:
    """Regression: today's server awaits a slow client's socket with the document locked."""

    def big(doc: Document) -> None:
        doc.add_root(Div(text="", name="div"))

    async with running({"/a": big}, outbox_max_bytes=1 << 20) as server:
        token = await server.token("/a")
        async with (
            server.client("/a", token) as stuck,
            server.client("/a", token) as live,
        ):
            await stuck.pull()
            doc = await live.pull()
            stuck.socket.transport.pause_reading()
            (session,) = server.context("/a").sessions
            for number in range(200):
                text = f"{number} " + "x" * 200_000
                async with asyncio.timeout(5):
                    await session.with_locked_document(
                        lambda document, text=text: setattr(document.roots[0], "text", text)
                    )
                await live.roundtrip()
            assert named(doc, "div")["id"]
            assert live.patches()[-1]["new"].startswith("199 ")
            await until(lambda: session.connection_count == 1)
            stuck.socket.transport.resume_reading()
            await stuck.socket.wait_closed()
            assert stuck.socket.close_code == 1013
