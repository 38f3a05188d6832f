"""The way to a process, and what processes know of each other."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from hyperfocal.cluster.board import Board, State
from hyperfocal.cluster.channel import Channel, Note, Word
from hyperfocal.cluster.roster import Roster, number_of_processes
from hyperfocal.web.exchange import Arrival


@pytest.fixture
def channel() -> Generator[Channel]:
    made = Channel()
    yield made
    made.close()


def arrival(data: bytes = b"GET / HTTP/1.1\r\n\r\n") -> Arrival:
    return Arrival(data, ("10.0.0.1", 1234), ("localhost", 80), "http")


def receive(channel: Channel) -> tuple[socket.socket, Arrival]:
    received = channel.receive()
    assert isinstance(received, tuple)
    return received


def test_notes_come_in_between(channel: Channel) -> None:
    here, there = socket.socketpair()
    with here, there:
        assert channel.notify(Note(Word.DIED, 3, 2))
        assert channel.send(there.fileno(), arrival())
        assert channel.notify(Note(Word.ANSWERED, 1 << 48))
        assert channel.receive() == Note(Word.DIED, 3, 2)
        receive(channel)[0].close()
        assert channel.receive() == Note(Word.ANSWERED, 1 << 48)


def test_a_connection_arrives_with_what_was_read_of_it(channel: Channel) -> None:
    assert channel.is_empty()
    here, there = socket.socketpair()
    with here, there:
        sent = Arrival(b"GET / HTTP/1.1\n\r\x00", None, ("/a/path", None), "https", 7, (0, 2))
        assert channel.send(there.fileno(), sent)
        assert not channel.is_empty()
        there.close()  # the copy that is under way is the other process's
        connection, got = receive(channel)
        with connection:
            assert got == sent
            assert not connection.get_inheritable()
            assert not connection.getblocking()
            connection.send(b"hello")
            assert here.recv(10) == b"hello"
    assert channel.receive() is None
    assert channel.is_empty()


def test_a_channel_that_is_full_says_so_at_once_and_has_room_again(channel: Channel) -> None:
    here, there = socket.socketpair()
    with here, there:
        sent = 0
        while channel.send(there.fileno(), arrival(b"x" * 10_000)):
            sent += 1
            assert sent < 1000
        assert sent > 10
        receive(channel)[0].close()
        assert channel.send(there.fileno(), arrival())
        for _ in range(sent):
            receive(channel)[0].close()
        assert channel.receive() is None


def test_what_is_too_large_for_a_message_is_not_sent(channel: Channel) -> None:
    here, there = socket.socketpair()
    with here, there:
        assert not channel.send(there.fileno(), arrival(b"x" * 1024 * 1024))
    assert channel.is_empty()


def test_the_board_is_shared_with_processes_that_are_forked() -> None:
    board = Board(2)
    board.begins(1)
    assert board.state(1) is State.STARTING
    pid = os.fork()
    if pid == 0:
        board.ready(1, 4711)
        board.report(1, 3, 5)
        board.publish_folder(1, "panel", Path("/a/folder"))
        board.publish_folder(1, "other", Path("/another"))
        os._exit(0)
    os.waitpid(pid, 0)
    assert board.state(0) is State.DOWN
    assert board.state(1) is State.READY
    assert (board.pid(1), board.sessions(1), board.connections(1)) == (4711, 3, 5)
    assert board.find_folder("panel") == Path("/a/folder")
    assert board.find_folder("other") == Path("/another")
    assert board.find_folder("unknown") is None
    board.begins(1)
    assert (board.pid(1), board.sessions(1), board.starts(1)) == (0, 0, 2)


def test_the_roster() -> None:
    together = Roster.of(["/a", "/b"], 2, isolate=False)
    assert [one.name for one in together.members] == ["worker 1", "worker 2"]
    assert all(one.accepts and one.urls == ("/a", "/b") for one in together.members)
    assert together.door is None

    apart = Roster.of(["/a", "/b"], 1, isolate=True)
    assert [one.name for one in apart.members] == ["door", "/a", "/b"]
    assert [one.accepts for one in apart.members] == [True, False, False]
    assert apart.door == 0
    assert [one.slot for one in apart.workers("/b")] == [2]

    both = Roster.of(["/a", "/b"], 2, isolate=True)
    assert [one.name for one in both.members] == ["door", "/a 1", "/a 2", "/b 1", "/b 2"]


def test_no_number_of_processes_means_one_for_each_core() -> None:
    assert number_of_processes(3) == 3
    assert number_of_processes(0) == len(os.sched_getaffinity(0))
