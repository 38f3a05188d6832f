"""Connections that are not answered yet."""

from __future__ import annotations

import pytest

from hyperfocal.cluster.channel import Note, Word
from hyperfocal.cluster.desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def settled() -> list[bool]:
    return []


def test_one_that_is_answered(desk: Desk, settled: list[bool]) -> None:
    ticket = desk.new_ticket()
    desk.keep(ticket, 1, settled.append)
    desk.hear(Note(Word.TAKEN, ticket, 1))
    assert settled == []
    desk.hear(Note(Word.ANSWERED, ticket))
    desk.hear(Note(Word.DIED, 1, 1))
    assert settled == [False]
    assert len(desk) == 0


def test_one_whose_process_dies_before_it_answers(desk: Desk, settled: list[bool]) -> None:
    first, second = desk.new_ticket(), desk.new_ticket()
    desk.keep(first, 1, settled.append)
    desk.keep(second, 2, settled.append)
    for ticket in (first, second):
        desk.hear(Note(Word.TAKEN, ticket, 3))
    desk.hear(Note(Word.DIED, 1, 3))
    assert settled == [True]
    assert len(desk) == 1


def test_one_that_is_not_taken_is_left_to_the_next(desk: Desk, settled: list[bool]) -> None:
    ticket = desk.new_ticket()
    desk.keep(ticket, 1, settled.append)
    desk.hear(Note(Word.DIED, 1, 3))
    assert settled == []
    desk.hear(Note(Word.TAKEN, ticket, 4))
    desk.hear(Note(Word.DIED, 1, 4))
    assert settled == [True]


def test_notes_on_what_nobody_knows(desk: Desk) -> None:
    desk.hear(Note(Word.TAKEN, 4711, 1))
    desk.hear(Note(Word.ANSWERED, 4711))
    desk.hear(Note(Word.DIED, 1, 1))


def test_only_so_many_are_kept(desk: Desk, settled: list[bool]) -> None:
    for _ in range(1002):
        desk.keep(desk.new_ticket(), 1, settled.append)
    assert len(desk) == 1000
    assert settled == [False, False]
