"""Connections that went to another process and are not answered yet.

If the process dies before, somebody has to say so to the person who waits; the system would just
close the connection. So the process that sent it keeps a copy. It knows from notes how far the
other one has come: one that has not even taken the connection leaves it to the next in its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from hyperfocal.cluster.channel import Note, Word

__all__ = ("Desk",)

#: Copies that are kept at most. Beyond, a process that dies leaves some without an explanation.
_MOST = 1000


@dataclass(slots=True)
class _Kept:
    slot: int
    settled: Callable[[bool], None]
    #: Which of the processes in the slot has taken it; 0: none yet.
    taken_by: int = 0


class Desk:
    """Keeps what is not settled, by ticket."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}
        self._tickets = os.getpid() << 32  # not those of another process in this place

    def __len__(self) -> int:
        return len(self._kept)

    def new_ticket(self) -> int:
        """A ticket for a connection that is about to be sent."""
        self._tickets += 1
        return self._tickets

    def keep(self, ticket: int, slot: int, settled: Callable[[bool], None]) -> None:
        """The connection was sent to the process in this slot.

        Args:
            ticket: its ticket.
            slot: where it went.
            settled: called with whether that process has died before it answered.
        """
        self._kept[ticket] = _Kept(slot, settled)
        if len(self._kept) > _MOST:  # the oldest: its copy is closed, wherever it is by now
            self._settle(next(iter(self._kept)), died=False)

    def hear(self, note: Note) -> None:
        """Take note."""
        if note.word is Word.ANSWERED:
            self._settle(note.about, died=False)
        elif note.word is Word.TAKEN:
            kept = self._kept.get(note.about)
            if kept is not None:
                kept.taken_by = note.starts
        else:
            lost = [
                ticket
                for ticket, kept in self._kept.items()
                if kept.slot == note.about and kept.taken_by == note.starts
            ]
            for ticket in lost:
                self._settle(ticket, died=True)

    def _settle(self, ticket: int, *, died: bool) -> None:
        kept = self._kept.pop(ticket, None)
        if kept is not None:
            kept.settled(died)
