"""What visitors see who are too many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bokeh.document import Document

from hyperfocal.telemetry import ConnectionRefused
from hyperfocal.testing import WireClient, page_token
from tests.support.applications import tiny
from tests.support.serving import running, until


async def test_too_many_sessions_get_a_page_that_asks_to_come_back() -> None:
    async with running(tiny, max_sessions=2) as server:
        tokens = [await server.token() for _ in range(2)]
        page = await server.page()
        assert page.status_code == 503
        assert page.headers["retry-after"] == "30"
        assert "2 sessions" in page.text
        assert "come back" in page.text
        script = await server.page("/autoload.js?bokeh-autoload-element=here")
        assert script.status_code == 503
        async with server.client(token=tokens[0]) as client:  # those who are there stay
            await client.pull()
        assert len(server.events.of(ConnectionRefused)) == 2
        (first, *_) = server.context().sessions
        await server.context().discard(first, "the test says so")
        assert (await server.page()).status_code == 200


async def test_sessions_that_are_being_built_count() -> None:
    async with running(tiny, max_sessions=3) as server:
        pages = await asyncio.gather(*(server.page() for _ in range(10)))
        assert sorted(page.status_code for page in pages) == [200] * 3 + [503] * 7
        assert server.site.admission.seats == 3


async def test_a_session_that_fails_takes_no_seat() -> None:
    def broken(doc: Document) -> None:
        raise LookupError

    async with running(broken, max_sessions=1) as server:
        for _ in range(3):
            assert (await server.page()).status_code == 500
        assert server.site.admission.seats == 0


async def test_a_websocket_that_would_make_one_too_many_is_refused_with_the_reason() -> None:
    async with running(tiny, max_sessions=1) as server:
        await server.token()
        token = server.site.visits.tokens.issue("another", {}, {})
        with pytest.raises(Exception, match="503"):
            async with WireClient.connect(f"{server.ws}/ws", token):
                """Not reached."""


async def test_an_address_that_opens_too_fast_is_slowed_down() -> None:
    async with running(tiny, max_new_sessions_per_minute=12) as server:
        statuses = [(await server.page()).status_code for _ in range(4)]
        assert statuses == [200, 200, 503, 503]
        assert 0 < int((await server.page()).headers["retry-after"]) <= 6


@pytest.mark.usefixtures("either_transport")
async def test_too_many_connections_of_one_session_are_closed_with_the_reason() -> None:
    async with running(tiny, max_connections_per_session=1) as server:
        token = await server.token()
        async with server.client(token=token) as first:
            await first.pull()
            with pytest.raises(ConnectionError, match="1008 'this session has as many"):
                async with server.client(token=token):
                    """Not reached."""
            await first.roundtrip()


async def test_when_memory_is_short_sessions_that_nobody_has_open_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hyperfocal.web.site._UNUSED_S", 0.0)
    async with running(tiny) as server:
        limits: Any = type(server.site.admission._limits)(memory_bytes=1)
        used, unused = await server.token(), await server.token()
        async with server.client(token=used) as client:
            await client.pull()
            server.site.admission._limits = limits
            assert (await server.page()).status_code == 503
            await until(lambda: len(server.context().sessions) == 1)
            await client.roundtrip()
            server.site.admission._limits = type(limits)()
            async with server.client(token=unused) as back:  # it comes back from its token
                await back.pull()
        assert page_token((await server.page()).text)
