"""One process among the others: where requests go, and what comes from elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperfocal.cluster.board import Board, State
from hyperfocal.cluster.channel import Channel, Note, Word
from hyperfocal.cluster.desk import Desk
from hyperfocal.cluster.patience import processor_time
from hyperfocal.cluster.placement import Load, Placement, quietest
from hyperfocal.cluster.refusals import away, busy, crashed
from hyperfocal.cluster.roster import Member, Roster
from hyperfocal.cluster.targets import Kind, Target, Targets
from hyperfocal.panel import COMPONENT_LISTS, find_component_file
from hyperfocal.telemetry import (
    ConnectionClosed,
    ConnectionOpened,
    Event,
    SessionCreated,
    SessionDestroyed,
)
from hyperfocal.web.exchange import Adopt, Arrival, Refusal, Way

__all__ = ("WorkerExchange",)

#: Connections that are taken over before others get the event loop.
_IN_A_ROW = 16


class _ChannelWay:
    """The way to another process of this machine."""

    __slots__ = ("_asked", "_exchange", "_slot", "_target")

    def __init__(
        self, exchange: WorkerExchange, slot: int, target: Target, asked: tuple[int, ...] = ()
    ) -> None:
        self._exchange = exchange
        self._slot = slot
        self._target = target
        self._asked = asked

    def send(
        self,
        connection: int,
        arrival: Arrival,
        settled: Callable[[bool], None] | None = None,
    ) -> bool:
        if self._asked:
            arrival = replace(arrival, asked=self._asked)
        sent = self._exchange.send(self._slot, connection, arrival, settled)
        if sent and self._target.makes_session:
            self._exchange.expect_session(self._slot)
        return sent

    @property
    def crashed(self) -> Refusal | None:
        return crashed(self._target) if self._exchange.is_door else None

    @property
    def busy(self) -> Refusal:
        return busy(self._target)


class WorkerExchange:
    """Passes connections on and takes those that others pass on. Also a ``Place``.

    Args:
        roster: all processes.
        member: this one.
        board: what they know of each other.
        channels: the ways to each of them, by slot.
        prefix: the URL path under which everything is served.
        secret: what they sign with, where none is configured.
    """

    def __init__(
        self,
        roster: Roster,
        member: Member,
        board: Board,
        channels: Sequence[Channel],
        prefix: str,
        secret: bytes,
    ) -> None:
        self._roster = roster
        self._member = member
        self._board = board
        self._channels = channels
        self._secret = secret
        urls = {url for one in roster.members for url in one.urls}
        self._workers = {url: roster.workers(url) for url in urls}
        self._placements = {
            url: Placement([one.name for one in workers]) for url, workers in self._workers.items()
        }
        # All applications of one process have the same workers.
        self._own = self._placements[member.urls[0]] if member.urls else None
        self._slots = {one.name: one.slot for one in roster.members}
        self._targets = Targets(prefix, urls)
        self._seats: Callable[[], int] = lambda: 0
        self._connections = 0
        self._desk = Desk()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._adopt: Adopt | None = None

    # --- a place among others --------------------------------------------------------------------

    @property
    def secret(self) -> bytes:
        """Signs tokens and session ids, in all processes, when none is configured."""
        return self._secret

    def runs(self, url: str) -> bool:
        """Whether the application at this URL path runs in this process."""
        return url in self._member.urls

    def owns(self, session_id: str) -> bool:
        """Whether the session of this id lives here, if it lives."""
        return self._own is not None and self._own.owner(session_id) == self._member.name

    def publish_folder(self, name: str, path: Path) -> None:
        """A page of this process asks for an extension's files in this folder."""
        self._board.publish_folder(self._member.slot, name, path)

    def find_folder(self, name: str) -> Path | None:
        """The folder of an extension's files for which a page of some process has asked."""
        return self._board.find_folder(name)

    def health(self) -> dict[str, Any]:
        """What the health endpoint says of all processes."""
        self._report()
        board = self._board
        workers = [
            {
                "name": one.name,
                "state": board.state(one.slot).name.lower(),
                "pid": board.pid(one.slot),
                "sessions": board.sessions(one.slot),
                "connections": board.connections(one.slot),
                "starts": board.starts(one.slot),
                "passed_on": board.passed_on(one.slot),
            }
            for one in self._roster.members
        ]
        return {
            "sessions": sum(board.sessions(one.slot) for one in self._roster.members),
            "connections": sum(board.connections(one.slot) for one in self._roster.members),
            "answered_by": self._member.name,
            "workers": workers,
        }

    def count(self, seats: Callable[[], int]) -> None:
        """Where to read how many sessions there are here, those being built included."""
        self._seats = seats

    def __call__(self, event: Event) -> None:
        """Keep the board up to date; subscribed to telemetry."""
        if isinstance(event, ConnectionOpened):
            self._connections += 1
        elif isinstance(event, ConnectionClosed):
            self._connections -= 1
        elif not isinstance(event, SessionCreated | SessionDestroyed):
            return
        self._report()

    def _report(self) -> None:
        self._board.report(self._member.slot, self._seats(), self._connections)

    # --- to others -------------------------------------------------------------------------------

    def direct(
        self, url: bytes, headers: Sequence[tuple[bytes, bytes]], asked: Sequence[int] = ()
    ) -> Way | Refusal | None:
        """Where a request belongs: to another process, to none at the moment, or here."""
        target = self._targets.read(url, headers)
        if target.kind is Kind.COMPONENT:
            return self._way_to_component(target, asked)
        slot = self._slot(target)
        if slot == self._member.slot:
            return None
        if self._board.state(slot) in (State.READY, State.STARTING):
            return _ChannelWay(self, slot, target)
        return away(target, isolated=self._roster.door is not None)

    @property
    def is_door(self) -> bool:
        """Whether this process runs no application and accepts for all."""
        return self._member.slot == self._roster.door

    def send(
        self,
        slot: int,
        connection: int,
        arrival: Arrival,
        settled: Callable[[bool], None] | None = None,
    ) -> bool:
        """Send a connection to the process in this slot. See ``Way.send``."""
        if settled is not None:
            arrival = replace(arrival, ticket=self._desk.new_ticket())
        if not self._channels[slot].send(connection, arrival):
            return False
        if settled is not None:
            self._desk.keep(arrival.ticket, slot, settled)
        self._board.passes_on(self._member.slot)
        return True

    def expect_session(self, slot: int) -> None:
        """The process in this slot is about to make a session, and has not said so yet."""
        self._board.expect_session(slot)

    def answers(self, ticket: int) -> None:
        """A connection with this ticket is being answered, or is no more."""
        self._tell_door(Note(Word.ANSWERED, ticket))

    def _tell_door(self, note: Note) -> None:
        if self._roster.door is not None:
            self._channels[self._roster.door].notify(note)

    def _slot(self, target: Target) -> int:
        own, door = self._member.slot, self._roster.door
        if target.kind is Kind.FILE:
            return own
        if target.url is None:
            return door if door is not None else own
        if target.session_id is not None:
            return self._slots[self._placements[target.url].owner(target.session_id)]
        if self.runs(target.url) and not target.makes_session:
            return own
        self._report()
        found = quietest(map(self._load, self._workers[target.url]), own)
        # Nobody takes connections: the first one's turn to say why.
        return found if found is not None else self._workers[target.url][0].slot

    def _way_to_component(self, target: Target, asked: Sequence[int]) -> Way | None:
        """The way to a process that has not been asked yet, unless the file is found here.

        Which process has loaded a component is known to that process alone, and changes with every
        session. Each is asked once; the last answers, whatever it knows.
        """
        _, _, attribute, _ = target.component
        if attribute not in COMPONENT_LISTS or find_component_file(*target.component) is not None:
            return None
        known = (*asked, self._member.slot)
        others = [
            one.slot
            for one in self._roster.members
            if one.urls and one.slot not in known and self._board.state(one.slot) is State.READY
        ]
        if not others:
            return None
        # One that is stuck comes last.
        slot = next((one for one in others if self._channels[one].is_empty()), others[0])
        return _ChannelWay(self, slot, target, known)

    def _load(self, member: Member) -> Load:
        slot = member.slot
        is_listening = slot == self._member.slot or (
            self._board.state(slot) is State.READY and self._channels[slot].is_empty()
        )
        return Load(slot, self._board.sessions(slot), is_listening)

    # --- from others -----------------------------------------------------------------------------

    def open(self, adopt: Adopt) -> None:
        """Begin to receive connections, on the running event loop: this process is ready."""
        self._adopt = adopt
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._channels[self._member.slot].fileno(), self._receive)
        self._board.ready(self._member.slot, os.getpid())

    def close(self) -> None:
        """Receive no more."""
        self._board.set_state(self._member.slot, State.ENDING)
        if self._loop is not None:
            self._loop.remove_reader(self._channels[self._member.slot].fileno())

    def _receive(self) -> None:
        assert self._adopt is not None
        for _ in range(_IN_A_ROW):
            received = self._channels[self._member.slot].receive()
            if received is None:
                return
            # With each message: whoever asks while there are some sees that one was taken since.
            self._board.answer(self._member.slot, processor_time() or 0)
            if isinstance(received, Note):
                if received.word is not Word.ASKED:
                    self._desk.hear(received)
                continue
            connection, arrival = received
            if arrival.ticket:  # before any code of an application can do harm
                starts = self._board.starts(self._member.slot)
                self._tell_door(Note(Word.TAKEN, arrival.ticket, starts))
            self._adopt(connection, arrival)
