"""Mistakes that somebody could make in the session layer; the simulation has to notice each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hyperfocal.connection import Connection, Outbox
from hyperfocal.session import Session, SessionRegistry
from hyperfocal.session.admission import Admission, Seat
from hyperfocal.session.broadcast import Broadcast
from hyperfocal.session.callbacks import SessionCallbacks
from hyperfocal.session.lock import TurnLock
from hyperfocal.session.presence import Presence
from hyperfocal.session.settling import Settling
from hyperfocal.session.turn import Turn

__all__ = ("MUTANTS",)

Patch = pytest.MonkeyPatch


def _lock_is_for_latecomers(patch: Patch) -> None:
    def release(self: Any) -> None:
        while self._waiters:
            waiter = self._waiters.pop()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._held = False

    patch.setattr(TurnLock, "release", release)


def _lock_is_not_kept_for_those_who_wait(patch: Patch) -> None:
    def release(self: Any) -> None:
        self._held = False
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    patch.setattr(TurnLock, "release", release)


def _cancelled_waiters_keep_the_lock(patch: Patch) -> None:
    async def acquire(self: Any) -> None:
        if self.try_acquire():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def release(self: Any) -> None:
        if self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
            return
        self._held = False

    patch.setattr(TurnLock, "acquire", acquire)
    patch.setattr(TurnLock, "release", release)


def _lock_is_free_when_a_thread_has_it(patch: Patch) -> None:
    begin = Session._begin

    def forgetful(self: Any, originator: object | None) -> Turn:
        turn = begin(self, originator)
        if originator is not None:
            self.loop.call_soon(self._lock.release)
        return turn

    patch.setattr(Session, "_begin", forgetful)


def _own_turn_is_waited_for(patch: Patch) -> None:
    async def acquire(self: Any, originator: object | None = None) -> Turn:
        await self._lock.acquire()
        return self._begin(originator)  # type: ignore[no-any-return]

    patch.setattr(Session, "acquire", acquire)


def _builds_are_not_shared(patch: Patch) -> None:
    async def get_or_create(self: Any, session_id: str, build: Any) -> Session:
        if session_id not in self._sessions:
            self._sessions[session_id] = await build()
        return self._sessions[session_id]  # type: ignore[no-any-return]

    patch.setattr(SessionRegistry, "get_or_create", get_or_create)


def _failed_builds_stay(patch: Patch) -> None:
    inner = SessionRegistry.get_or_create

    async def get_or_create(self: Any, session_id: str, build: Any) -> Session:
        failed: dict[str, Exception] = self.__dict__.setdefault("failed", {})
        if session_id in failed:
            raise failed[session_id]
        try:
            return await inner(self, session_id, build)
        except Exception as error:
            failed[session_id] = error
            raise

    patch.setattr(SessionRegistry, "get_or_create", get_or_create)


def _sessions_in_use_expire(patch: Patch) -> None:
    patch.setattr(
        Presence, "is_due", lambda self, now: now - self._idle_since > self._rules.unused_s
    )


def _nobody_expires(patch: Patch) -> None:
    patch.setattr(Presence, "is_due", lambda self, now: False)


def _expired_sessions_are_ended_twice(patch: Patch) -> None:
    async def discard(self: Any, session: Session, why: str) -> None:
        self._sessions.pop(session.id, None)
        await self._destroy(session, why)

    patch.setattr(SessionRegistry, "discard", discard)


def _seats_are_not_freed(patch: Patch) -> None:
    patch.setattr(Seat, "free", lambda self: None)


def _seats_are_freed_twice(patch: Patch) -> None:
    patch.setattr(Seat, "free", lambda self: self._admission.freed(self))
    freed = Admission.freed

    def twice(self: Any, seat: Seat) -> None:
        freed(self, seat)
        self._seats -= 1

    patch.setattr(Admission, "freed", twice)


def _clients_hear_their_own_changes_only(patch: Patch) -> None:
    said = Broadcast._said

    def to_the_originator(self: Any, turn: Turn, *rest: Any) -> Any:
        found = said(self, turn, *rest)
        if turn.originator is not None:
            found.messages[:] = [one for one in found.messages if one[0] is turn.originator]
        return found

    patch.setattr(Broadcast, "_said", to_the_originator)


def _lagging_clients_are_forgotten(patch: Patch) -> None:
    patch.setattr(Session, "has_room", lambda self, client: None)
    patch.setattr(Broadcast, "is_behind", lambda self, client: False)
    offer = Broadcast.offer

    def forgetful(self: Any, said: Any) -> None:
        said.behind.clear()
        offer(self, said)

    patch.setattr(Broadcast, "offer", forgetful)


def _crossed_changes_are_left(patch: Patch) -> None:
    patch.setattr(Settling, "_look", lambda self: None)


def _replies_come_before_the_changes(patch: Patch) -> None:
    answer = Connection._answer_patch

    def early(self: Any, message: Any, turn: Any, failure: Any) -> None:
        flush = turn.session.flush
        turn.session.flush = lambda turn: None
        try:
            answer(self, message, turn, failure)
        finally:
            turn.session.flush = flush

    patch.setattr(Connection, "_answer_patch", early)


def _some_requests_have_no_reply(patch: Patch) -> None:
    answer = Connection._answer_patch

    def silent(self: Any, message: Any, turn: Any, failure: Any) -> None:
        if failure is None:
            answer(self, message, turn, failure)

    patch.setattr(Connection, "_answer_patch", silent)


def _outboxes_lose_what_is_offered_while_they_drain(patch: Patch) -> None:
    def sent(self: Any) -> None:
        self._frames.clear()
        self._queued = self._taken = 0

    patch.setattr(Outbox, "sent", sent)


def _overflow_is_not_told(patch: Patch) -> None:
    patch.setattr(Outbox, "overflow", lambda self: self._frames.clear())


def _timers_run_to_the_end(patch: Patch) -> None:
    patch.setattr(SessionCallbacks, "close", lambda self: None)


def _failing_callbacks_keep_the_document(patch: Patch) -> None:
    inner = Turn.__exit__

    def leave(self: Any, kind: Any, error: Any, trace: Any) -> None:
        if kind is None or not issubclass(kind, Exception):
            inner(self, kind, error, trace)

    patch.setattr(Turn, "__exit__", leave)


def _curdoc_is_left_behind(patch: Patch) -> None:
    patch.setattr(Turn, "leave", lambda self: None)


def _all() -> dict[str, Callable[[Patch], None]]:
    here: dict[str, Any] = globals()
    return {
        name.strip("_").replace("_", " "): value
        for name, value in here.items()
        if name.startswith("_") and hasattr(value, "__code__") and value is not _all
    }


#: Name -> what makes the mistake.
MUTANTS = _all()
