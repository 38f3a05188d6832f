"""The session: a document that several clients and callbacks share, one turn at a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Collection
from contextvars import ContextVar
from typing import Any, Protocol

from hyperfocal.clock import Clock
from hyperfocal.document import (
    Change,
    Changes,
    Document,
    DocumentPatchedEvent,
    EncodedPatch,
    Model,
    RecordingCallbackManager,
    dispose,
    encode_changes,
    mark_seen,
    unlocked,
    unseen_models,
)
from hyperfocal.errors import SessionGoneError, TurnReentryError
from hyperfocal.session.expiry import ExpiryRules
from hyperfocal.session.lifetime import Lifetime, step
from hyperfocal.session.lock import TurnLock
from hyperfocal.session.timers import Timer, TimerKind, Timers
from hyperfocal.session.turn import Turn, no_turn, turns_around
from hyperfocal.session.waiting import waits_for
from hyperfocal.telemetry import CallbackFailed, Telemetry, TimerLate
from hyperfocal.wire import Frame, Kind, MessageIds, encode

__all__ = ("Client", "Session")

_MAX_PAGES = 10_000
#: Seconds between looks at whether a turn waits for a task that waits for the turn's end.
_REENTRY_CHECK_S = 0.05

#: Names the session whose @without_document_lock callback the calling code belongs to.
_unlocked_in: ContextVar[object] = ContextVar("hyperfocal_unlocked", default=None)


class Client(Protocol):
    """A connection, as a session sees it."""

    def offer(self, frames: tuple[Frame, ...]) -> None:
        """Queue the frames of one message. Must not block and must not raise."""
        ...

    def end(self, reason: str) -> None:
        """The session is over; close the connection. Must not block and must not raise."""
        ...


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
    ) -> None:
        self.id = session_id
        self.document = document
        self.url = url
        #: The context that applications see; keeps it alive as long as the session.
        self.context: Any = None
        self.message_ids = message_ids if message_ids is not None else MessageIds()
        self._loop = loop
        self._clock = clock
        self._telemetry = telemetry
        self._rules = rules if rules is not None else ExpiryRules()
        self._lifetime = Lifetime.BUILDING
        self._lock = TurnLock()
        self._turn: Turn | None = None
        self._changes = Changes()
        self._timers = Timers(loop, clock, self._run_timer, self._timer_late, started=False)
        self._unlocked_mark = object()
        self._clients: dict[Client, bool] = {}  # client -> it has the document
        self._pages: set[str] = set()
        self._lost: dict[str, float] = {}  # page -> when its connection was lost
        self._blocked = 0
        self._requested = False
        self._idle_since = clock.monotonic()
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
        self._idle_since = self._clock.monotonic()
        self._timers.start()

    def begin_closing(self) -> None:
        """Take no clients any more and stop the timers; turns are still possible."""
        self._lifetime = step(self._lifetime, Lifetime.CLOSING)
        self._timers.close()

    async def end_callbacks(self, grace_s: float = 1.0) -> None:
        """Wait so many seconds for callbacks that run, then cancel them: they may hold a turn."""
        await self._timers.wait_closed(grace_s)

    async def destroy(self) -> None:
        """End it: waits for the turn that runs, and lets go.

        Must have begun closing.
        """
        async with self.turn():
            self._lifetime = step(self._lifetime, Lifetime.DESTROYED)
            for client in self._clients:
                client.end("the session has ended; reload the page")
            self._clients.clear()
            self._changes.take()
            dispose(self.document, self.id)
        self.context = None

    def is_due(self, now: float) -> bool:
        """Whether it should be discarded now (monotonic seconds). Never while a turn runs."""
        if self._lifetime is not Lifetime.LIVE or self._lock.held:
            return False
        due = self._rules.expires_at(
            clients=len(self._clients),
            blocked=self._blocked,
            requested=self._requested,
            idle_since=self._idle_since,
            lost_at=max(self._lost.values(), default=None),
        )
        return due is not None and due <= now

    def block_expiration(self) -> None:
        """Keep the session although no client is there, until ``unblock_expiration``."""
        self._blocked += 1

    def unblock_expiration(self) -> None:
        """Take back one ``block_expiration``.

        Raises:
            RuntimeError: nothing was blocked.
        """
        if self._blocked == 0:
            raise RuntimeError("unblock_expiration called more often than block_expiration")
        self._blocked -= 1
        self._idle_since = self._clock.monotonic()

    def request_expiration(self) -> None:
        """Let the session go at the next check, once no client is there and nothing blocks it."""
        self._requested = True

    @property
    def expiration_requested(self) -> bool:
        """Whether ``request_expiration`` was called."""
        return self._requested

    @property
    def expiration_blocked(self) -> bool:
        """Whether the session is kept without clients."""
        return self._blocked > 0

    @property
    def expiration_blocked_count(self) -> int:
        """How many ``block_expiration`` calls have not been taken back."""
        return self._blocked

    # --- clients ----------------------------------------------------------------------------

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    def attach(self, client: Client, page: str = "") -> None:
        """A client has connected. It gets changes once it has the document (``subscribe``).

        Raises:
            SessionGoneError: it is too late.
        """
        if self._lifetime is not Lifetime.LIVE:
            raise SessionGoneError(self.id)
        self._clients[client] = False
        self._lost.pop(page, None)

    def subscribe(self, client: Client) -> None:
        """From here on the client gets changes. Call it in the turn that gives it the document."""
        if client in self._clients:
            self._clients[client] = True

    def note_page(self, page: str) -> bool:
        """A page is about to get the document. Returns whether it has had it before.

        Past a number of pages that no honest use reaches, every page counts as known: that
        costs it some speed, the reverse would cost it its arrays.
        """
        if page in self._pages or len(self._pages) >= _MAX_PAGES:
            return True
        self._pages.add(page)
        return False

    def detach(self, client: Client, page: str = "", *, lost: bool) -> None:
        """A client has gone; ``lost`` says that it did not close the connection itself."""
        if self._clients.pop(client, None) is None:
            return
        self._idle_since = self._clock.monotonic()
        self._lost.pop(page, None)
        if lost and len(self._lost) < _MAX_PAGES:
            self._lost[page] = self._idle_since

    # --- turns ------------------------------------------------------------------------------

    def turn_nowait(self, originator: object | None = None) -> Turn | None:
        """A turn if the document is free, else ``None``. Use it as ``with turn:``.

        Raises:
            SessionGoneError: the session is over.
        """
        if not self._lifetime.has_document:
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

    def _begin(self, originator: object | None) -> Turn:
        self._turn = Turn(self, originator)
        return self._turn

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
            result = func(self.document)
            if inspect.isawaitable(result):
                return await result
            return result

    async def with_document_locked(self, func: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Run ``func(*args, **kw)`` in a turn: the older spelling, for existing applications."""
        return await self.with_locked_document(lambda _: func(*args, **kw))

    # --- changes: the sink of the document --------------------------------------------------

    def may_change(self) -> bool:
        """Whether the calling code may change the document: it belongs to the turn that runs."""
        turn = self._turn
        if turn is None:
            return False
        if turn in turns_around():
            return True
        if _unlocked_in.get() is self._unlocked_mark:
            return False
        # Threads that a turn starts, in an executor, say, need not carry its context: let them.
        # On the loop there is no such excuse; this is other code in the middle of the turn.
        try:
            return asyncio.get_running_loop() is not self._loop
        except RuntimeError:
            return True

    def changed(self, event: DocumentPatchedEvent) -> None:
        """Note a change; it leaves with the turn."""
        if self._lifetime is not Lifetime.BUILDING:
            self._changes.add(event)

    def flush(self, turn: Turn) -> None:
        """Encode the changes so far, once per audience, and offer them. Called by the turn."""
        if not self._lifetime.has_document:
            return
        if self._changes:
            changes = self._changes.take()
            fresh = unseen_models(self.document)
            audiences: dict[object | None, EncodedPatch | None] = {}
            frames: dict[object | None, tuple[Frame, ...]] = {}
            # Who has had a hand in the changes must not hear of its own doing; under hold() that
            # may be somebody else than this turn's originator.
            setters = {setter for change in changes for setter in change.setters}
            for client, has_document in list(self._clients.items()):
                if not has_document:
                    continue
                own = client is turn.originator or client in setters
                audience = client if own else None
                if audience not in audiences:
                    unseen = fresh - turn.defined if client is turn.originator else fresh
                    patch = self._encode(changes, unseen, audience)
                    audiences[audience] = patch
                    if patch is not None:
                        frames[audience] = encode(
                            Kind.PATCH_DOC,
                            patch.content,
                            msgid=self.message_ids(),
                            buffers=patch.buffers,
                        )
                if audience in frames:
                    client.offer(frames[audience])
        mark_seen(self.document)

    def _encode(
        self, changes: list[Change], fresh: Collection[Model], client: object | None
    ) -> EncodedPatch | None:
        try:
            return encode_changes(self.document, changes, fresh=fresh, client=client)
        except Exception as error:
            # One value that has no JSON form must not take the others of the turn with it.
            encodable: list[Change] = []
            for change in changes:
                try:
                    encode_changes(self.document, [change], fresh=fresh)
                except Exception:
                    self._telemetry.emit(
                        CallbackFailed(self.url, f"encoding {change.event!r}", error, self.id)
                    )
                else:
                    encodable.append(change)
            return encode_changes(self.document, encodable, fresh=fresh, client=client)

    # --- session callbacks ------------------------------------------------------------------

    def callback_added(self, callback: Any) -> None:
        """Start a timer for a session callback of the document. From any thread."""
        if hasattr(callback, "period"):
            self._timers.add(
                callback, TimerKind.PERIODIC, callback.callback, callback.period / 1000
            )
        elif hasattr(callback, "timeout"):
            self._timers.add(
                callback, TimerKind.TIMEOUT, callback.callback, callback.timeout / 1000
            )
        else:
            self._timers.add(callback, TimerKind.NEXT_TICK, callback.callback)

    def callback_removed(self, callback: Any) -> None:
        """Stop the timer; a no-op when it has fired. From any thread."""
        self._timers.discard(callback)

    def _timer_late(self, timer: Timer, took_s: float) -> None:
        self._telemetry.emit(TimerLate(self.url, timer.name, timer.delay_s, took_s))

    def _run_timer(self, timer: Timer) -> Awaitable[None] | None:
        """Run a session callback: in place when the document is free and the callback plain."""
        if getattr(timer.callback, "nolock", False):
            return self._run_unlocked(timer)
        try:
            turn = self.turn_nowait()
        except SessionGoneError:
            return None
        if turn is None:
            return self._run_locked(timer)
        turn.enter()
        result: Any = None
        try:
            result = timer.callback()
        except BaseException as error:  # CancelledError and KeyboardInterrupt, too, are its own
            self._callback_failed(timer, error)
        finally:
            if not inspect.isawaitable(result):
                turn.end()
        if not inspect.isawaitable(result):
            return None
        turn.leave()
        return self._await_in_turn(timer, turn, result)

    async def _await_in_turn(self, timer: Timer, turn: Turn, result: Awaitable[Any]) -> None:
        """Go on with a turn in a task: the callback turned out to be asynchronous."""
        with turn:
            try:
                await result
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                self._callback_failed(timer, error)

    async def _run_locked(self, timer: Timer) -> None:
        try:
            turn = await self.acquire()
        except SessionGoneError:
            return
        with turn:
            if timer.removed and timer.kind is TimerKind.PERIODIC:
                return
            try:
                result = timer.callback()
                if inspect.isawaitable(result):
                    await result
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                self._callback_failed(timer, error)

    async def _run_unlocked(self, timer: Timer) -> None:
        token = _unlocked_in.set(self._unlocked_mark)
        try:
            with no_turn(), unlocked(self.document):
                result = timer.callback()
                if inspect.isawaitable(result):
                    await result
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self._callback_failed(timer, error)
        finally:
            _unlocked_in.reset(token)

    def _callback_failed(self, timer: Timer, error: BaseException) -> None:
        self._telemetry.emit(CallbackFailed(self.url, timer.name, error, self.id))


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
