"""What a browser or an embedding page gets by HTTP."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urljoin

import pytest
from bokeh.embed import server_document, server_session
from bokeh.util.token import generate_session_id, get_session_id

from hyperfocal.testing import page_token
from tests.conformance.peers import Peer, Visitor, models, new_token, only_hyperfocal, visitor

pytestmark = pytest.mark.conformance

ORIGIN = {"Origin": "https://embedding.example"}


async def visit(server: Peer, token: str, path: str = "/visitor", **options: Any) -> Visitor:
    """What the application knows of the visitor who brings this token."""
    async with server.join(path, token, **options) as client:
        named = models(await client.pull())
    return visitor(named["about"]["attributes"]["text"])


def scripts(server: Peer, path: str, html: str) -> list[str]:
    """The URLs of a page's scripts."""
    found = re.findall(r'<script[^>]+src="([^"]+)"', html)
    return [urljoin(server.base + path, url) for url in found]


# --- pages --------------------------------------------------------------------------------------


def test_a_page_is_html_with_a_token_and_a_place_for_each_root(server: Peer) -> None:
    response = server.get("/board")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "<title>Board</title>" in " ".join(response.text.split()).replace("> ", ">").replace(
        " <", "<"
    )
    assert get_session_id(page_token(response.text))
    assert len(set(re.findall(r'data-root-id="([^"]+)"', response.text))) == 9


def test_each_page_has_a_session_of_its_own(server: Peer) -> None:
    ids = {get_session_id(server.token("/plain")) for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("path", ["/board", "/visitor"])
def test_the_scripts_of_a_page_load(server: Peer, path: str) -> None:
    urls = scripts(server, path, server.get(path).text)
    assert any("bokeh.min.js" in url for url in urls)
    for url in urls:
        response = server.http.get(url)
        assert response.status_code == 200, url
        assert "javascript" in response.headers["content-type"]
        assert len(response.content) > 1000


def test_a_page_below_a_prefix_loads_its_scripts(lonely: Peer) -> None:
    urls = scripts(lonely, "/visitor", lonely.get("/visitor").text)
    assert urls
    assert all(lonely.http.get(url).status_code == 200 for url in urls)


async def test_a_page_below_a_prefix_connects_there(lonely: Peer) -> None:
    about = await visit(lonely, lonely.token("/visitor"))
    assert about.argv == []


def test_a_slash_at_the_end_leads_to_the_application_too(server: Peer) -> None:
    response = server.get("/plain/", follow_redirects=True)
    assert response.status_code == 200
    assert page_token(response.text)


@only_hyperfocal
def test_head_of_a_page_answers_as_get_does_without_a_body(server: Peer) -> None:
    """Bokeh answers 405."""
    response = server.http.head(f"{server.base}/board")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert response.content == b""


def test_an_unknown_path_is_not_found(server: Peer) -> None:
    for path in ("/nothing", "/board/nothing", "/nothing/autoload.js", "/static/js/nothing.js"):
        assert server.get(path).status_code == 404, path


def test_nothing_is_served_outside_of_the_prefix(lonely: Peer) -> None:
    origin = lonely.base.removesuffix("/deep/down")
    for path in ("/visitor", "/", "/static/js/bokeh.min.js", "/deep/visitor"):
        assert lonely.http.get(origin + path).status_code == 404, path


# --- the index ----------------------------------------------------------------------------------


def test_the_index_lists_several_applications(server: Peer) -> None:
    response = server.get("/")
    assert response.status_code == 200
    links = [
        urljoin(f"{server.base}/", link) for link in re.findall(r'href="([^"]+)"', response.text)
    ]
    for name in ("board", "plain", "visitor"):
        assert f"{server.base}/{name}" in links


def test_the_index_leads_to_the_only_application(lonely: Peer) -> None:
    response = lonely.get("/")
    assert response.status_code == 302
    assert urljoin(f"{lonely.base}/", response.headers["location"]) == f"{lonely.base}/visitor"


def test_the_prefix_alone_leads_to_the_only_application(lonely: Peer) -> None:
    response = lonely.get("", follow_redirects=True)
    assert response.status_code == 200
    assert str(response.url) == f"{lonely.base}/visitor"


# --- static files -------------------------------------------------------------------------------


def test_bokehjs_is_served(server: Peer) -> None:
    for name in ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js"):
        response = server.get(f"/static/js/{name}")
        assert response.status_code == 200, name
        assert "javascript" in response.headers["content-type"]


def test_head_of_a_static_file_has_its_length_and_no_body(server: Peer) -> None:
    response = server.http.head(f"{server.base}/static/js/bokeh.min.js")
    assert response.status_code == 200
    assert int(response.headers["content-length"]) > 100_000
    assert response.content == b""


def test_a_static_file_is_not_sent_again_when_it_has_not_changed(server: Peer) -> None:
    first = server.get("/static/js/bokeh.min.js")
    etag = first.headers["etag"]
    again = server.get("/static/js/bokeh.min.js", headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""


def test_an_applications_own_static_folder_is_served(server: Peer) -> None:
    response = server.get("/visitor/static/own.txt")
    assert response.status_code == 200
    assert response.text == "a file of the application's own\n"
    assert response.headers["content-type"].startswith("text/plain")


def test_an_applications_own_static_folder_takes_the_place_of_bokehjs(server: Peer) -> None:
    assert server.get("/visitor/static/js/bokeh.min.js").status_code == 404


def test_static_folders_are_not_left(server: Peer) -> None:
    for path in (
        "/visitor/static/../main.py",
        "/visitor/static/%2e%2e/main.py",
        "/visitor/static/..%2fmain.py",
        "/static/%2e%2e/%2e%2e/__init__.py",
    ):
        assert server.get(path).status_code in (400, 403, 404), path


def test_an_application_without_a_static_folder_serves_bokehjs_below_it(server: Peer) -> None:
    assert server.get("/plain/static/js/bokeh.min.js").status_code == 200


def test_there_is_an_icon(server: Peer) -> None:
    response = server.get("/favicon.ico")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("image/")


# --- metadata -----------------------------------------------------------------------------------


def test_metadata_names_the_application(server: Peer) -> None:
    response = server.get("/plain/metadata")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    assert response.json() == {"url": "/plain", "data": {}}


def test_metadata_does_not_depend_on_the_prefix(lonely: Peer) -> None:
    assert lonely.get("/visitor/metadata").json() == {"url": "/visitor", "data": {}}


# --- embedding ----------------------------------------------------------------------------------


async def test_the_autoload_script_brings_a_token_and_bokehjs(server: Peer) -> None:
    element = {"bokeh-autoload-element": "here-1"}
    response = server.get("/visitor/autoload.js", params=element, headers=ORIGIN)
    assert response.status_code == 200
    assert "javascript" in response.headers["content-type"]
    assert "here-1" in response.text
    assert "bokeh.min.js" in response.text
    about = await visit(server, page_token(response.text))
    assert "bokeh-session-id" not in about.arguments


def test_the_autoload_script_takes_its_scripts_from_the_absolute_url(server: Peer) -> None:
    arguments = {
        "bokeh-autoload-element": "here-1",
        "bokeh-app-path": "/board",
        "bokeh-absolute-url": f"{server.base}/board",
    }
    text = server.get("/board/autoload.js", params=arguments, headers=ORIGIN).text
    urls = re.findall(r'"(http://[^"]+\.js[^"]*)"', text)
    assert urls
    for url in urls:
        assert url.startswith(f"{server.base}/static/")
        assert server.http.get(url).status_code == 200
    assert f"{server.base}/board" in text


def test_below_a_prefix_the_autoload_script_takes_its_scripts_from_there(lonely: Peer) -> None:
    arguments = {
        "bokeh-autoload-element": "here-1",
        "bokeh-app-path": "/deep/down/visitor",
        "bokeh-absolute-url": f"{lonely.base}/visitor",
    }
    text = lonely.get("/visitor/autoload.js", params=arguments, headers=ORIGIN).text
    urls = re.findall(r'"(http://[^"]+\.js[^"]*)"', text)
    assert urls
    assert all(lonely.http.get(url).status_code == 200 for url in urls)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, '"/"'),
        ({"bokeh-absolute-url": "http://host:1"}, '"/", "http://host:1"'),
        (
            {"bokeh-app-path": "/x/plain", "bokeh-absolute-url": "http://host/x/plain"},
            '"/x/plain", "http://host/x/plain"',
        ),
    ],
    ids=["neither", "at_the_root", "both"],
)
def test_the_autoload_script_says_where_the_websocket_is(
    server: Peer, arguments: dict[str, str], expected: str
) -> None:
    """An application at "/" has no path in the snippets of ``server_document``."""
    asked = {"bokeh-autoload-element": "here-1", **arguments}
    script = server.get("/plain/autoload.js", params=asked).text
    assert f"embed_items(docs_json, render_items, {expected})" in script


def test_the_autoload_script_can_come_without_bokehjs(server: Peer) -> None:
    arguments = {"bokeh-autoload-element": "here-1", "resources": "none"}
    text = server.get("/board/autoload.js", params=arguments).text
    assert "bokeh.min.js" not in text
    assert page_token(text)


def test_the_autoload_script_needs_an_element(server: Peer) -> None:
    assert server.get("/board/autoload.js").status_code == 400


@pytest.mark.parametrize("cookies", [{}, {"flavour": "oat"}], ids=["without", "with_cookies"])
def test_pages_of_other_origins_may_load_the_autoload_script(
    server: Peer, cookies: dict[str, str]
) -> None:
    arguments = {"bokeh-autoload-element": "here-1"}
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    response = server.get(
        "/board/autoload.js", params=arguments, headers={**ORIGIN, **(cookie if cookies else {})}
    )
    allowed = response.headers["access-control-allow-origin"]
    # With credentials a browser takes the origin itself only.
    assert allowed == ORIGIN["Origin"] if cookies else allowed in ("*", ORIGIN["Origin"])
    # Bokeh lets every page of the web load the script, and the token in it, with cookies;
    # Hyperfocal only pages that may connect (tests/web/test_pages.py).
    given = response.headers.get("access-control-allow-credentials")
    assert given == ("true" if server.kind == "bokeh" else None)


def test_browsers_may_ask_before_they_load_the_autoload_script(server: Peer) -> None:
    asked = {
        **ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "bokeh-session-id",
    }
    response = server.http.options(f"{server.base}/board/autoload.js", headers=asked)
    assert response.is_success
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "GET" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-headers"] in ("*", "bokeh-session-id")


async def test_the_script_of_server_document_points_to_a_script_that_answers(
    server: Peer,
) -> None:
    html = server_document(f"{server.base}/visitor", arguments={"colour": "red"})
    match = re.search(r"xhr\.open\('GET', \"([^\"]+)\"", html)
    assert match is not None, html
    response = server.http.get(match[1], headers=ORIGIN)
    assert response.status_code == 200
    about = await visit(server, page_token(response.text))
    assert about.arguments["colour"] == ["red"]


async def test_the_script_of_server_session_leads_to_that_session(server: Peer) -> None:
    session_id = generate_session_id()
    html = server_session(None, session_id=session_id, url=f"{server.base}/visitor")
    match = re.search(r"xhr\.open\('GET', \"([^\"]+)\"", html)
    assert match is not None, html
    assert "Bokeh-Session-Id" in html
    response = server.http.get(match[1], headers={**ORIGIN, "Bokeh-Session-Id": session_id})
    assert response.status_code == 200
    token = page_token(response.text)
    assert get_session_id(token) == session_id
    assert (await visit(server, token)).id == session_id


# --- what applications know of the request ------------------------------------------------------


async def test_the_applications_session_has_the_id_of_the_page(server: Peer) -> None:
    token = server.token("/visitor")
    about = await visit(server, token)
    assert about.id == get_session_id(token)


async def test_a_page_may_choose_its_session_by_argument(server: Peer) -> None:
    session_id = generate_session_id()
    token = server.token("/visitor", params={"bokeh-session-id": session_id, "x": "1"})
    about = await visit(server, token)
    assert about.id == session_id
    assert about.arguments == {"x": ["1"]}


async def test_a_page_may_choose_its_session_by_header(server: Peer) -> None:
    session_id = generate_session_id()
    token = server.token("/visitor", headers={"Bokeh-Session-Id": session_id})
    assert (await visit(server, token)).id == session_id


async def test_a_page_may_name_its_session_by_a_token(server: Peer) -> None:
    token = new_token()
    response = server.get("/visitor", params={"bokeh-token": token})
    assert response.status_code == 200
    assert get_session_id(page_token(response.text)) == get_session_id(token)


async def test_a_page_may_have_an_argument_named_resources(server: Peer) -> None:
    """That name means something to autoload.js only."""
    about = await visit(server, server.token("/visitor?resources=cpu"))
    assert about.arguments == {"resources": ["cpu"]}


async def test_two_pages_with_one_session_id_share_the_session(server: Peer) -> None:
    session_id = generate_session_id()
    first = server.token("/visitor", params={"bokeh-session-id": session_id, "n": "1"})
    second = server.token("/visitor", params={"bokeh-session-id": session_id, "n": "2"})
    assert (await visit(server, second)).arguments == {"n": ["1"]}
    assert (await visit(server, first)).arguments == {"n": ["1"]}


async def test_arguments_cookies_and_headers_of_a_page_reach_the_application(
    server: Peer,
) -> None:
    headers = {"X-Flavour": "plain", "Cookie": "flavour=oat; size=3"}
    query = "colour=red&colour=blue&empty=&word=caf%C3%A9&plus=a+b"
    token = server.token(f"/visitor?{query}", headers=headers)
    about = await visit(server, token)
    assert about.arguments == {
        "colour": ["red", "blue"],
        "empty": [""],
        "word": ["café"],
        "plus": ["a b"],
    }
    assert about.cookies == {"flavour": "oat", "size": "3"}
    assert about.headers["X-Flavour"] == "plain"
    assert about.headers["Cookie"] == "flavour=oat; size=3"


async def test_a_websocket_that_makes_the_session_brings_its_own_request(server: Peer) -> None:
    token = new_token()
    headers = {"X-Flavour": "plain", "Cookie": "flavour=oat; size=3"}
    about = await visit(server, token, query="?colour=red&colour=blue", headers=headers)
    assert about.arguments == {"colour": ["red", "blue"]}
    assert about.cookies == {"flavour": "oat", "size": "3"}
    assert about.headers["X-Flavour"] == "plain"
    assert about.headers["Cookie"] == "flavour=oat; size=3"


@pytest.mark.parametrize(
    ("query", "name"), [("?name=Ada", "Ada"), ("", "nobody")], ids=["named", "unnamed"]
)
async def test_what_process_request_gives_is_in_the_token_payload(
    server: Peer, query: str, name: str
) -> None:
    assert (await visit(server, server.token(f"/visitor{query}"))).visitor == name


async def test_arguments_behind_args_are_the_argv_of_a_directory_too(server: Peer) -> None:
    assert (await visit(server, server.token("/visitor"))).argv == ["first", "--second=2"]


def test_browsers_find_the_session_id_in_the_first_part_of_a_token(server: Peer) -> None:
    session_id = generate_session_id()
    part = server.token("/board", params={"bokeh-session-id": session_id}).split(".")[0]
    payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert payload["session_id"] == session_id


@only_hyperfocal
def test_cookies_and_headers_are_not_readable_in_the_token_of_a_page(server: Peer) -> None:
    """In Bokeh's tokens they are."""
    secret = "s3cr3t-of-a-visitor"
    headers = {"X-Flavour": secret, "Cookie": f"flavour={secret}"}
    token = server.token("/visitor", headers=headers)
    for part in token.split("."):
        assert secret.encode() not in base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
