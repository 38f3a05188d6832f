"""HTTP, over real sockets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from bokeh.application import Application
from bokeh.application.handlers import DirectoryHandler, FunctionHandler
from bokeh.document import Document
from bokeh.models.widgets import Div
from jinja2 import Template

from hyperfocal.contexts import ApplicationContext
from hyperfocal.telemetry import BuildFailed, ConnectionRefused
from hyperfocal.testing import page_token
from tests.support.applications import application, tiny
from tests.support.serving import running


async def test_a_page_carries_a_token_and_scripts_that_load() -> None:
    async with running({"/tiny": application(tiny)}) as server:
        page = await server.page("/tiny")
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert page_token(page.text)
        scripts = re.findall(r'<script[^>]* src="([^"]+)"', page.text)
        assert any("bokeh.min.js?v=" in script for script in scripts)
        for script in scripts:
            answer = await server.page(urljoin("/tiny", script))
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


async def test_static_files_are_revalidated_by_etag() -> None:
    async with running({"/tiny": application(tiny)}) as server:
        first = await server.page("/static/js/bokeh.min.js")
        assert first.headers["cache-control"] == "no-cache"
        again = await server.page(
            "/static/js/bokeh.min.js", headers={"If-None-Match": first.headers["etag"]}
        )
        assert again.status_code == 304
        for nowhere in ("/static/../server.py", "/static/nope.js", "/static/extensions/none/x.js"):
            assert (await server.page(nowhere)).status_code == 404


async def test_several_applications_have_an_index() -> None:
    def documented(doc: Document) -> None:
        """A title <b>

        And what it does.
        """

    async with running({"/a": documented, "/b": tiny}) as server:
        page = await server.page("/")
        assert "A title &lt;b&gt;" in page.text
        assert "And what it does." in page.text
        assert re.findall(r'class="app" href="([^"]+)"', page.text) == ["./a", "./b"]


async def test_a_single_application_is_where_the_start_page_leads() -> None:
    async with running({"/only": tiny}) as server:
        page = await server.page("/?x=1")
        assert page.status_code == 302
        assert page.headers["location"] == "./only?x=1"


async def test_an_application_can_be_the_start_page() -> None:
    async with running(tiny) as server:
        assert page_token((await server.page("/")).text)
        async with server.client("/") as client:
            assert (await client.pull())["roots"]


async def test_everything_moves_under_a_prefix() -> None:
    async with running({"/a": tiny, "/b": tiny}, prefix="apps/inner/") as server:
        assert server.base.endswith("/apps/inner")
        page = await server.page("/a")
        assert 'src="./static/js/bokeh.min.js' in page.text
        assert 'href="./b"' in (await server.page("/")).text
        assert 'href="/apps/inner/b"' in (await server.page("")).text
        assert (await server.page("/health")).status_code == 200
        async with server.client("/a") as client:
            assert (await client.pull())["roots"]
        outside = server.base.removesuffix("/apps/inner")
        assert (await server.http.get(outside + "/a")).status_code == 404


async def test_a_slash_too_much_is_forgiven_and_nothing_is_said_to_be_nothing() -> None:
    async with running({"/a": tiny, "/b": tiny}) as server:
        moved = await server.page("/a/?q=2")
        assert (moved.status_code, moved.headers["location"]) == (307, "../a?q=2")
        missing = await server.page("/<script>alert(1)</script>")
        assert missing.status_code == 404
        assert "nothing here" in missing.text
        assert "<script>alert" not in missing.text


async def test_a_head_request_makes_no_session() -> None:
    async with running({"/a": tiny}) as server:
        answer = await server.http.head(server.base + "/a")
        assert (answer.status_code, answer.text) == (200, "")
        assert server.context("/a").sessions == []


async def test_an_application_that_fails_shows_a_page_that_says_so() -> None:
    def broken(doc: Document) -> None:
        raise LookupError("the secret is 42 <b>")

    async with running({"/a": broken}) as server:
        page = await server.page("/a")
        assert page.status_code == 500
        assert "could not be started" in page.text
        assert "42" not in page.text
        assert len(server.events.of(BuildFailed)) == 1
        script = await server.page("/a/autoload.js?bokeh-autoload-element=e1")
        assert "could not be started" in script.text
        assert "42" not in script.text
    async with running({"/a": broken}, dev=True) as server:
        page = await server.page("/a")
        assert "LookupError: the secret is 42 &lt;b&gt;" in page.text
        assert "Traceback" in page.text


async def test_a_template_that_raises_shows_the_same_page() -> None:
    def broken(doc: Document) -> None:
        doc.template = Template("{{ nothing.of.that }}")

    async with running({"/a": broken}) as server:
        page = await server.page("/a")
        assert page.status_code == 500
        assert "could not be started" in page.text
        (failed,) = server.events.of(BuildFailed)
        assert "UndefinedError" in str(failed.error)


async def test_a_failure_that_passes_is_gone_at_the_next_request() -> None:
    failing = [True]

    def moody(doc: Document) -> None:
        if failing[0]:
            raise RuntimeError("not today")
        doc.add_root(Div(text="fine"))

    async with running({"/a": moody}, session_ids="unsigned") as server:
        url = "/a?bokeh-session-id=same"
        assert (await server.page(url)).status_code == 500
        failing[0] = False
        assert (await server.page(url)).status_code == 200


async def test_the_request_reaches_the_session_without_what_is_the_servers() -> None:
    async with running({"/a": tiny}) as server:
        await server.page(
            "/a?n=1&n=2&empty=&bokeh-session-id=chosen&u=%C3%A9",
            headers={"Cookie": "one=1; two=2", "X-Mine": "yes"},
        )
        (session,) = server.context("/a").sessions
        assert session.id == "chosen"
        request = session.context.request
        assert request.arguments == {
            "n": [b"1", b"2"], "empty": [b""], "u": "é".encode(),
        } | {"u": ["é".encode()]}  # fmt: skip
        assert request.cookies == {"one": "1", "two": "2"}
        assert request.headers["x-mine"] == "yes"
        assert request.headers["Cookie"] == "one=1; two=2"
        assert (request.method, request.path) == ("GET", "/a")
        assert session.context.token_payload["arguments"] == request.arguments


async def test_process_request_reaches_the_session_and_what_fits_no_token_is_left_out() -> None:
    class Asked(FunctionHandler):
        def process_request(self, request: Any) -> dict[str, Any]:
            return {"lang": request.headers["Accept-Language"], "bytes": b"\xff", "bad": object()}

    async with running({"/a": Application(Asked(tiny))}) as server:
        await server.page("/a", headers={"Accept-Language": "de"})
        payload = server.context("/a").sessions[0].context.token_payload
        assert payload["lang"] == "de"
        assert payload["bytes"] == b"\xff"
        assert "bad" not in payload


async def test_what_the_browser_sent_cannot_be_read_from_the_page() -> None:
    """Regression: today's servers put cookies and headers into the token, in base64."""
    import base64
    import zlib

    async with running({"/a": tiny}) as server:
        page = await server.page("/a", headers={"Cookie": "s=hush-hush", "X-Key": "hush-hush"})
        assert "hush-hush" not in page.text
        token = page_token(page.text).split(".")[0]
        payload = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        assert b"hush-hush" not in payload
        for part in re.findall(rb'"([\w-]{8,})"', payload):
            raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
            assert b"hush-hush" not in raw
            with pytest.raises(zlib.error):
                zlib.decompress(raw)


async def test_autoload_js_serves_pages_of_other_origins() -> None:
    async with running({"/a": tiny}) as server:
        url = "/a/autoload.js?bokeh-autoload-element=e1&bokeh-app-path=/a&bokeh-absolute-url="
        script = await server.page(
            f"{url}{server.base}/a", headers={"Origin": "https://blog.example"}
        )
        assert script.headers["content-type"].startswith("application/javascript")
        assert script.headers["access-control-allow-origin"] == "https://blog.example"
        # The token in it is the visitor's: only pages that may connect get it with cookies.
        assert "access-control-allow-credentials" not in script.headers
        assert f"{server.base}/static/js/bokeh.min.js" in script.text
        assert page_token(script.text)
        bare = await server.page("/a/autoload.js?bokeh-autoload-element=e1&resources=none")
        assert "bokeh.min.js" not in bare.text
        asked = await server.http.options(
            server.base + "/a/autoload.js",
            headers={"Origin": "https://x", "Access-Control-Request-Headers": "bokeh-session-id"},
        )
        assert asked.headers["access-control-allow-headers"] == "bokeh-session-id"
        for bad in (
            "",
            "?bokeh-autoload-element=a'</script>",
            "?bokeh-autoload-element=e&bokeh-absolute-url=javascript:alert(1)",
            "?bokeh-autoload-element=e&bokeh-absolute-url=http://[",
            "?bokeh-autoload-element=e&bokeh-absolute-url=http://a]b",
            "?bokeh-autoload-element=e&bokeh-absolute-url=http://%E2%84%80/",
            "?bokeh-autoload-element=e&bokeh-app-path=app",
        ):
            assert (await server.page(f"/a/autoload.js{bad}")).status_code == 400
        said = quote('/a"+alert(1)+"')
        for name, where in (("app-path", ""), ("absolute-url", "http://host")):
            url = f"/a/autoload.js?bokeh-autoload-element=e&bokeh-{name}={where}{said}"
            script = await server.page(url)
            assert script.status_code == 200
            assert f'"{where}/a%22+alert(1)+%22"' in script.text


async def test_pages_that_may_connect_may_load_the_autoload_script_with_cookies() -> None:
    async with running({"/a": tiny}, websocket_origins=("blog.example",)) as server:
        url = "/a/autoload.js?bokeh-autoload-element=e1"
        for origin, given in (("https://blog.example", "true"), ("https://evil.example", None)):
            script = await server.page(url, headers={"Origin": origin})
            assert script.headers["access-control-allow-origin"] == origin
            assert script.headers.get("access-control-allow-credentials") == given


async def test_metadata_and_health() -> None:
    app = Application(FunctionHandler(tiny), metadata={"hi": "there"})
    async with running({"/a": app}) as server:
        assert (await server.page("/a/metadata")).json() == {"url": "/a", "data": {"hi": "there"}}
        async with server.client("/a"):
            health = (await server.page("/health")).json()
        assert health["status"] == "ok"
        assert (health["applications"], health["sessions"], health["connections"]) == (1, 1, 1)
        assert health["events"]["SessionCreated"] == 1
        icon = await server.page("/favicon.ico")
        assert icon.headers["content-type"] == "image/svg+xml"


def directory(folder: Path) -> Application:
    (folder / "static").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "main.py").write_text(
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        "curdoc().add_root(Div(text='x', name='d'))\n"
        "curdoc().template_variables['word'] = 'given'\n"
    )
    (folder / "templates" / "index.html").write_text(
        "{% extends base %}{% block contents %}"
        "<h1>{{ word }}</h1>{{ embed(roots.d) }}{% endblock %}"
    )
    (folder / "static" / "own.css").write_text("body {}")
    return Application(DirectoryHandler(filename=str(folder)))


@pytest.mark.parametrize("url", ["/app", "/"])
async def test_a_directory_application_has_its_template_and_its_static_files(
    tmp_path: Path, url: str
) -> None:
    async with running({url: directory(tmp_path / "app")}) as server:
        page = await server.page(url)
        assert "<h1>given</h1>" in page.text
        base = url.rstrip("/")
        css = await server.page(f"{base}/static/own.css")
        assert (css.status_code, css.text) == (200, "body {}")
        assert (await server.page(f"{base}/static/../main.py")).status_code == 404
        assert (await server.page("/static/js/bokeh.min.js")).status_code == 200


async def test_a_directory_application_has_its_theme_and_its_request_hook(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    directory(folder)
    (folder / "theme.yaml").write_text("attrs:\n  Plot:\n    outline_line_width: 7\n")
    (folder / "app_hooks.py").write_text(
        "def process_request(request):\n    return {'path': request.path}\n"
    )
    (folder / "main.py").write_text(
        "from bokeh.io import curdoc\nfrom bokeh.plotting import figure\n"
        "curdoc().add_root(figure(name='d'))\n"
    )
    app = Application(DirectoryHandler(filename=str(folder)))
    async with running({"/app": app}) as server, server.client("/app") as client:
        doc = await client.pull()
        assert doc["roots"][0]["attributes"]["outline_line_width"] == 7
        (session,) = server.context("/app").sessions
        assert session.context.token_payload["path"] == "/app"


async def test_extension_assets_are_found_where_pages_ask_for_them(tmp_path: Path) -> None:
    from bokeh.embed import bundle

    (tmp_path / "thing.js").write_text("// thing")
    bundle.extension_dirs["thing"] = tmp_path
    try:
        async with running({"/a": tiny}) as server:
            asset = await server.page("/static/extensions/thing/thing.js?v=1")
            assert (asset.status_code, asset.text) == (200, "// thing")
            assert (await server.page("/static/extensions/thing/no.js")).status_code == 404
    finally:
        del bundle.extension_dirs["thing"]


async def test_a_session_id_that_is_not_taken_is_refused_with_the_reason() -> None:
    async with running({"/a": tiny}, session_ids="signed") as server:
        page = await server.page("/a?bokeh-session-id=mine")
        assert page.status_code == 403
        assert "signature" in page.text
        assert server.context("/a").sessions == []
        (refused,) = server.events.of(ConnectionRefused)
        assert "signature" in refused.reason
    async with running({"/a": tiny}, session_ids="external-signed") as server:
        assert (await server.page("/a")).status_code == 403


async def test_auto_takes_chosen_ids_only_from_direct_requests_of_this_machine() -> None:
    async with running({"/a": tiny}) as server:
        assert (await server.page("/a?bokeh-session-id=mine")).status_code == 200
        proxied = await server.page(
            "/a?bokeh-session-id=other", headers={"X-Forwarded-For": "10.0.0.1"}
        )
        assert proxied.status_code == 403
        shared = server.context("/a").sessions[0].id
        assert shared == "mine"
    async with running({"/a": tiny}, secret_key=b"configured") as server:
        assert (await server.page("/a?bokeh-session-id=mine")).status_code == 403


async def test_an_id_that_bokeh_signed_with_our_secret_is_taken() -> None:
    from bokeh.util.token import generate_session_id

    session_id = generate_session_id(b"configured", signed=True)
    async with running(
        {"/a": tiny}, secret_key=b"configured", session_ids="external-signed"
    ) as server:
        page = await server.page("/a", headers={"Bokeh-Session-Id": session_id})
        assert page.status_code == 200
        assert server.context("/a").sessions[0].id == session_id


def test_a_path_that_is_no_url_path_is_refused() -> None:
    from hyperfocal import asgi_app
    from hyperfocal.errors import UsageError

    for bad in ("a", "/a/", ""):
        with pytest.raises(UsageError, match="URL path"):
            asgi_app({bad: tiny})
    with pytest.raises(UsageError, match="not an application"):
        asgi_app({"/a": 3})


async def test_a_mistake_of_the_server_is_answered_with_a_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: it was the bare text "Internal Server Error"."""

    def broken(self: Any) -> list[Any]:
        raise RuntimeError("on purpose")

    async with running({"/a": tiny}) as server:
        monkeypatch.setattr(ApplicationContext, "sessions", property(broken))
        answer = await server.page("/health")
        monkeypatch.undo()
        assert answer.status_code == 500
        assert "<h1>Something went wrong</h1>" in answer.text
        assert "on purpose" not in answer.text
