"""What requests ask for: the same as the routes of the site make of them."""

from __future__ import annotations

import pytest

from hyperfocal.auth import TokenAuthority
from hyperfocal.clock import SystemClock
from hyperfocal.cluster.targets import Kind, Target, Targets

TOKEN = TokenAuthority(b"secret", SystemClock()).issue("from-a-token", {})


@pytest.fixture
def targets() -> Targets:
    return Targets("", ["/a", "/a b", "/a/b"])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/", Target(Kind.SERVER)),
        ("/health", Target(Kind.SERVER)),
        ("/nothing", Target(Kind.SERVER)),
        ("/a", Target(Kind.PAGE, "/a")),
        ("/a?x=1", Target(Kind.PAGE, "/a")),
        ("http://host:5006/a?x=1", Target(Kind.PAGE, "/a")),
        ("/a/", Target(Kind.OTHER, "/a")),
        ("/a%20b", Target(Kind.PAGE, "/a b")),
        ("/a/b", Target(Kind.PAGE, "/a/b")),
        ("/a/c", Target(Kind.SERVER)),
        ("/a/metadata", Target(Kind.OTHER, "/a")),
        ("/a?bokeh-session-id=s", Target(Kind.PAGE, "/a", "s")),
        ("/a?bokeh%2dsession%2did=s%20t", Target(Kind.PAGE, "/a", "s t")),
        ("/a?bokeh-session-id=s&bokeh-session-id=t", Target(Kind.PAGE, "/a", "t")),
        ("/a?bokeh-session-id=", Target(Kind.PAGE, "/a")),
        (f"/a?bokeh-token={TOKEN}", Target(Kind.PAGE, "/a", "from-a-token")),
        ("/a?bokeh-token=nonsense", Target(Kind.PAGE, "/a")),
        (
            "/a/autoload.js?bokeh-autoload-element=e1&bokeh-session-id=s",
            Target(Kind.SCRIPT, "/a", "s", "e1"),
        ),
        ("/static/js/bokeh.js", Target(Kind.FILE)),
        ("/a/static/js/bokeh.js?v=1", Target(Kind.FILE, "/a")),
        (
            "/components/a.b/C/_css/x%20y/z.css?v=1",
            Target(Kind.COMPONENT, component=("a.b", "C", "_css", "x y/z.css")),
        ),
        ("/components/a/C/_css", Target(Kind.SERVER)),
        ("/a/components/a/C/_css/x.css", Target(Kind.SERVER)),
        ("*", Target(Kind.SERVER)),
    ],
)
def test_urls(targets: Targets, url: str, expected: Target) -> None:
    assert targets.read(url.encode(), []) == expected


def test_an_application_at_the_root_takes_what_nobody_else_has() -> None:
    targets = Targets("", ["/", "/b"])
    assert targets.read(b"/", []) == Target(Kind.PAGE, "/")
    assert targets.read(b"/b", []) == Target(Kind.PAGE, "/b")
    assert targets.read(b"/ws", []) == Target(Kind.WEBSOCKET, "/")
    assert targets.read(b"/autoload.js", []) == Target(Kind.SCRIPT, "/")
    assert targets.read(b"/static/x.js", []) == Target(Kind.FILE)
    assert targets.read(b"/health", []) == Target(Kind.SERVER)


def test_a_prefix() -> None:
    targets = Targets("/apps", ["/a"])
    assert targets.read(b"/apps/a", []) == Target(Kind.PAGE, "/a")
    assert targets.read(b"/a", []) == Target(Kind.SERVER)
    assert targets.read(b"/apps/static/x.js", []) == Target(Kind.FILE)
    component = Target(Kind.COMPONENT, component=("m", "C", "_css", "x.css"))
    assert targets.read(b"/apps/components/m/C/_css/x.css", []) == component
    assert targets.read(b"/components/m/C/_css/x.css", []) == Target(Kind.SERVER)


@pytest.mark.parametrize(
    ("headers", "session_id"),
    [
        ([(b"sec-websocket-protocol", f"bokeh, {TOKEN}".encode())], "from-a-token"),
        (
            [(b"sec-websocket-protocol", b"bokeh"), (b"sec-websocket-protocol", TOKEN.encode())],
            "from-a-token",
        ),
        ([(b"sec-websocket-protocol", b"bokeh")], None),
        ([(b"sec-websocket-protocol", b"bokeh, %%%")], None),
        ([(b"sec-websocket-protocol", b"bokeh, " + b"W10" * 2)], None),
        ([], None),
    ],
)
def test_websockets(
    targets: Targets, headers: list[tuple[bytes, bytes]], session_id: str | None
) -> None:
    assert targets.read(b"/a/ws", headers) == Target(Kind.WEBSOCKET, "/a", session_id)


def test_a_session_id_in_a_header(targets: Targets) -> None:
    found = targets.read(b"/a", [(b"bokeh-session-id", b"s")])
    assert found == Target(Kind.PAGE, "/a", "s")
    assert not found.makes_session
    assert targets.read(b"/a", []).makes_session
    assert not targets.read(b"/a/ws", []).makes_session
