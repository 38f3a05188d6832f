"""Options that mean the same on both command lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.conformance.conftest import Servers
from tests.conformance.peers import APPS, Peer, Visitor, models, visitor

pytestmark = pytest.mark.conformance

#: Nothing but expressions, which Tornado and Jinja2 write alike.
TEMPLATE = "<p>{{ prefix }} {{ items[0] }}</p>"
COOKIES = {"Cookie": "flavour=oat; size=3"}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("index") / "start.html"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture
def excluding(kind: str, servers: Servers, template: Path) -> Peer:
    """A server behind a proxy that keeps something from its only application."""
    return servers(
        kind, APPS / "visitor", "--use-xheaders", "--ico-path", "none", "--disable-index-redirect",
        "--index", str(template), "--exclude-cookies", "size", "--exclude-headers", "X-Secret",
        "X-Other", prefix="/pre",
    )  # fmt: skip


@pytest.fixture
def including(kind: str, servers: Servers) -> Peer:
    """A server that tells its applications little."""
    kind = "hyperfocal/auto" if kind == "hyperfocal" else kind  # the native one cannot compress
    return servers(
        kind, APPS / "visitor", APPS / "plain.py", "--include-headers", "X-Flavour", "Cookie",
        "--include-cookies", "flavour", "--disable-index", "--websocket-compression-level", "6",
    )  # fmt: skip


async def visit(server: Peer, **headers: str) -> Visitor:
    token = server.token("/visitor", headers={**COOKIES, **headers})
    async with server.join("/visitor", token) as client:
        named = models(await client.pull())
    return visitor(named["about"]["attributes"]["text"])


async def test_what_a_proxy_says_of_the_visitor(excluding: Peer, including: Peer) -> None:
    says = {"X-Forwarded-For": "192.0.2.1, 203.0.113.7", "X-Forwarded-Proto": "https"}
    about = await visit(excluding, **says)
    assert (about.address, about.protocol) == ("203.0.113.7", "https")
    about = await visit(excluding, **says, **{"X-Real-Ip": "203.0.113.8", "X-Scheme": "http"})
    assert (about.address, about.protocol) == ("203.0.113.8", "http")
    about = await visit(including, **says)  # which is not told to believe it
    assert (about.address, about.protocol) == ("127.0.0.1", "http")


async def test_what_is_excluded_is_not_seen(excluding: Peer) -> None:
    about = await visit(excluding, **{"X-Secret": "s", "X-Other": "o", "X-Flavour": "f"})
    assert about.cookies == {"flavour": "oat"}
    assert about.headers["Cookie"] == "flavour=oat"
    assert about.headers["X-Flavour"] == "f"
    assert not {"X-Secret", "X-Other"} & set(about.headers)


async def test_what_is_not_included_is_not_seen(including: Peer) -> None:
    about = await visit(including, **{"X-Secret": "s", "X-Flavour": "f"})
    assert about.cookies == {"flavour": "oat"}
    assert set(about.headers) == {"X-Flavour", "Cookie"}
    if including.kind == "hyperfocal":  # in Bokeh's header all cookies are left
        assert about.headers["Cookie"] == "flavour=oat"


def test_an_index_of_ones_own_also_for_a_single_application(excluding: Peer) -> None:
    page = excluding.get("/")
    assert (page.status_code, page.text.strip()) == (200, "<p>/pre /visitor</p>")


def test_no_icon_and_no_index(excluding: Peer, including: Peer) -> None:
    assert excluding.get("/favicon.ico").status_code == 404
    assert including.get("/").status_code == 404
    assert including.get("/plain").status_code == 200


def test_websockets_are_compressed_where_that_is_asked_for(
    excluding: Peer, including: Peer
) -> None:
    for server, expected in ((excluding, False), (including, True)):
        token = server.token("/visitor")
        with connect(
            f"{server.ws}/visitor/ws", subprotocols=[Subprotocol("bokeh"), Subprotocol(token)]
        ) as socket:
            assert '"ACK"' in str(socket.recv())
            assert socket.response is not None
            offered = socket.response.headers.get("Sec-WebSocket-Extensions", "")
            assert ("permessage-deflate" in offered) is expected
