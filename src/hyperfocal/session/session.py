"""The session: a document that several clients and callbacks share, one turn at a time."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from hyperfocal.clock import Clock, TimerHandle
from hyperfocal.document import (
    Change,
    Document,
    DocumentPatchedEvent,
    RecordingCallbackManager,
    as_it_stands,
    dispose,
)
from hyperfocal.errors import SessionGoneError, TooManyConnectionsError, TurnReentryError
from hyperfocal.session.admission import Seat
from hyperfocal.session.broadcast import Broadcast
from hyperfocal.session.callbacks import SessionCallbacks
from hyperfocal.session.execution import Execution
from hyperfocal.session.expiry import ExpiryRules
from hyperfocal.session.habits import Habit
from hyperfocal.session.lifetime import Lifetime, step
from hyperfocal.session.lock import TurnLock
from hyperfocal.session.presence import Client, Presence
from hyperfocal.session.settling import Settling
from hyperfocal.session.turn import Turn, current_turn, turns_around
from hyperfocal.session.waiting import waits_for
from hyperfocal.telemetry import CallbackFailed, Telemetry, TurnLong
from hyperfocal.wire import MessageIds

__all__ = ("Session",)

_T = TypeVar("_T")

#: Seconds between looks at whether a turn waits for a task that waits for the turn's end.
_REENTRY_CHECK_S = 0.05


class Session:
    """One document and all that belongs to it. Lives on one event loop.

    Args:
        session_id: the id that clients know.
        document: made by ``hyperfocal.document.new_document``.
        loop: the event loop on which turns are taken.
        clock: tells the time.
        telemetry: hears what happens.
        url: the application's URL path, for telemetry.
        rules: when to expire.
        message_ids: source of message ids.
        execution: where plain code runs; by default all of it runs in place.
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
        execution: Execution | None = None,
        warn_long_turn_s: float = 0.0,
        max_connections: int = 1_000,
    ) -> None:
        self.id = session_id
        self.document = document
        self.url = url
        #: The context that applications see; keeps it alive as long as the session.
        self.context: Any = None
        #: The right to be there, where that is limited.
        self.seat: Seat | None = None
        self.message_ids = message_ids if message_ids is not None else MessageIds()
        self.execution = (
            execution if execution is not None else Execution.without_threads(clock, telemetry)
        )
        self.loop = loop
        self.clock = clock
        self._telemetry = telemetry
        self._warn_long_turn_s = warn_long_turn_s
        self._max_connections = max_connections
        self._lifetime = Lifetime.BUILDING
        self._lock = TurnLock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn: Turn | None = None
        self._callbacks = SessionCallbacks(self, loop, clock, telemetry)
        self._presence = Presence(clock, rules if rules is not None else ExpiryRules())
        self._settling = Settling(clock.monotonic, partial(clock.call_at, loop), self._settle)
        self.broadcast = Broadcast(
            document, self._presence, self.message_ids, self._unencodable, self._settling.note
        )
        callbacks = document.callbacks
        if not isinstance(callbacks, RecordingCallbackManager):
            raise TypeError("the document of a session comes from new_document()")
        callbacks.attach(self)
        for callback in document.session_callbacks:
            self.callback_added(callback)

    def __repr__(self) -> str:
        return f"<Session {self.id} of {self.url}, {self._lifetime.name.lower()}>"

    # --- lifetime ---------------------------------------------------------------------------

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

    async def end_callbacks(self, grace_s: float = 1.0) -> None:
        """Wait so many seconds for callbacks that run, then cancel them: they may hold a turn."""
        await self._callbacks.wait_closed(grace_s)

    async def destroy(self) -> None:
        """End it: waits for the turn that runs, and lets go.

        Must have begun closing.
        """
        async with self.turn():
            self._lifetime = step(self._lifetime, Lifetime.DESTROYED)
            self._presence.end("the session has ended; reload the page")
            self.broadcast.changes.take()
            self._settling.close()
            dispose(self.document, self.id)
        self.context = None

    # --- who is there, and for how long the session stays ------------------------------------

    def is_due(self, now: float) -> bool:
        """Whether it should be discarded now (monotonic seconds). Never while a turn runs."""
        if self._lifetime is not Lifetime.LIVE or self._lock.held:
            return False
        return self._presence.is_due(now)

    def is_unused(self, seconds: float, now: float) -> bool:
        """Whether nobody has used it for so long (``now`` is monotonic), or needs it."""
        if self._lifetime is not Lifetime.LIVE or self._lock.held:
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
        self._presence.subscribe(client)

    def told_all(self, client: Client) -> None:
        """The client gets the whole document, and with it all that it has missed."""
        self.broadcast.told_all(client)
        self._settling.forget(client)

    def note_page(self, page: str) -> bool:
        """A page is about to get the document. Returns whether it has had it before."""
        return self._presence.note_page(page)

    def detach(self, client: Client, page: str = "", *, lost: bool) -> None:
        """A client has gone; ``lost`` says that it did not close the connection itself."""
        self._presence.leave(client, page, lost=lost)
        self.broadcast.told_all(client)
        self._settling.gone(client)

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

    # --- turns ------------------------------------------------------------------------------

    def turn_nowait(self, originator: object | None = None) -> Turn | None:
        """A turn if the document is free, else ``None``. Use it as ``with turn:``.

        Raises:
            SessionGoneError: the session is over.
        """
        if self._lifetime is Lifetime.DESTROYED:
            raise SessionGoneError(self.id)
        if not self._lock.try_acquire():
            return None
        return self._begin(originator)

    def turn(self, originator: object | None = None) -> _TurnRequest:
        """A turn, for ``async with``: waits until everybody who asked before has had theirs."""
        return _TurnRequest(self, originator)

    async def acquire(self, originator: object | None = None) -> Turn:
        """Wait for a turn; the caller enters and ends it.

        Raises:
            TurnReentryError: the calling code holds the turn for which it would wait.
            SessionGoneError: the session is over, or ended meanwhile.
        """
        holder = self._turn
        current = asyncio.current_task()
        if holder is not None and holder.task is not None and holder.task is current:
            raise TurnReentryError(self.id)
        if holder is not None and holder in turns_around():
            # A task that the turn has started. It may wait for the document, unless the turn
            # waits for it in turn, be it later.
            await self._acquire_unless_awaited(holder, current)
        else:
            await self._lock.acquire()
        if not self._lifetime.has_document:
            self._lock.release()
            raise SessionGoneError(self.id)
        return self._begin(originator)

    @property
    def turn_now(self) -> Turn | None:
        """The turn that runs."""
        return self._turn

    def _begin(self, originator: object | None) -> Turn:
        if self.execution.at_rest:
            self.execution.stir()
        self._turn = Turn(self, originator)
        return self._turn

    def warn_later(self, turn: Turn) -> TimerHandle | None:
        """Have telemetry hear of a turn that goes on for long."""
        limit = self._warn_long_turn_s
        if not limit:
            return None
        when = self.clock.monotonic() + limit
        return self.clock.call_at(self.loop, when, partial(self._long, turn))

    def _long(self, turn: Turn) -> None:
        if self._turn is turn:
            self._telemetry.emit(TurnLong(self.url, self.id, self._warn_long_turn_s))

    def own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that goes on to its end whoever waits for it: it holds a turn."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def release(self, turn: Turn) -> None:
        """A turn has ended; the next in line gets the document. Called by ``Turn.end``."""
        self._turn = None
        self._lock.release()

    async def _acquire_unless_awaited(
        self, holder: Turn, current: asyncio.Task[Any] | None
    ) -> None:
        acquiring = asyncio.ensure_future(self._lock.acquire())
        try:
            while not acquiring.done():
                if current is not None and self._turn is holder and waits_for(holder.task, current):
                    raise TurnReentryError(self.id)
                await asyncio.wait({acquiring}, timeout=_REENTRY_CHECK_S)
        except BaseException:
            if not acquiring.cancel():
                self._lock.release()
            raise

    async def with_locked_document(self, func: Callable[[Document], Any]) -> Any:
        """Run ``func(document)`` in a turn and give back what it, or its awaitable, gives.

        Returns ``None`` without calling it when the session is over.

        Raises:
            TurnReentryError: the caller holds the turn for which it would wait.
            Exception: whatever ``func`` raises.
        """
        try:
            turn = await self.acquire()
        except SessionGoneError:
            return None
        with turn:
            return await self.run_in(turn, func, partial(func, self.document))

    async def run_in(
        self, turn: Turn, callback: Callable[..., Any], call: Callable[[], Any]
    ) -> Any:
        """Run code of the application within a turn that has been entered, wherever it belongs.

        Args:
            turn: the turn.
            callback: by whose habit that is decided.
            call: calls it.

        Returns:
            What it gives, or what its awaitable gives.
        """
        habit = self.execution.habit(callback, self.url)
        if habit is None or habit.quick:
            result = self.execution.in_place(habit, call)
            if not inspect.isawaitable(result):
                return result
            turn.may_last()
        else:
            result = await self.in_thread(turn, habit, call)
        while inspect.isawaitable(result):
            result = await result
        return result

    async def in_thread(self, turn: Turn, habit: Habit, call: Callable[[], _T]) -> _T:
        """Have a worker thread call it within a turn that has been entered."""
        turn.may_last()
        turn.in_thread = True
        try:
            return await self.execution.in_thread(habit, call, self.url)
        finally:
            turn.in_thread = False

    async def with_document_locked(self, func: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Run ``func(*args, **kw)`` in a turn: the older spelling, for existing applications."""
        return await self.with_locked_document(lambda _: func(*args, **kw))

    # --- changes: the sink of the document --------------------------------------------------

    def may_change(self) -> bool:
        """Whether the calling code may change the document: it belongs to the turn that runs."""
        turn = self._turn
        if turn is None:
            return False
        if turn is current_turn() or turn in turns_around():
            return True
        if self._callbacks.unlocked:
            return False
        # Threads that a turn starts, in an executor, say, need not carry its context: let them.
        # On the loop there is no such excuse; this is other code in the middle of the turn.
        try:
            return asyncio.get_running_loop() is not self.loop
        except RuntimeError:
            return True

    def has_turn(self) -> bool:
        """Whether the calling code belongs to the turn that runs, and shows it by its context."""
        turn = self._turn
        return turn is not None and (turn is current_turn() or turn in turns_around())

    @property
    def _subscribed_connections(self) -> tuple[()]:
        """Where Panel writes changes by itself. It writes to the document here, see ``panel``."""
        return ()

    def changed(self, event: DocumentPatchedEvent) -> None:
        """Note a change; it leaves with the turn."""
        if self._lifetime is not Lifetime.BUILDING:
            self.broadcast.changes.add(event)
            turn = self._turn
            if turn is not None and turn.progress is not None:
                turn.progress.changed()

    def flush(self, turn: Turn) -> None:
        """Encode the changes so far, once per audience, and offer them. Called by the turn."""
        if self._lifetime is Lifetime.DESTROYED:
            return
        if turn.progress is not None:
            turn.progress.settle()
        self.broadcast.flush(turn)

    def has_room(self, client: Client) -> None:
        """A client that lagged keeps up again: tell it what it has missed. On the event loop."""
        if self._lifetime is not Lifetime.LIVE or not self.broadcast.is_behind(client):
            return
        turn = self.turn_nowait()
        if turn is None:
            self.own(self._catch_up())
        else:
            turn.end()

    def _settle(self, due: dict[Client, list[Change]]) -> None:
        """Clients may have crossed the server's changes: tell them how things stand."""
        self.own(self._tell_again(due))

    async def _tell_again(self, due: dict[Client, list[Change]]) -> None:
        with contextlib.suppress(SessionGoneError):
            async with self.turn() as turn:
                for client, changes in due.items():
                    found = (as_it_stands(turn.document, change) for change in changes)
                    standing = [change for change in found if change is not None]
                    if standing:
                        self.broadcast.tell_again(client, standing)
                        self._settling.told_again(standing)

    async def _catch_up(self) -> None:
        with contextlib.suppress(SessionGoneError):
            async with self.turn():
                """Whose end tells everything."""

    def _unencodable(self, change: Change, error: Exception) -> None:
        what = f"encoding {change.event!r}"
        self._telemetry.emit(CallbackFailed(self.url, what, error, self.id))

    def callback_added(self, callback: Any) -> None:
        """Start a timer for a session callback of the document. From any thread."""
        self._callbacks.add(callback)

    def callback_removed(self, callback: Any) -> None:
        """Stop the timer; a no-op when it has fired. From any thread."""
        self._callbacks.remove(callback)


class _TurnRequest:
    """What ``Session.turn`` gives: an asynchronous context manager."""

    __slots__ = ("_originator", "_session", "_turn")

    def __init__(self, session: Session, originator: object | None) -> None:
        self._session = session
        self._originator = originator
        self._turn: Turn | None = None

    async def __aenter__(self) -> Turn:
        self._turn = await self._session.acquire(self._originator)
        self._turn.enter()
        return self._turn

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._turn is not None
        self._turn.end()
