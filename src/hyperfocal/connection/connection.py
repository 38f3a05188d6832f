"""What a client's messages do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from hyperfocal.connection.outbox import Outbox
from hyperfocal.document import (
    apply_patch,
    decode_patch,
    encode_document,
    listeners,
    replace_document,
)
from hyperfocal.errors import CallbackError, PeerError, RequestError, SessionGoneError
from hyperfocal.session import Habit, Session, Turn
from hyperfocal.telemetry import (
    BegunAfresh,
    CallbackFailed,
    ConnectionClosed,
    ConnectionOpened,
    OutboxOverflowed,
    PatchRefused,
    Telemetry,
    text_of,
    traceback_of,
)
from hyperfocal.wire import (
    Decoder,
    Frame,
    Kind,
    Limits,
    Message,
    ack,
    dump_json,
    encode,
    error_reply,
    ok_reply,
    reply,
)

__all__ = ("Connection",)

#: Patches of a client in which to look whether it comes back. It says so once everything is shown,
#: and every view may have said something of itself before.
_LOOKS = 1000

#: Close codes with which a client says that it is done (RFC 6455 section 7.4.1).
_CLOSED_BY_CLIENT = frozenset({1000, 1001})


@dataclass(frozen=True, slots=True)
class _Slow:
    """A patch whose callbacks have not proved quick."""

    habit: Habit
    apply: Callable[[], CallbackError | None]


class Connection:
    """One client. A transport feeds frames in and drains the outbox.

    Args:
        session: the session it belongs to.
        outbox: the queue of frames to it.
        telemetry: hears what happens.
        url: the application's URL path, for telemetry.
        limits: what a message may be.
        page: names the page that the client shows. A page that has had the document before
            gets it with arrays inline (see ``shared/CONTRACT.md``, "Reconnecting").
        may_push: the client may replace the whole document, and set JavaScript callbacks.
        versions: what SERVER-INFO-REPLY says, as ``{"bokeh": ..., "server": ...}``.
        dev: put tracebacks into ERROR replies.
        afresh: type and data of a message for a page that comes back and finds another session
            than it had.
    """

    def __init__(
        self,
        session: Session,
        outbox: Outbox,
        *,
        telemetry: Telemetry,
        url: str = "/",
        limits: Limits | None = None,
        page: str = "",
        may_push: bool = False,
        versions: dict[str, str] | None = None,
        dev: bool = False,
        afresh: tuple[str, str] | None = None,
    ) -> None:
        self._session = session
        self._outbox = outbox
        self._telemetry = telemetry
        self._url = url
        self._page = page
        self._may_push = may_push
        self._versions = versions if versions is not None else {}
        self._dev = dev
        self._afresh = afresh
        self._looks = _LOOKS
        self._decoder = Decoder(limits)
        self._open = False
        outbox.on_room = self._has_room

    @property
    def lagging(self) -> bool:
        """Whether so much waits for the client that it had better be told less often."""
        return self._outbox.lagging

    def _has_room(self) -> None:
        self._session.has_room(self)

    def give_up(self) -> None:
        """The client has missed too much: have it come back and pull the document."""
        if not self._outbox.overflowed:
            self._outbox.overflow()
            self._overflowed()

    def _overflowed(self) -> None:
        self._telemetry.emit(
            OutboxOverflowed(self._url, self._session.id, self._outbox.queued_bytes)
        )

    def open(self) -> None:
        """Join the session and send the ACK for which the client waits.

        Raises:
            SessionGoneError: it is too late.
        """
        if self._session.attach(self, self._page):
            self._afresh = None
        self._open = True
        self._telemetry.emit(ConnectionOpened(self._url, self._session.id))
        self.offer(ack(self._session.message_ids))

    def closed(self, code: int, reason: str = "") -> None:
        """The websocket is gone, with this close code (1006 if there was none)."""
        if not self._open:
            return
        self._open = False
        self._session.detach(self, self._page, lost=code not in _CLOSED_BY_CLIENT)
        self._telemetry.emit(ConnectionClosed(self._url, self._session.id, code, reason))

    def offer(self, frames: tuple[Frame, ...]) -> None:
        """Queue the frames of one message for the client. Never blocks."""
        if not self._outbox.overflowed and not self._outbox.offer(frames):
            self._overflowed()

    def end(self, reason: str) -> None:
        """The session is over: let what is queued leave, then close."""
        self._outbox.close(1001, reason)

    def receive(self, frame: Frame) -> Awaitable[None] | None:
        """Take one frame. Carries out the message that it completes.

        Returns:
            ``None`` when everything is done; else something to await before the next frame,
            because somebody else has the document at the moment.

        Raises:
            PeerError: close the connection with its code and reason.
        """
        message = self._decoder.feed(frame)
        if message is None:
            return None
        if message.kind is not Kind.PATCH_DOC and not self._asks_for_turn(message):
            return None
        try:
            turn = self._session.turn_nowait(self)
        except SessionGoneError as error:
            raise _gone(error) from error
        if turn is None:
            return self._wait(message)
        slow: _Slow | None = None
        turn.enter()
        try:
            slow = self._carry_out(message, turn)
        finally:
            if slow is None:
                turn.end()
        if slow is None:
            return None
        turn.leave()
        # The turn is held: whatever becomes of the transport, it has to go on to its end.
        return asyncio.shield(self._session.own(self._go_on(message, turn, slow)))

    async def _go_on(self, message: Message, turn: Turn, slow: _Slow) -> None:
        with turn:
            await self._apply_in_thread(message, turn, slow)

    def _asks_for_turn(self, message: Message) -> bool:
        """Whether a message is to be carried out in a turn; one that is not is dealt with."""
        if message.kind in _IN_TURN:
            return True
        if message.kind is Kind.SERVER_INFO_REQ:
            content = dump_json({"version_info": self._versions})
            self.offer(
                reply(self._session.message_ids, Kind.SERVER_INFO_REPLY, message.msgid, content)
            )
        elif message.kind not in (Kind.OK, Kind.ERROR, Kind.ACK):  # those answer nothing of ours
            self._reply_error(message, f"a server does not take {message.kind} messages")
        return False

    async def _wait(self, message: Message) -> None:
        try:
            async with self._session.turn(self) as turn:
                slow = self._carry_out(message, turn)
                if slow is not None:
                    await self._apply_in_thread(message, turn, slow)
        except SessionGoneError as error:
            raise _gone(error) from error

    def _carry_out(self, message: Message, turn: Turn) -> _Slow | None:
        """One request, in its turn; the reply is queued behind the changes that it caused.

        Returns:
            what is still to be done, by a worker thread.
        """
        try:
            if message.kind is Kind.PATCH_DOC:
                return self._patch(message, turn)
            elif message.kind is Kind.PULL_DOC_REQ:
                self._pull(message, turn)
            else:
                self._push(message, turn)
        except RequestError as error:
            self._telemetry.emit(PatchRefused(self._url, self._session.id, error))
            turn.flush()
            self._reply_error(message, str(error), error)
        return None

    def _patch(self, message: Message, turn: Turn) -> _Slow | None:
        patch = decode_patch(
            turn.document,
            message.content,
            message.buffers,
            setter=self,
            may_script=self._may_push,
        )
        self._session.subscribe(self)
        if self._afresh is not None:
            self._look_whether_it_comes_back(message)
        turn.defined = patch.defined
        callbacks = listeners(turn.document, patch)
        execution = self._session.execution
        habit = execution.slowest(callbacks, self._url) if callbacks else None
        apply = partial(apply_patch, turn.document, patch, setter=self)
        if habit is not None and not habit.quick:
            return _Slow(habit, apply)
        self._answer_patch(message, turn, execution.in_place(habit, apply))
        return None

    async def _apply_in_thread(self, message: Message, turn: Turn, slow: _Slow) -> None:
        failure = await self._session.in_thread(turn, slow.habit, slow.apply)
        self._answer_patch(message, turn, failure)

    def _answer_patch(self, message: Message, turn: Turn, failure: CallbackError | None) -> None:
        turn.flush()
        if failure is None:
            self.offer(ok_reply(self._session.message_ids, message.msgid))
            return
        cause = failure.__cause__ if failure.__cause__ is not None else failure
        self._telemetry.emit(
            CallbackFailed(self._url, "of a client's change", cause, self._session.id)
        )
        self._reply_error(message, f"a callback failed: {failure.summary}", cause)

    def _look_whether_it_comes_back(self, message: Message) -> None:
        """The person in front of a page that does has to know that this is not what they had."""
        assert self._afresh is not None
        kind, data = self._afresh
        self._looks -= 1
        comes_back = _comes_back(message)
        if comes_back or not self._looks:
            self._afresh = None
        if not comes_back:
            return
        self._telemetry.emit(BegunAfresh(self._url, self._session.id))
        event = {"kind": "MessageSent", "msg_type": kind, "msg_data": data}
        content = dump_json({"events": [event]})
        self.offer(encode(Kind.PATCH_DOC, content, msgid=self._session.message_ids()))

    def _pull(self, message: Message, turn: Turn) -> None:
        turn.flush()  # so that nothing is told twice
        inline = self._session.note_page(self._page)
        try:
            encoded = encode_document(turn.document, inline=inline)
        except Exception as error:
            self._telemetry.emit(
                CallbackFailed(self._url, "encoding the document", error, self._session.id)
            )
            self._reply_error(message, f"the document cannot be encoded: {text_of(error)}", error)
            return
        self._session.subscribe(self)
        self._session.told_all(self)
        self.offer(
            reply(
                self._session.message_ids,
                Kind.PULL_DOC_REPLY,
                message.msgid,
                encoded.content,
                encoded.buffers,
            )
        )

    def _push(self, message: Message, turn: Turn) -> None:
        if not self._may_push:
            raise RequestError("this client may not replace the document (see --allow-push-doc)")
        self._session.subscribe(self)
        replace_document(turn.document, message.content, message.buffers, setter=self)
        turn.defined = frozenset(turn.document.models)
        turn.flush()
        self.offer(ok_reply(self._session.message_ids, message.msgid))

    def _reply_error(self, message: Message, text: str, error: BaseException | None = None) -> None:
        trace: str | None = None
        if self._dev and error is not None:
            trace = traceback_of(error)
        self.offer(error_reply(self._session.message_ids, message.msgid, text, trace))


def _comes_back(message: Message) -> bool:
    """Whether this is what BokehJS says after it was connected again. A patch that was taken."""
    for event in message.content["events"]:
        if event["kind"] == "MessageSent":
            data = event["msg_data"]
            if isinstance(data, dict) and data.get("name") == "client_reconnected":
                return True
    return False


_IN_TURN: frozenset[Kind] = frozenset({Kind.PATCH_DOC, Kind.PULL_DOC_REQ, Kind.PUSH_DOC})


class _SessionGone(PeerError):
    close_code = 1001


def _gone(error: SessionGoneError) -> PeerError:
    return _SessionGone(str(error))
