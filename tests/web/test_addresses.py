"""URLs that hold wherever a proxy or a host puts the server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.auth import relative_url
from hyperfocal.web.addresses import autoload_root, relative_root
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
    assert autoload_root("/root/", "/app", shown=shown, absolute=absolute) == expected
