"""URLs that hold wherever a proxy or a host puts the server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.auth import relative_url
from hyperfocal.web.addresses import Embedding, relative_root
from tests.support.applications import tiny
from tests.support.serving import running

paths = st.lists(st.sampled_from(["a", "b", "c:d", ""]), max_size=4).map(
    lambda p: "/" + "/".join(p)
)
plain = paths.filter(lambda path: "//" not in path)


@given(plain, plain, st.sampled_from(["", "/dash", "/x/y"]))
def test_a_relative_url_leads_there_wherever_both_are(path: str, target: str, where: str) -> None:
    found = relative_url(path, target)
    assert found.startswith(".")
    assert urljoin(f"http://host{where}{path}", found) == f"http://host{where}{target}"


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/app", "", "./"),
        ("/a/b", "", "../"),
        ("/", "", "./"),
        ("/dash", "/dash", "/dash/"),
        ("/dash/", "/dash", "./"),
        ("/dash/a/b", "/dash", "../"),
    ],
)
async def test_the_root_is_relative_to_the_page(path: str, root: str, expected: str) -> None:
    async with running(tiny, prefix=root) as server:
        request: Any = type("Request", (), {"scope": {"path": path}})
        assert relative_root(server.site, request) == expected


async def test_a_host_that_says_another_path_than_the_requests_is_believed() -> None:
    async with running(tiny) as server:
        scope = {"path": "/app", "root_path": "/api"}
        request: Any = type("Request", (), {"scope": scope})
        assert relative_root(server.site, request) == "/api/"


@pytest.mark.parametrize(
    ("shown", "absolute", "expected"),
    [
        (None, None, "/root/"),
        ("/dash/app", None, "/dash/"),
        ("/app", None, "/"),
        ("/another", None, "/root/"),
        ("//evil.example/app", None, "/evil.example/"),
        ("/dash/app", "https://host:8080/dash/app", "https://host:8080/dash/"),
        ("/app", "https://host/app", "https://host/"),
    ],
)
def test_embedding_pages_say_where_the_application_is(
    shown: str | None, absolute: str | None, expected: str
) -> None:
    assert Embedding(shown, absolute).root("/root/", "/app") == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("bokeh-app-path", "/dash/app", "/dash/app"),
        ("bokeh-app-path", "/caf\u00e9 one", "/caf%C3%A9%20one"),
        ("bokeh-app-path", "/caf%C3%A9", "/caf%C3%A9"),
        ("bokeh-app-path", """/a"+alert('1')+"</script>`${x}`""", "/a%22+alert(%271%27)+%22%3C/"),
        ("bokeh-app-path", "/a\r\n\u2028", "/a%0D%0A%E2%80%A8"),
        ("bokeh-absolute-url", "https://host:8080/dash/app", "https://host:8080/dash/app"),
        ("bokeh-absolute-url", "HTTP://[::1]:5006/app", "HTTP://[::1]:5006/app"),
        ("bokeh-absolute-url", "http://b\u00fccher.example/x", "http://xn--bcher-kva.example/x"),
        ("bokeh-absolute-url", "http://host", "http://host"),
        ("bokeh-absolute-url", """http://host/"+alert(1)+'""", "http://host/%22+alert(1)+%27"),
    ],
)
def test_what_an_embedding_page_says_may_stand_in_a_script(
    name: str, value: str, said: str
) -> None:
    found = Embedding.of({name: value})
    text = found.app_path if name == "bokeh-app-path" else found.absolute_url
    assert text is not None
    assert text.startswith(said)
    assert not set(text) & set("\"'<>`\\\r\n\u2028\u2029 ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("bokeh-app-path", value) for value in ("", "app", ".evil.example/", "/a?b", "/a#b")),
        ("bokeh-app-path", "/a\\b"),
        *(
            ("bokeh-absolute-url", value)
            for value in (
                *("", "host", "/app", "//host/app", "javascript:alert(1)", "ftp://host/app"),
                *("http://[", "http://a]b", "http://", "http:///app", "http://host:port/app"),
                *("http://user@host/", "http://host/?a=1", "http://host/#a", "http://host\\@evil/"),
                *('http://host"+alert(1)+"/', "http://ho'st/", "http://ho st/", "http://host\n/"),
                *(
                    "http://\u2100/",
                    "http://<b>/",
                    "http://host:80:81/",
                    "http://[::1",
                    "http://host\x00/",
                ),
            )
        ),
    ],
)
def test_what_is_no_path_or_url_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Embedding.of({name: value})
