"""The session: a document that several clients and callbacks share, one turn at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from hyperfocal.clock import Clock, Later, TimerHandle
from hyperfocal.document import (
    Change,
    Document,
    DocumentPatchedEvent,
    RecordingCallbackManager,
    as_it_stands,
    dispose,
    in_words,
)
from hyperfocal.engine import Engine, InlineEngine, Owner, describe
from hyperfocal.errors import SessionGoneError, TooManyConnectionsError
from hyperfocal.labels import session_label
from hyperfocal.publishing import Client, Conflicts, Publisher
from hyperfocal.session.admission import Seat
from hyperfocal.session.callbacks import SessionCallbacks
from hyperfocal.session.expiry import ExpiryRules
from hyperfocal.session.lifetime import Lifetime, step
from hyperfocal.session.presence import Presence
from hyperfocal.session.turn import Turn, current_reference
from hyperfocal.session.turns import TurnCall, Turns
from hyperfocal.telemetry import CallbackFailed, EncodingFailed, Telemetry, TurnLong
from hyperfocal.wire import MessageIds

__all__ = ("Session",)


class Session:
    """One document and all that belongs to it.

    Args:
        session_id: the id that clients know.
        document: made by ``hyperfocal.document.new_document``.
        loop: the I/O loop.
        clock: tells the time.
        telemetry: hears what happens.
        url: the application's URL path.
        rules: when to expire.
        message_ids: source of message ids.
        engine: runs the code; by default everything runs on the loop.
        visitor: on whose account threads are used.
        warn_long_turn_s: how long a callback may hold the document before telemetry hears of it,
            in seconds; 0: never.
        max_connections: how many clients may be connected at once.
    """

    def __init__(
        self,
        session_id: str,
        document: Document,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        telemetry: Telemetry,
        url: str = "/",
        rules: ExpiryRules | None = None,
        message_ids: MessageIds | None = None,
        engine: Engine | None = None,
        visitor: str = "",
        warn_long_turn_s: float = 0.0,
        max_connections: int = 1_000,
    ) -> None:
        self._id, self.label = session_id, session_label(session_id)
        self.document = document
        self.url = url
        #: The context that applications see; keeps it alive as long as the session.
        self.context: Any = None
        #: The right to be there, where that is limited.
        self.seat: Seat | None = None
        self.message_ids = message_ids if message_ids is not None else MessageIds()
        self.loop = loop
        self.clock = clock
        self._telemetry = telemetry
        self._warn_long_turn_s = warn_long_turn_s
        self._max_connections = max_connections
        self._lifetime = Lifetime.BUILDING
        #: The turn that ran, or the job that waited, when it would have been discarded otherwise.
        self._kept_by: object | None = None
        self._presence = Presence(clock, rules if rules is not None else ExpiryRules())
        self._conflicts = Conflicts(clock.monotonic, self._look_at_conflicts)
        self.publisher = Publisher(
            document,
            self._presence.subscribers,
            self.message_ids,
            self._unencodable,
            self._conflicts,
        )
        self.turns = Turns(
            session_id,
            document,
            engine if engine is not None else InlineEngine(loop),
            Owner(visitor, url, f"session {self.label}"),
            self.publisher,
            clock,
            self._lasts,
            self._callback_failed,
        )
        self._callbacks = SessionCallbacks(self.turns, document, clock, telemetry, url)
        callbacks = document.callbacks
        if not isinstance(callbacks, RecordingCallbackManager):
            raise TypeError("the document of a session comes from new_document()")
        callbacks.attach(self)
        for callback in document.session_callbacks:
            self.callback_added(callback)

    def __repr__(self) -> str:
        return f"<Session {self.label} of {self.url}, {self._lifetime.name.lower()}>"

    @property
    def id(self) -> str:
        """The id that clients know."""
        return self._id

    def arrive(self, session_id: str, visitor: str) -> None:
        """A visitor has come for whom the session is, or was built ahead."""
        self._id = self.turns.session_id = session_id
        self.label = session_label(session_id)
        self.turns.mailbox.owner = Owner(visitor, self.url, f"session {self.label}")

    # --- lifetime --------------------------------------------------------------------------------

    @property
    def lifetime(self) -> Lifetime:
        """Where it stands."""
        return self._lifetime

    @property
    def destroyed(self) -> bool:
        """Whether it is over, for good."""
        return self._lifetime is Lifetime.DESTROYED

    def go_live(self) -> None:
        """The document is built: clients may come, timers run, the unused lifetime begins."""
        self._lifetime = step(self._lifetime, Lifetime.LIVE)
        self._presence.touch()
        self._callbacks.start()

    def begin_closing(self) -> None:
        """Take no clients any more and stop the timers; turns are still possible."""
        self._lifetime = step(self._lifetime, Lifetime.CLOSING)
        self._callbacks.close()

    async def end_callbacks(self, grace_s: float) -> None:
        """Wait so many seconds for callbacks that run, then cancel them: they may hold a turn."""
        await self._callbacks.wait_closed(grace_s)

    async def destroy(self) -> None:
        """End it: waits for the turn that runs, and lets go.

        Must have begun closing.
        """
        await self.turns.run(lambda turn: self._destroy())
        self.turns.engine.end_keeping(self.turns.mailbox)
        self.context = None

    def _destroy(self) -> None:
        self._lifetime = step(self._lifetime, Lifetime.DESTROYED)
        self.turns.closed = True
        self.say_goodbye()
        self._dispose()

    def say_goodbye(self) -> None:
        """Tell all clients that it is over. In its last turns."""
        self._presence.end("the session has ended; reload the page")

    def abandon(self) -> None:
        """End it although a thread has its document, which is taken apart when that has ended."""
        self._lifetime = step(self._lifetime, Lifetime.DESTROYED)
        self.turns.closed = True
        self.say_goodbye()
        self.turns.mailbox.post(self._dispose_late)
        self.context = None

    def _dispose_late(self) -> None:
        try:
            self._dispose()
        finally:
            self.turns.mailbox.release()
            self.turns.engine.end_keeping(self.turns.mailbox)

    def _dispose(self) -> None:
        self.publisher.changes.take()
        self._conflicts.close()
        dispose(self.document, self.id)

    # --- who is there, and for how long the session stays ----------------------------------------

    def is_due(self, now: float) -> bool:
        """Whether it should be discarded now (monotonic seconds).

        Never while a turn goes on; but turns that follow each other closely, such as those of
        timers that take as long as their period, do not keep it for ever.
        """
        if self._lifetime is not Lifetime.LIVE or not self._presence.is_due(now):
            self._kept_by = None
            return False
        if not self.turns.mailbox.busy:
            return True
        keeps, kept_by = self.turns.now or self.turns.mailbox.next_job, self._kept_by
        if keeps is None:  # a turn is at its end
            return False
        self._kept_by = keeps
        return kept_by is not None and kept_by is not keeps

    def is_unused(self, seconds: float, now: float) -> bool:
        """Whether nobody has used it for so long (``now`` is monotonic), or needs it."""
        if self._lifetime is not Lifetime.LIVE or self.turns.mailbox.busy:
            return False
        return self._presence.is_unused(seconds, now)

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._presence)

    def attach(self, client: Client, page: str = "") -> bool:
        """A client has connected. It gets changes once it has the document (``subscribe``).

        Returns:
            whether a client of this page has been connected to this session before.

        Raises:
            SessionGoneError: it is too late.
            TooManyConnectionsError: others were there before.
        """
        if self._lifetime is not Lifetime.LIVE:
            raise SessionGoneError(self.id)
        if len(self._presence) >= self._max_connections:
            raise TooManyConnectionsError("this session has as many connections as it may")
        return self._presence.join(client, page)

    def subscribe(self, client: Client) -> None:
        """From here on the client gets changes. Call it in the turn that gives it the document."""
        self._presence.subscribers.subscribe(client)

    def told_all(self, client: Client) -> None:
        """The client gets the whole document, and with it all that it has missed. In a turn."""
        self.publisher.told_all(client)
        self._conflicts.forget(client)

    def note_page(self, page: str) -> bool:
        """A page is about to get the document. Returns whether it has had it before."""
        return self._presence.note_page(page)

    def detach(self, client: Client, page: str = "", *, lost: bool) -> None:
        """A client has gone; ``lost`` says that it did not close the connection itself."""
        self._presence.leave(client, page, lost=lost)
        self.turns.mailbox.post(partial(self._forget, client))

    def _forget(self, client: Client) -> None:
        self.publisher.told_all(client)
        self._conflicts.gone(client)
        self.turns.mailbox.release()

    @property
    def milliseconds_since_last_unsubscribe(self) -> float:
        """How long ago the last client that left did so, or the session began."""
        return self._presence.idle_s * 1000

    def block_expiration(self) -> None:
        """Keep the session although no client is there, until ``unblock_expiration``."""
        self._presence.block()

    def unblock_expiration(self) -> None:
        """Take back one ``block_expiration``.

        Raises:
            RuntimeError: nothing was blocked.
        """
        self._presence.unblock()

    def request_expiration(self) -> None:
        """Let the session go at the next check, once no client is there and nothing blocks it."""
        self._presence.requested = True

    @property
    def expiration_requested(self) -> bool:
        """Whether ``request_expiration`` was called."""
        return self._presence.requested

    @property
    def expiration_blocked(self) -> bool:
        """Whether the session is kept without clients."""
        return self._presence.blocked > 0

    @property
    def expiration_blocked_count(self) -> int:
        """How many ``block_expiration`` calls have not been taken back."""
        return self._presence.blocked

    # --- turns -----------------------------------------------------------------------------------

    def post(
        self,
        call: TurnCall,
        originator: object | None = None,
        gone: Callable[[], None] | None = None,
    ) -> None:
        """Have ``call`` run in a turn: see ``Turns.post``."""
        self.turns.post(call, originator, gone)

    def turn(self, originator: object | None = None) -> _TurnRequest:
        """A turn, for ``async with``: waits until everybody who asked before has had theirs."""
        return _TurnRequest(self.turns, originator)

    async def with_locked_document(self, func: Callable[[Document], Any]) -> Any:
        """Run ``func(document)`` in a turn and give back what it, or its awaitable, gives.

        Returns ``None`` without calling it when the session is over.

        Raises:
            TurnReentryError: the caller holds the turn for which it would wait.
            Exception: whatever ``func`` raises.
        """
        called = False

        def call(document: Document) -> Any:
            nonlocal called
            called = True
            return func(document)

        try:
            return await self.turns.with_locked_document(call)
        except SessionGoneError:
            if called:
                raise
            return None

    async def with_document_locked(self, func: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Run ``func(*args, **kw)`` in a turn: the older spelling, for existing applications."""
        return await self.with_locked_document(lambda _: func(*args, **kw))

    def _lasts(self, turn: Turn) -> TimerHandle | None:
        """A turn is known to last: a coroutine holds it, and calls, or the I/O loop calls."""
        limit = self._warn_long_turn_s
        if not limit:
            return None
        loop = turn.task.get_loop() if turn.task is not None else self.loop
        when = self.clock.monotonic() + limit
        if turn.task is not None:
            return self.clock.call_at(loop, when, partial(self._long, turn))
        return Later.at(self.clock, loop, when, partial(self._long, turn))

    def _long(self, turn: Turn) -> None:
        if self.turns.now is turn:
            callback, stack = describe(turn.frame())
            limit = self._warn_long_turn_s
            self._telemetry.emit(TurnLong(self.url, self.label, limit, callback, stack))

    # --- changes: the sink of the document -------------------------------------------------------

    def may_change(self) -> bool:
        """Whether the calling code may change the document: it belongs to the turn that runs."""
        turns = self.turns
        return turns.has_turn() or (not self._callbacks.unlocked and turns.is_excused())

    def record(self, event: DocumentPatchedEvent) -> bool:
        """See ``ChangeSink``."""
        turn, reference = self.turns.now, current_reference()
        if (turn is None or reference is None or reference() is not turn) and (
            not self.may_change()
        ):
            return False
        self.changed(event)
        return True

    def has_turn(self) -> bool:
        """Whether the calling code belongs to the turn that runs, and shows it by its context."""
        return self.turns.has_turn()

    def await_later(self, awaitable: Coroutine[Any, Any, Any]) -> bool:
        """Await it in the turn that runs; False: there is none."""
        turn = self.turns.now
        if turn is None:
            return False
        turn.awaited.append(awaitable)
        return True

    @property
    def _subscribed_connections(self) -> tuple[()]:
        """Where Panel writes changes by itself. It writes to the document here, see ``panel``."""
        return ()

    def changed(self, event: DocumentPatchedEvent) -> None:
        """Note a change; it leaves with the turn."""
        if self._lifetime is not Lifetime.BUILDING:
            self.publisher.changes.add(event)
            turn = self.turns.now
            if turn is not None and turn.progress is not None:
                turn.progress.changed()

    def has_room(self) -> None:
        """A client that lagged keeps up again: tell it what it has missed. From any thread."""
        # Whatever the turn has noted that runs now: the end of the next one tells everything.
        if self._lifetime is Lifetime.LIVE:
            self.post(_nothing)

    def _look_at_conflicts(self, when: float) -> TimerHandle:
        def look() -> None:
            self.post(self._tell_again)

        return Later.at(self.clock, self.loop, when, look)

    def _tell_again(self, turn: Turn) -> None:
        """Clients may have crossed the server's changes: tell them how things stand."""
        for client, changes in self._conflicts.due().items():
            found = (as_it_stands(turn.document, change) for change in changes)
            standing = [change for change in found if change is not None]
            if standing:
                self.publisher.tell_again(client, standing)
                self._conflicts.told_again(standing)

    def _callback_failed(self, error: BaseException) -> None:
        self._telemetry.emit(CallbackFailed(self.url, "of a change", error, self.label))

    def _unencodable(self, failures: Sequence[tuple[Change, Exception]]) -> None:
        (change, error), others = failures[0], len(failures) - 1
        what = in_words(change.event)
        self._telemetry.emit(EncodingFailed(self.url, self.label, what, error, others))

    def callback_added(self, callback: Any) -> None:
        """Start a timer for a session callback of the document. From any thread."""
        self._callbacks.add(callback)

    def callback_removed(self, callback: Any) -> None:
        """Stop the timer; a no-op when it has fired. From any thread."""
        self._callbacks.remove(callback)


class _TurnRequest:
    """What ``Session.turn`` gives: an asynchronous context manager."""

    __slots__ = ("_originator", "_turn", "_turns")

    def __init__(self, turns: Turns, originator: object | None) -> None:
        self._turns = turns
        self._originator = originator
        self._turn: Turn | None = None

    async def __aenter__(self) -> Turn:
        turn = await self._turns.acquire(self._originator)
        self._turn = turn.__enter__()
        return turn

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._turn is not None
        self._turn.end()


def _nothing(turn: Turn) -> Coroutine[Any, Any, None] | None:
    return None
