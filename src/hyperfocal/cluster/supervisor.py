"""Watches over the processes of a server: starts them, replaces those that die, ends them.

Plain code without threads and without an event loop: whatever forks must have neither.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from hyperfocal.cluster.backoff import Backoff
from hyperfocal.cluster.board import Board, State
from hyperfocal.cluster.channel import Channel, Note, Word
from hyperfocal.cluster.patience import Patience, Verdict, processor_time, stands_still
from hyperfocal.cluster.roster import Member, Roster
from hyperfocal.server.forked import heed
from hyperfocal.server.hangup import HANGUP, ends_with_terminal, say_that_it_goes_on

__all__ = ("GRACE_S", "Supervisor")

_log = logging.getLogger("hyperfocal")

#: Seconds that processes have to end when they are asked to. Hooks have their own, shorter times.
GRACE_S = 30.0
#: Seconds that a process has to say where its code is.
_ABORT_S = 5.0
#: What a process may compute, in units of 0.1 ms, without being asked whether it still answers:
#: more than the end of its last answer.
_IDLE = 5
_SIGNALS = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, *HANGUP)
#: What a process writes to say that it takes connections. No signal has this number.
_NEWS = b"\0"


@dataclass(slots=True)
class _Place:
    """A place for a process, and who fills it."""

    member: Member
    patience: Patience
    pid: int = 0
    started_at: float = 0.0
    due_at: float | None = None
    #: When it is to be killed, because it was stuck and does not end.
    kill_at: float | None = None
    is_stuck: bool = False
    backoff: Backoff = field(default_factory=Backoff)


class Supervisor:
    """Runs one process for each member of a roster.

    Args:
        roster: the processes.
        board: says what has become of each.
        channels: the ways to each.
        ready: called when each process has taken connections, or died, for the first time.
        sockets: on which the processes listen; closed when they are to end.
        stuck_after_s: a process whose event loop has not answered for so long is ended; 0: never.
    """

    def __init__(
        self,
        roster: Roster,
        board: Board,
        channels: Sequence[Channel],
        ready: Callable[[], None],
        sockets: Sequence[socket.socket] = (),
        *,
        stuck_after_s: float = 0.0,
    ) -> None:
        self._sockets = sockets
        self._door = roster.door
        self._channels = channels
        self._stuck_after_s = stuck_after_s
        self._places = [_Place(member, Patience(stuck_after_s)) for member in roster.members]
        self._look_every_s = Patience(stuck_after_s).every_s
        self._look_at: float | None = None
        self._board = board
        self._ready: Callable[[], None] | None = ready
        self._heard, self._news = socket.socketpair()
        #: Has an end when this process has, whatever its end was.
        self._lifeline, self._life = os.pipe()
        self._stopping_since: float | None = None
        self._status = 0
        hangup = HANGUP if ends_with_terminal() else ()
        self._ends = (signal.SIGINT, signal.SIGTERM, *hangup)

    @property
    def lifeline(self) -> int:
        """A descriptor that becomes readable in the other processes when this one is no more."""
        return self._lifeline

    def tell(self) -> None:
        """In one of the processes: it takes connections."""
        self._news.send(_NEWS)

    def run(self) -> Member | int:
        """Start the processes and watch over them until SIGINT or SIGTERM.

        Returns:
            in this process, the exit status, in the end; and in each of the others, which member
            it is. They have to leave by the same way, so that what was opened is closed.
        """
        for end in (self._heard, self._news):
            end.setblocking(False)
        before = heed(_SIGNALS, _heed)
        wakeup = signal.set_wakeup_fd(self._news.fileno(), warn_on_full_buffer=False)
        for place in self._places:
            if self._start(place):
                return place.member
        while self._stopping_since is None or any(place.pid for place in self._places):
            self._wait()
            member = self._look()
            if member is not None:
                return member
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        return self._status

    # --- what happens ----------------------------------------------------------------------------

    def _wait(self) -> None:
        """Until there is news, or something is due."""
        due = [place.due_at for place in self._places if place.due_at is not None]
        due += [place.kill_at for place in self._places if place.kill_at is not None]
        if self._stopping_since is not None:
            due.append(self._stopping_since + GRACE_S)
        elif self._look_at is not None:
            due.append(self._look_at)
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        select.select([self._heard], [], [], timeout)
        try:
            heard = self._heard.recv(4096)
        except BlockingIOError:
            return
        for number in heard:
            if number in self._ends:
                self._stop(number)
            elif number in HANGUP:
                say_that_it_goes_on()

    def _look(self) -> Member | None:
        """See who has died, and start who is due."""
        now = time.monotonic()
        for place in self._places:
            self._bury(place, now)
        self._say_ready()
        for place in self._places:
            if place.kill_at is not None and now >= place.kill_at:
                place.kill_at = None
                _send(place.pid, signal.SIGKILL)
        if self._stopping_since is not None:
            if now >= self._stopping_since + GRACE_S:
                self._kill(f"did not end within {GRACE_S:g} seconds")
            return None
        self._end_the_stuck(now)
        for place in self._places:
            if place.due_at is not None and now >= place.due_at and self._start(place):
                return place.member
        return None

    def _end_the_stuck(self, now: float) -> None:
        """See whose event loop does not answer."""
        if not self._stuck_after_s or (self._look_at is not None and now < self._look_at):
            return
        for place in self._places:
            slot = place.member.slot
            if not place.pid or place.is_stuck or self._board.state(slot) is not State.READY:
                continue
            # In this order: what it answers after it was asked is more than these.
            verdict = place.patience.look(
                now,
                self._board.answers(slot),
                partial(self._is_active, place),
                partial(stands_still, place.pid),
            )
            if verdict is Verdict.ASK:
                # A channel that is full has something to be taken already.
                self._channels[slot].notify(Note(Word.ASKED, slot))
            elif verdict is Verdict.STUCK:
                self._abort(place, now)
        is_idle = not any(place.patience.is_waiting for place in self._places)
        self._look_at = now + (self._stuck_after_s if is_idle else self._look_every_s)

    def _is_active(self, place: _Place) -> bool:
        """Whether it may be stuck. One that has nothing to do is not to be woken."""
        if self._board.sessions(place.member.slot):
            return True
        used = processor_time(place.pid)
        return used is None or self._board.used_since(place.member.slot, used) > _IDLE

    def _say_ready(self) -> None:
        if self._ready is None or self._stopping_since is not None:
            return
        slots = [place.member.slot for place in self._places]
        if all(
            self._board.state(slot) is State.READY or self._board.starts(slot) > 1 for slot in slots
        ):
            ready, self._ready = self._ready, None
            ready()

    def _bury(self, place: _Place, now: float) -> None:
        if not place.pid:
            return
        pid, status = os.waitpid(place.pid, os.WNOHANG)
        if not pid:
            return
        place.pid = 0
        place.kill_at = None
        slot, name = place.member.slot, place.member.name
        code = os.waitstatus_to_exitcode(status)
        cause = _cause(code, is_stuck=place.is_stuck)
        self._board.set_state(slot, State.DOWN)
        if self._door is not None:
            note = Note(Word.DIED, slot, self._board.starts(slot))
            self._channels[self._door].notify(note)
        if self._stopping_since is not None:
            # One that has no handler yet when it is asked to end has nothing to clean up.
            if code not in (0, -signal.SIGTERM):
                _log.error("%s (process %d) %s", _named(name), pid, cause)
                self._status = 1
            return
        delay = place.backoff.died(now - place.started_at)
        place.due_at = now + delay
        if not delay:
            self._board.set_state(slot, State.STARTING)  # what comes meanwhile may wait
        when = f"in {delay:g} s" if delay else "at once"
        deaths = place.backoff.deaths
        again = f", for the {_ordinal(deaths)} time in a row" if deaths > 1 else ""
        _log.error(
            "%s (process %d) %s%s; its sessions are lost. Starting it again %s",
            _named(name), pid, cause, again, when,
        )  # fmt: skip

    # --- what to do ------------------------------------------------------------------------------

    def _start(self, place: _Place) -> bool:
        """Fork a process. True in the new one."""
        place.due_at = None
        place.started_at = time.monotonic()
        place.patience = Patience(self._stuck_after_s)
        place.is_stuck = False
        self._board.begins(place.member.slot)
        # What arrives now is for whoever has set up its handlers.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            place.pid = os.fork()
            if place.pid == 0:
                self._become()
                return True
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return False

    def _become(self) -> None:
        """In the new process: part with what is the supervisor's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # A terminal sends these to all; the supervisor says what they mean.
        heed((signal.SIGINT, *HANGUP), _heed)
        os.close(self._life)
        self._heard.close()

    def _abort(self, place: _Place, now: float) -> None:
        """End a process that is stuck; before, it says where its code is."""
        _log.error(
            "%s (process %d) has not answered for %.1f s. Ending it; the stacks of its threads "
            "follow on standard error",
            _named(place.member.name), place.pid, place.patience.waited_s,
        )  # fmt: skip
        place.is_stuck = True
        place.kill_at = now + _ABORT_S
        _send(place.pid, signal.SIGABRT)

    def _stop(self, number: int) -> None:
        if self._stopping_since is not None:
            self._kill("was stopped at once: asked for a second time")
            return
        self._stopping_since = time.monotonic()
        for listening in self._sockets:  # with the last copy, nobody waits to be accepted
            listening.close()
        for place in self._places:
            place.due_at = None
            if place.pid:
                if number == signal.SIGINT:  # a person waits: it need not tell anybody of its end
                    _send(place.pid, signal.SIGINT)
                _send(place.pid, signal.SIGTERM)

    def _kill(self, why: str) -> None:
        self._status = 1
        for place in self._places:
            if place.pid:
                _log.error("%s (process %d) %s", _named(place.member.name), place.pid, why)
                _send(place.pid, signal.SIGKILL)
        self._stopping_since = time.monotonic()


def _heed(number: int, frame: object) -> None:
    """A handler, so that the signal is heard; what to do about it is decided elsewhere."""


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _named(name: str) -> str:
    """At the beginning of a sentence."""
    return f"The worker of {name}" if name.startswith("/") else f"The {name}"


def _cause(code: int, *, is_stuck: bool = False) -> str:
    if code >= 0:
        return f"ended by itself with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if is_stuck:
        return f"was ended by {name} because it was stuck"
    # The system does not say why it killed a process; this is what it does when memory is short.
    hint = " (is memory short?)" if -code == signal.SIGKILL else ""
    return f"was ended by {name}{hint}"


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
