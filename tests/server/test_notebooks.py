"""Where a notebook's browser finds a server, and what is asked of it. See tests/browser, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bokeh.io
import pytest
from bokeh.io.notebook import destroy_server, install_notebook_hook, load_notebook, show_doc
from bokeh.io.notebook import show_app as bokehs
from bokeh.io.state import curstate

import hyperfocal
from hyperfocal.errors import UsageError
from hyperfocal.pages import notebook_address, notebooks
from tests.support.applications import tiny
from tests.support.serving import until


def proxied(port: int | None) -> str:
    return "https://hub.example" if port is None else f"https://hub.example/proxy/{port}/"


@pytest.mark.parametrize(
    ("url", "origin", "elsewhere", "found"),
    [
        ("localhost:8888", "localhost:8888", False, "http://localhost:77/"),
        ("http://127.0.0.1:8889", "127.0.0.1:8889", False, "http://127.0.0.1:77/"),
        ("http://[::1]:8888/lab", "[::1]:8888", False, "http://[::1]:77/"),
        ("https://lab.example", "lab.example", True, "https://lab.example:77/"),
        ("lab.example:8888", "lab.example:8888", True, "http://lab.example:77/"),
        (proxied, "hub.example", False, "https://hub.example/proxy/77/"),
        (lambda port: f"h.example:{port}", "h.example:None", False, "h.example:77"),
    ],
)
def test_where_browsers_find_it(
    url: str | Callable[[int | None], str], origin: str, elsewhere: bool, found: str
) -> None:
    told = notebook_address(url)
    assert (told.origin, told.elsewhere, told.find(77)) == (origin, elsewhere, found)


def test_in_jupyterhub_its_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_BOKEH_EXTERNAL_URL", "https://hub.example:8000")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    told = notebook_address("https://localhost:8888")
    assert (told.origin, told.elsewhere, told.needs_tls) == ("hub.example:8000", False, False)
    assert told.find(77) == "https://hub.example:8000/user/ada/proxy/77"


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is shown in cells; Bokeh's own hook is there again afterwards."""
    shown: list[tuple[Any, Any]] = []
    monkeypatch.setattr(
        notebooks, "publish_display_data", lambda data, metadata: shown.append((data, metadata))
    )
    monkeypatch.setattr(curstate(), "_notebook_type", "jupyter", raising=False)
    yield shown
    install_notebook_hook("jupyter", load_notebook, show_doc, bokehs, overwrite=True)


async def test_show_serves_on_the_loop_and_ends_with_the_output(published: Any) -> None:
    hyperfocal.use_in_notebooks(keep_alive_milliseconds=5000)
    bokeh.io.show(tiny, notebook_url="http://localhost:8888", unused_session_lifetime=7)
    ((data, metadata),) = published
    assert "/autoload.js?bokeh-autoload-element=" in data["text/html"]
    (server_id,) = [one["server_id"] for one in metadata.values()]
    known: Any = curstate().uuid_to_server
    server: hyperfocal.Server = known[server_id]._server
    assert server.settings.websocket_origins == ("localhost:8888",)
    assert server.settings.keep_alive_ms == 5000
    assert server.settings.unused_session_lifetime_ms == 7
    assert f"http://localhost:{server.port}/autoload.js" in data["text/html"]
    await until(lambda: server._http is not None and server._http.started)
    destroy_server(server_id)
    await server.stopped()


async def shown_with(**options: Any) -> hyperfocal.Server:
    """Show an application; gives its server, which has ended again."""
    bokeh.io.show(tiny, **options)
    known: Any = curstate().uuid_to_server
    server_id = list(known)[-1]
    server: hyperfocal.Server = known[server_id]._server
    await until(lambda: server._http is not None and server._http.started)
    destroy_server(server_id)
    await server.stopped()
    return server


async def test_it_listens_where_browsers_come_from(published: Any) -> None:
    hyperfocal.use_in_notebooks()
    for url, address in (
        ("http://localhost:8888", None),
        (proxied, None),
        ("http://lab.example:8888", "0.0.0.0"),
    ):
        server = await shown_with(notebook_url=url)
        assert server.settings.address == address
    server = await shown_with(notebook_url="http://lab.example:8888", address="127.0.0.1")
    assert server.settings.address == "127.0.0.1"


async def test_a_page_over_tls_is_told_what_it_needs(published: Any) -> None:
    hyperfocal.use_in_notebooks()
    for url in ("https://lab.example/user/ada", "https://localhost:8888"):
        with pytest.raises(UsageError, match="give notebook_url a function"):
            bokeh.io.show(tiny, notebook_url=url)
    assert published == []


def test_what_it_does_not_take_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="io_loop"):
        hyperfocal.use_in_notebooks(io_loop=None)
