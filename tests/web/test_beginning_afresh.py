"""A page that comes back and finds another session than it had is told so; others are not."""

from __future__ import annotations

from typing import Any

import pytest

from hyperfocal.pages import AFRESH_MESSAGE, AFRESH_TEXT
from hyperfocal.telemetry import BegunAfresh
from hyperfocal.testing import WireClient
from tests.support.applications import tiny
from tests.support.serving import Running, running

pytestmark = pytest.mark.usefixtures("either_transport")

#: What BokehJS 3.9 says after it was connected again and has pulled the document.
COMES_BACK = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "client_reconnected", "values": {"type": "map"}},
}
#: What it says of itself, as an example of what views say as they are shown.
SHOWN = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}},
}


async def come_back(server: Running, token: str) -> list[Any]:
    """Connect, pull, and say so; gives what the server says to that."""
    async with server.client("/a", token=token) as client:
        return await say_so(client)


async def say_so(client: WireClient) -> list[Any]:
    await client.pull()
    before = len(client.messages)
    await client.patch(COMES_BACK)
    return [message.content.get("events") for message in client.messages[before:-1]]


NOTICE = [[{"kind": "MessageSent", "msg_type": AFRESH_MESSAGE, "msg_data": AFRESH_TEXT}]]


async def test_one_whose_session_is_gone_is_told_and_only_once() -> None:
    async with running({"/a": tiny}) as server:
        token, other = await server.token("/a"), await server.token("/a")
        for carried in (token, other):
            async with server.client("/a", token=carried) as client:
                await client.pull()
        context = server.context("/a")
        for session in context.sessions:
            await context.discard(session, "in this test")
        assert await come_back(server, token) == NOTICE
        assert await come_back(server, token) == []
        assert len(server.events.of(BegunAfresh)) == 1


async def test_one_whose_views_have_much_to_say_before_is_told() -> None:
    async with running({"/a": tiny}) as server:
        token = await server.token("/a")
        await server.context("/a").discard(server.context("/a").sessions[0], "in this test")
        async with server.client("/a", token=token) as client:
            await client.pull()
            for _ in range(100):
                await client.patch(SHOWN)
            assert await say_so(client) == NOTICE


async def test_one_that_finds_its_session_is_not_told() -> None:
    async with running({"/a": tiny}) as server:
        token = await server.token("/a")
        async with server.client("/a", token=token) as client:
            await client.pull()
        assert await come_back(server, token) == []


async def test_every_tab_of_a_session_that_is_gone_is_told() -> None:
    """Also the one that comes when another one has made the session anew already."""
    async with running({"/a": tiny}) as server:
        query = {"bokeh-session-id": "shared"}
        tokens = [await server.token("/a", params=query) for _ in range(2)]
        for token in tokens:
            async with server.client("/a", token=token) as client:
                await client.pull()
        context = server.context("/a")
        (session,) = context.sessions
        await context.discard(session, "in this test")
        for token in tokens:
            assert await come_back(server, token) == NOTICE


async def test_pages_have_the_script_that_shows_it() -> None:
    async with running({"/a": tiny}) as server:
        page = (await server.page("/a")).text
        assert page.count(f'doc.on_message("{AFRESH_MESSAGE}"') == 1
        script = (await server.page("/a/autoload.js?bokeh-autoload-element=e")).text
        assert script.count(f'doc.on_message("{AFRESH_MESSAGE}"') == 1
