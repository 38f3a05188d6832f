"""Which headers and cookies of a request applications get to see, and tokens to remember."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.document import Document

from hyperfocal.auth import TokenAuthority
from hyperfocal.clock import SystemClock
from hyperfocal.config import Settings
from hyperfocal.contexts import SessionRequest
from hyperfocal.errors import ConfigError
from hyperfocal.web.disclosure import Disclosure
from tests.support.raw import RawClient
from tests.support.serving import running

HEADERS = {"Cookie": "yes=1; no=2", "X-A": "a", "X-B": "b"}

CASES: list[tuple[dict[str, Any], set[str], set[str], str | None]] = [
    ({}, {"Cookie", "X-A", "X-B"}, {"yes", "no"}, "yes=1; no=2"),
    ({"include_headers": ("x-a",)}, {"X-A"}, {"yes", "no"}, None),
    ({"exclude_headers": ("x-a", "COOKIE")}, {"X-B"}, {"yes", "no"}, None),
    ({"include_cookies": ("yes", "other")}, {"Cookie", "X-A", "X-B"}, {"yes"}, "yes=1"),
    ({"exclude_cookies": ("yes",)}, {"Cookie", "X-A", "X-B"}, {"no"}, "no=2"),
    ({"exclude_cookies": ("yes", "no")}, {"X-A", "X-B"}, set(), None),
    ({"include_cookies": ("YES",)}, {"X-A", "X-B"}, set(), None),
    ({"include_headers": ("Cookie",), "exclude_cookies": ("no",)}, {"Cookie"}, {"yes"}, "yes=1"),
]


@pytest.mark.parametrize(("rule", "headers", "cookies", "header"), CASES)
def test_a_rule_leaves_only_what_it_names(
    rule: dict[str, Any], headers: set[str], cookies: set[str], header: str | None
) -> None:
    request = SessionRequest(headers=HEADERS, cookies={"yes": "1", "no": "2"}, uri="/a?b")
    shown = Disclosure(Settings(**rule))(request)
    assert set(shown.headers) == headers
    assert set(shown.cookies) == cookies
    assert shown.headers.get("Cookie") == header
    assert shown.uri == "/a?b"


@pytest.mark.parametrize("what", ["headers", "cookies"])
def test_there_is_one_list_or_the_other(what: str) -> None:
    rule: dict[str, Any] = {f"include_{what}": ("a",), f"exclude_{what}": ("b",)}
    with pytest.raises(ConfigError, match=f"--include-{what}: .* no --exclude-{what} beside it"):
        Settings(**rule)


def asks(document: Document) -> None:
    context: Any = document.session_context
    names = sorted(set(context.request.headers) & {"Cookie", "X-A", "X-B"})
    document.title = f"{names} {sorted(context.request.cookies)} {sorted(context.token_payload)}"


RULE: dict[str, Any] = {"exclude_headers": ("x-a",), "exclude_cookies": ("no",)}
WORDS = "['Cookie', 'X-B'] ['yes'] ['arguments', 'cookies', 'headers']"


async def test_applications_and_tokens_know_only_what_is_shown() -> None:
    secret = b"secret"
    async with running({"/a": asks}, secret_key=secret, **RULE) as server:
        token = await server.token("/a", headers=HEADERS)
        (session,) = server.context("/a").sessions
        assert session.document.title == WORDS
    payload = TokenAuthority(secret, SystemClock()).read(token).payload
    assert payload["cookies"] == {"yes": "1"}
    assert payload["headers"]["Cookie"] == "yes=1"
    assert "X-A" not in payload["headers"]
    assert payload["headers"]["X-B"] == "b"


@pytest.mark.parametrize("size", [1, 6000], ids=["in its token", "too large for a token"])
async def test_a_session_that_its_websocket_makes_knows_no_more(size: int) -> None:
    headers = {**HEADERS, "X-B": "b" * size}
    async with running({"/a": asks}, **RULE) as server:
        token = await server.token("/a", headers=headers)
        await server.context("/a").discard_unused(0, "a test")
        async with RawClient.connect(server, token, headers=headers) as client:
            await client.frames(3)
            (session,) = server.context("/a").sessions
            assert session.document.title == WORDS
