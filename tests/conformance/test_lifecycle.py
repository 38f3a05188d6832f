"""Which hooks run when, as an application notes it down itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from bokeh.util.token import get_session_id

from tests.conformance.peers import APPS, Peer, models, new_token, only_hyperfocal, peer, visitor

pytestmark = pytest.mark.conformance

SHORT_LIVES = ("--unused-session-lifetime", "60", "--check-unused-sessions", "30")


@dataclass
class Diary:
    """What ``apps/visitor`` has written while it was served."""

    server: Peer
    path: Path

    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []

    def of(self, session_id: str) -> list[str]:
        """What happened to one session."""
        happened = [line.split() for line in self.lines()]
        return [words[0] for words in happened if words[1:] == [session_id]]

    def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until the application has written what is wanted."""
        deadline = time.monotonic() + 10
        while not wanted():
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.01)


@pytest.fixture(scope="module")
def diaries(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], Diary]]:
    """Servers whose unused sessions live shortly; one of each kind for the module."""
    with ExitStack() as stack:
        kept: dict[str, Diary] = {}

        def get(kind: str) -> Diary:
            if kind not in kept:
                path = tmp_path_factory.mktemp(kind) / "diary"
                env = {"CONFORMANCE_LOG": str(path)}
                server = stack.enter_context(peer(kind, APPS / "visitor", *SHORT_LIVES, env=env))
                kept[kind] = Diary(server, path)
            return kept[kind]

        yield get


@pytest.fixture
def diary(kind: str, diaries: Callable[[str], Diary]) -> Diary:
    return diaries(kind)


def open_page(diary: Diary, path: str = "/visitor") -> tuple[str, str]:
    """The id and the token of a new page."""
    token = diary.server.token(path)
    return get_session_id(token), token


def test_the_load_hook_runs_first(diary: Diary) -> None:
    open_page(diary)
    assert diary.lines()[0] == "loaded"
    assert diary.lines().count("loaded") == 1


def test_a_session_is_created_then_built(diary: Diary) -> None:
    session_id, _ = open_page(diary)
    assert diary.of(session_id)[:2] == ["created", "built"]


def test_a_page_that_never_connects_is_discarded_with_its_hooks(diary: Diary) -> None:
    session_id, _ = open_page(diary)
    diary.until(lambda: len(diary.of(session_id)) == 4)
    assert diary.of(session_id)[:2] == ["created", "built"]
    assert set(diary.of(session_id)[2:]) == {"destroyed", "document"}


async def test_a_session_lives_as_long_as_somebody_is_connected(diary: Diary) -> None:
    token = new_token()
    session_id = get_session_id(token)
    async with diary.server.join("/visitor", token) as client:
        other, _ = open_page(diary)
        diary.until(lambda: "destroyed" in diary.of(other))
        await client.roundtrip()
        assert diary.of(session_id) == ["created", "built"]
    diary.until(lambda: len(diary.of(session_id)) == 4)


async def test_a_websocket_makes_the_discarded_session_of_its_page_anew(diary: Diary) -> None:
    headers = {"X-Flavour": "plain", "Cookie": "flavour=oat; size=3"}
    token = diary.server.token("/visitor?name=Ada&n=1&n=2", headers=headers)
    session_id = get_session_id(token)
    diary.until(lambda: len(diary.of(session_id)) == 4)
    async with diary.server.join("/visitor", token) as client:
        about = visitor(models(await client.pull())["about"]["attributes"]["text"])
    assert about.id == session_id
    assert about.arguments == {"name": ["Ada"], "n": ["1", "2"]}
    assert about.cookies == {"flavour": "oat", "size": "3"}
    assert about.headers["X-Flavour"] == "plain"
    assert about.headers["Cookie"] == "flavour=oat; size=3"
    assert about.visitor == "Ada"
    assert diary.of(session_id)[4:6] == ["created", "built"]


@only_hyperfocal
def test_callbacks_of_a_discarded_document_still_find_their_module(diary: Diary) -> None:
    """Bokeh has cleared the module's globals by then."""
    session_id, _ = open_page(diary)
    diary.until(lambda: f"globals here {session_id}" in diary.lines())


def test_sigterm_ends_the_server_with_its_unload_hook(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "diary"
    with peer(kind, APPS / "visitor", env={"CONFORMANCE_LOG": str(path)}) as server:
        diary = Diary(server, path)
        open_page(diary)
        server.process.stop()
        assert diary.lines()[0] == "loaded"
        assert diary.lines()[-1] == "unloaded"
        assert diary.lines().count("unloaded") == 1


@only_hyperfocal
async def test_sigterm_runs_the_hooks_of_the_sessions_before_the_unload_hook(
    kind: str, tmp_path: Path
) -> None:
    """Bokeh leaves them out."""
    path = tmp_path / "diary"
    with peer(kind, APPS / "visitor", env={"CONFORMANCE_LOG": str(path)}) as server:
        diary = Diary(server, path)
        session_id, token = open_page(diary)
        async with server.join("/visitor", token):
            assert server.process.stop() == 0
        assert sorted(diary.of(session_id)) == ["built", "created", "destroyed", "document"]
        assert diary.lines()[-1] == "unloaded"
