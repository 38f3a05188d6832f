"""Servers of both kinds, started when a test first asks and kept until the last one ends."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.peers import APPS, KINDS, MESSAGE_BYTES, WEBSOCKET_KINDS, Peer, peer

Servers = Callable[..., Peer]


@pytest.fixture(scope="session")
def servers() -> Generator[Servers]:
    with ExitStack() as stack:
        started: dict[tuple[object, ...], Peer] = {}

        def get(kind: str, *arguments: str | Path, prefix: str = "") -> Peer:
            key = (kind, arguments, prefix)
            if key not in started:
                started[key] = stack.enter_context(peer(kind, *arguments, prefix=prefix))
            return started[key]

        yield get


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of the websocket meet Hyperfocal over both transports."""
    marked = any(mark.args[0] == "kind" for mark in metafunc.definition.iter_markers("parametrize"))
    if "kind" in metafunc.fixturenames and not marked:
        websocket = metafunc.definition.path.stem in ("test_wire", "test_client")
        metafunc.parametrize("kind", WEBSOCKET_KINDS if websocket else KINDS, indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which server the test meets. ``only_hyperfocal`` takes the other one away."""
    return str(request.param)


@pytest.fixture
def server(kind: str, servers: Servers) -> Peer:
    """A server of several applications: /board, /plain, /visitor."""
    return servers(
        kind,
        APPS / "board.py",
        APPS / "plain.py",
        APPS / "visitor",
        "--websocket-max-message-size",
        str(MESSAGE_BYTES),
        "--args",
        "first",
        "--second=2",
    )


@pytest.fixture
def lonely(kind: str, servers: Servers) -> Peer:
    """A server of one application, /visitor, below the prefix /deep/down."""
    return servers(kind, APPS / "visitor", prefix="/deep/down")
