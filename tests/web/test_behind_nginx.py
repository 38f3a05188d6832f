"""Applications behind a real nginx, seen by a client that speaks frames."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from bokeh.document import Document
from bokeh.models.widgets import Div

from hyperfocal.telemetry import ConnectionClosed
from hyperfocal.testing import WireClient, page_token
from tests.support.applications import named, tiny
from tests.support.nginx import Proxied, behind_nginx
from tests.support.serving import until

over_each_transport = pytest.mark.usefixtures("either_transport")
both_ways = pytest.mark.parametrize("strips", [True, False], ids=["strips", "keeps"])


def visitor(doc: Document) -> None:
    """Tells what it knows of its visitor."""
    request = doc.session_context.request  # type: ignore[union-attr]
    about = {
        "address": request.remote_ip,
        "protocol": request.protocol,
        "cookies": dict(request.cookies),
        "arguments": {key: [one.decode() for one in v] for key, v in request.arguments.items()},
    }
    doc.add_root(Div(name="about", text=json.dumps(about)))


async def told(proxied: Proxied, token: str, **options: Any) -> Any:
    """What an application knows of the visitor with this token."""
    async with WireClient.connect(f"{proxied.ws}/a/ws", token, **options) as client:
        about = named(await client.pull(), "about")
    return json.loads(about["attributes"]["text"])


@both_ways
async def test_every_url_leads_somewhere(tmp_path: Path, strips: bool) -> None:
    two = {"/a": tiny, "/deep/b": tiny}
    async with behind_nginx(tmp_path, two, strips=strips) as proxied:
        index = await proxied.page("/")
        assert index.status_code == 200
        for path in ("/a", "/deep/b"):
            assert f'href=".{path}"' in index.text
            page = await proxied.page(path)
            sources = [part.split('"')[0] for part in page.text.split(' src="')[1:]]
            assert len(sources) >= 4
            for source in sources:
                script = await proxied.server.http.get(urljoin(proxied.base + path, source))
                assert script.status_code == 200, script.url
            async with WireClient.connect(f"{proxied.ws}{path}/ws", page_token(page.text)) as one:
                assert (await one.pull())["roots"]
            slash = await proxied.page(f"{path}/?q=1")
            moved = urljoin(f"{proxied.base}{path}/", slash.headers["location"])
            assert moved == f"{proxied.base}{path}?q=1"


@both_ways
async def test_the_start_page_leads_to_the_only_application(tmp_path: Path, strips: bool) -> None:
    async with behind_nginx(tmp_path, {"/a": tiny}, strips=strips) as proxied:
        answer = await proxied.page("/?q=1")
        assert answer.status_code == 302
        assert urljoin(f"{proxied.base}/", answer.headers["location"]) == f"{proxied.base}/a?q=1"


async def test_what_nginx_says_of_visitors_is_believed(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path, {"/a": visitor}, strips=True, use_xheaders=True) as proxied:
        # All of 127.0.0.0/8 is this machine: here is somebody from elsewhere.
        async with httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        ) as somebody:
            page = await somebody.get(f"{proxied.base}/a", params={"x": "1"})
        about = await told(proxied, page_token(page.text))
        assert about["address"] == "127.0.0.2"
        assert about["protocol"] == "http"
        assert about["arguments"] == {"x": ["1"]}


@pytest.mark.parametrize("size", [500, 3000, 7500])
async def test_many_cookies_do_not_make_a_handshake_too_large_for_nginx(
    tmp_path: Path, size: int
) -> None:
    """It refuses header lines of more than 8 KiB, and the token is in one."""
    values = [f"{number:x}" * 20 for number in range(0x1000, 0x1000 + size // 100)]
    cookies = {f"cookie-{number:02}": value for number, value in enumerate(values)}
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    async with behind_nginx(tmp_path, {"/a": visitor}, strips=True) as proxied:
        page = await proxied.page("/a?x=1", headers=headers)
        assert page.status_code == 200
        token = page_token(page.text)
        assert len(token) <= 4096
        about = await told(proxied, token, headers=headers)
        assert about["cookies"] == cookies
        # When the session has gone, the websocket makes another one.
        context = proxied.server.context("/a")
        for session in context.sessions:
            await context.discard(session, "in this test")
        again = await told(proxied, token, headers=headers)
        assert again["cookies"] == cookies
        assert again["arguments"] == {"x": ["1"]}


@over_each_transport
async def test_an_idle_websocket_lives_with_a_keep_alive_shorter_than_nginxs_patience(
    tmp_path: Path,
) -> None:
    async with (
        behind_nginx(
            tmp_path,
            {"/a": tiny},
            strips=True,
            more="proxy_read_timeout 2s; proxy_send_timeout 2s;",
            keep_alive_ms=500,
        ) as proxied,
        WireClient.connect(
            f"{proxied.ws}/a/ws", await proxied.server.token("/a"), ping_interval=None
        ) as client,
    ):
        await client.pull()
        await asyncio.sleep(3)  # the length of the silence is what is tested
        assert (await client.pull())["roots"]
        assert proxied.server.events.of(ConnectionClosed) == []


@over_each_transport
async def test_a_websocket_that_nginx_cut_comes_back_to_its_session(tmp_path: Path) -> None:
    async with behind_nginx(
        tmp_path, {"/a": tiny}, strips=False, more="proxy_read_timeout 1s;"
    ) as proxied:
        token = await proxied.server.token("/a")
        url = f"{proxied.ws}/a/ws"
        async with WireClient.connect(url, token, ping_interval=None) as client:
            slider = named(await client.pull(), "slider")
            await client.set(slider["id"], "value", 42)
            await client.socket.wait_closed()
        await until(lambda: proxied.server.events.of(ConnectionClosed))
        async with WireClient.connect(url, token) as client:
            assert named(await client.pull(), "slider")["attributes"]["value"] == 42
        assert len(proxied.server.context("/a").sessions) == 1


async def test_the_head_of_a_page_is_not_held_back(tmp_path: Path) -> None:
    leave = threading.Event()
    leave.set()

    def slow(doc: Document) -> None:
        assert leave.wait(20)
        doc.title = "Slow"
        doc.add_root(Div(text="here I am"))

    async with behind_nginx(tmp_path, {"/a": slow}, strips=True) as proxied:
        assert (await proxied.page("/a")).status_code == 200
        leave.clear()
        try:
            async with proxied.server.http.stream("GET", f"{proxied.base}/a") as response:
                pieces = response.aiter_text()
                text = ""
                while "</head>" not in text:
                    text += await anext(pieces)
                assert '"token"' not in text
                leave.set()
                async for piece in pieces:
                    text += piece
        finally:
            leave.set()
        assert page_token(text)
