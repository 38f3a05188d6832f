"""Servers behind a proxy: whose word is taken for who the visitor is (``--use-xheaders``)."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.document import Document

from tests.support.raw import RawClient
from tests.support.serving import running

ADDRESS_AND_SCHEME: list[tuple[dict[str, str], str, str]] = [
    ({}, "127.0.0.1", "http"),
    ({"X-Real-Ip": "203.0.113.7", "X-Scheme": "https"}, "203.0.113.7", "https"),
    ({"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}, "203.0.113.7", "https"),
    # What the visitor has written there comes before what the proxy adds.
    ({"X-Forwarded-For": "192.0.2.1, 203.0.113.7"}, "203.0.113.7", "http"),
    ({"X-Forwarded-Proto": "https,http"}, "127.0.0.1", "http"),
    ({"X-Real-Ip": "203.0.113.7", "X-Forwarded-For": "192.0.2.1"}, "203.0.113.7", "http"),
    ({"X-Forwarded-For": "[2001:db8::1]:443"}, "2001:db8::1", "http"),
    ({"X-Forwarded-For": "203.0.113.7:4711"}, "203.0.113.7", "http"),
    ({"X-Real-Ip": "nonsense", "X-Scheme": "gopher"}, "127.0.0.1", "http"),
    ({"X-Forwarded-For": ""}, "127.0.0.1", "http"),
]


def asks(document: Document) -> None:
    context: Any = document.session_context
    request = context.request
    document.title = f"{request.remote_ip} {request.protocol}"


@pytest.mark.parametrize(("headers", "address", "scheme"), ADDRESS_AND_SCHEME)
async def test_what_a_proxy_says_is_believed_only_with_the_option(
    headers: dict[str, str], address: str, scheme: str
) -> None:
    for use, words in ((True, f"{address} {scheme}"), (False, "127.0.0.1 http")):
        async with running({"/a": asks}, use_xheaders=use) as server:
            page = await server.page("/a", headers=headers)
            assert f"<title>{words}</title>" in page.text


async def test_a_websocket_that_makes_its_session_is_told_the_same() -> None:
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    async with running({"/a": asks}, use_xheaders=True) as server:
        token = await server.token("/a", headers=headers)
        context = server.context("/a")
        await context.discard_unused(0, "a test")
        async with RawClient.connect(server, token, headers=headers) as client:
            await client.frames(3)
            (session,) = context.sessions
            assert session.document.title == "203.0.113.7 https"


@pytest.mark.parametrize("use", [True, False])
@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "127.0.0.1"}, {"X-Real-Ip": "::1"}, {"X-Scheme": "http"}],
    ids=repr,
)
async def test_nobody_is_of_this_machine_who_came_through_a_proxy(
    headers: dict[str, str], use: bool
) -> None:
    async with running({"/a": asks}, use_xheaders=use) as server:
        page = await server.page("/a?bokeh-session-id=mine", headers=headers)
        assert page.status_code == 403
