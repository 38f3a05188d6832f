"""Mistakes that somebody could make in the session layer; the simulation has to notice each."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest

from hyperfocal.connection import Connection, Outbox
from hyperfocal.engine import Mailbox
from hyperfocal.errors import SessionGoneError
from hyperfocal.publishing import Conflicts, Publisher
from hyperfocal.session import Session, SessionRegistry
from hyperfocal.session.admission import Admission, Seat
from hyperfocal.session.callbacks import SessionCallbacks
from hyperfocal.session.presence import Presence
from hyperfocal.session.turn import Turn
from hyperfocal.session.turns import Turns

__all__ = ("MUTANTS",)

Patch = pytest.MonkeyPatch


def _mailboxes_are_for_latecomers(patch: Patch) -> None:
    def take(self: Any) -> Any:
        return self._jobs.pop()

    patch.setattr(Mailbox, "take", take)


def _mailboxes_are_not_kept_for_those_who_wait(patch: Patch) -> None:
    release = Mailbox.release

    def careless(self: Any) -> None:
        if len(self._jobs) > 1:
            self._scheduler.ready(self)
        release(self)

    patch.setattr(Mailbox, "release", careless)


def _cancelled_waiters_keep_the_mailbox(patch: Patch) -> None:
    def post_for(self: Any, outcome: Any, begin: Any) -> None:
        def job() -> None:
            if outcome.done:
                return
            if self.closed:
                self.mailbox.release()
                outcome.fail(SessionGoneError(self.session_id))
            else:
                begin(self._begin(None))

        self._refuse_reentry()
        self.mailbox.post(job)

    patch.setattr(Turns, "_post_for", post_for)


def _mailboxes_are_free_when_a_turn_has_them(patch: Patch) -> None:
    enter = Turn.__enter__

    def forgetful(self: Any) -> Turn:
        self._host.engine.loop.call_soon(self._host.mailbox.release)
        return enter(self)

    patch.setattr(Turn, "__enter__", forgetful)


def _own_turn_is_waited_for(patch: Patch) -> None:
    async def answer(self: Any, outcome: Any) -> Any:
        return await outcome

    patch.setattr(Turns, "_answer", answer)
    patch.setattr(Turns, "_refuse_reentry", lambda self: None)


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
    said = Publisher._said

    def to_the_originator(self: Any, originator: object | None, *rest: Any) -> Any:
        found = said(self, originator, *rest)
        if originator is not None:
            found.messages[:] = [one for one in found.messages if one[0] is originator]
        return found

    patch.setattr(Publisher, "_said", to_the_originator)


def _lagging_clients_are_forgotten(patch: Patch) -> None:
    patch.setattr(Session, "has_room", lambda self: None)
    offer = Publisher.offer

    def forgetful(self: Any, said: Any) -> None:
        said.behind.clear()
        offer(self, said)

    patch.setattr(Publisher, "offer", forgetful)


def _crossed_changes_are_left(patch: Patch) -> None:
    patch.setattr(Conflicts, "due", lambda self: {})


def _replies_come_before_the_changes(patch: Patch) -> None:
    answer = Connection._answer_patch

    def early(self: Any, message: Any, turn: Any, failure: Any) -> None:
        host = turn._host
        flush = host.flush
        host.flush = lambda turn: None
        try:
            answer(self, message, turn, failure)
        finally:
            host.flush = flush

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
        self.queued_bytes = self._taken = 0

    patch.setattr(Outbox, "sent", sent)


def _overflow_is_not_told(patch: Patch) -> None:
    patch.setattr(Outbox, "_overflow", lambda self: self._frames.clear())


def _timers_run_to_the_end(patch: Patch) -> None:
    patch.setattr(SessionCallbacks, "close", lambda self: None)


def _failing_callbacks_keep_the_document(patch: Patch) -> None:
    def in_turn(self: Any, timer: Any, ended: Any, turn: Any) -> Any:
        if not self._timers.begin(timer):
            ended(None)
            return None
        result = timer.callback()
        if inspect.isawaitable(result):
            return self._awaited(result, ended)
        ended(None)
        return None

    patch.setattr(SessionCallbacks, "_in_turn", in_turn)
    ended = Turns.ended

    def kept(self: Any, turn: Turn) -> None:
        if sys.exc_info()[0] is None:
            ended(self, turn)

    patch.setattr(Turns, "ended", kept)


def _all() -> dict[str, Callable[[Patch], None]]:
    here: dict[str, Any] = globals()
    return {
        name.strip("_").replace("_", " "): value
        for name, value in here.items()
        if name.startswith("_") and hasattr(value, "__code__") and value is not _all
    }


#: Name -> what makes the mistake.
MUTANTS = _all()
