"""What a client's messages do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias

from hyperfocal.connection.outbox import Outbox
from hyperfocal.document import (
    apply_patch,
    callback_error,
    decode_patch,
    encode_document,
    replace_document,
)
from hyperfocal.engine import Engine
from hyperfocal.errors import CallbackError, PeerError, RequestError, SessionGoneError
from hyperfocal.session import Session, Turn
from hyperfocal.telemetry import (
    BegunAfresh,
    CallbackFailed,
    ConnectionClosed,
    ConnectionOpened,
    EncodingFailed,
    OutboxOverflowed,
    PatchRefused,
    Telemetry,
    log_failure,
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
    packed_ok,
    reply,
)

__all__ = ("Connection", "Done")

_log = logging.getLogger("hyperfocal")

#: Patches of a client in which to look whether it comes back. It says so once everything is shown,
#: and every view may have said something of itself before.
_LOOKS = 1000

#: Close codes with which a client says that it is done (RFC 6455 section 7.4.1).
_CLOSED_BY_CLIENT = frozenset({1000, 1001})


#: Told that frames have been carried out, or with which error the connection has to be closed.
Done: TypeAlias = Callable[[BaseException | None], None]

#: Frames without a whole message after which others get a turn.
_FRAMES_IN_A_ROW = 64


class Connection:
    """One client. A transport feeds frames in and drains the outbox.

    ``open`` and ``closed`` belong to the I/O loop. What messages do happens in turns of the
    session, which have the decoder for themselves; what sessions call (``offer`` and its kin) is
    safe from any thread.

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
        self._failure: BaseException | None = None
        self._has_document = False
        self._open = False
        outbox.on_room = session.has_room

    @property
    def engine(self) -> Engine:
        """Runs what the client's messages do."""
        return self._session.turns.engine

    @property
    def lagging(self) -> bool:
        """Whether so much waits for the client that it had better be told less often."""
        return self._outbox.lagging

    def give_up(self) -> None:
        """The client has missed too much: have it come back and pull the document."""
        if not self._outbox.overflowed:
            self._outbox.overflow()
            self._overflowed()

    def _overflowed(self) -> None:
        self._telemetry.emit(
            OutboxOverflowed(self._url, self._session.label, self._outbox.queued_bytes)
        )

    def open(self) -> None:
        """Join the session and send the ACK for which the client waits.

        Raises:
            SessionGoneError: it is too late.
        """
        if self._session.attach(self, self._page):
            self._afresh = None
        self._open = True
        self._telemetry.emit(ConnectionOpened(self._url, self._session.label))
        self.offer(ack(self._session.message_ids))

    def closed(self, code: int, reason: str = "") -> None:
        """The websocket is gone, with this close code (1006 if there was none)."""
        if not self._open:
            return
        self._open = False
        self._session.detach(self, self._page, lost=code not in _CLOSED_BY_CLIENT)
        self._telemetry.emit(ConnectionClosed(self._url, self._session.label, code, reason))

    def offer(self, frames: tuple[Frame, ...]) -> None:
        """Queue the frames of one message for the client. Never blocks."""
        if not self._outbox.offer(frames):
            self._overflowed()

    def end(self, reason: str) -> None:
        """The session is over: let what is queued leave, then close."""
        self._outbox.close(1001, reason)

    def receive(self, frames: Sequence[Frame], done: Done) -> None:
        """Take frames, in order. The messages that they complete are carried out, each in a turn.

        Args:
            frames: what has come.
            done: called once, in any thread, when that has happened. With an error the connection
                is to be closed: a ``PeerError`` has a code and a reason, a ``SessionGoneError``
                says that the session is over, anything else has been logged.
        """
        self._session.turns.mailbox.post(partial(self._take, frames, 0, done))

    def _take(self, frames: Sequence[Frame], begin: int, done: Done) -> None:
        """The first message of these frames. In a job of the session's mailbox."""
        mailbox = self._session.turns.mailbox
        message: Message | None = None
        end = len(frames)
        if self._failure is None and self._open:  # who has gone wants nothing any more
            try:
                message, end = self._next_message(frames, begin)
            except BaseException as error:
                self._failed(error)
        if end < len(frames):
            mailbox.post_next(partial(self._take, frames, end, done))
            done = _nothing
        if message is not None:
            self._carry_out(message, done)
        else:
            mailbox.release()
            done(self._failure)

    def _next_message(self, frames: Sequence[Frame], begin: int) -> tuple[Message | None, int]:
        """The first message that asks for a turn, if there is one, and where what follows begins.

        Raises:
            PeerError: the frames make no message.
        """
        whole = None
        if begin + 3 <= len(frames):
            whole = self._decoder.feed_message(*frames[begin : begin + 3])
        if whole is not None:
            asks = whole.kind is Kind.PATCH_DOC or self._asks_for_turn(whole)
            return (whole if asks else None), begin + 3
        last = min(len(frames), begin + _FRAMES_IN_A_ROW)
        for index in range(begin, last):
            message = self._decoder.feed(frames[index])
            if message is not None:
                return (message if self._asks_for_turn(message) else None), index + 1
        return None, last

    def _carry_out(self, message: Message, done: Done) -> None:
        """One request, in a turn. In a job of the session's mailbox."""
        turns = self._session.turns
        try:
            is_over = turns.take(
                partial(self._in_turn, message, done), self, partial(self._gone, done)
            )
        except BaseException as error:
            self._failed(error)
            is_over = True
        if is_over:
            done(self._failure)

    def _failed(self, error: BaseException) -> None:
        """The connection has to be closed. In a turn thread: errors may be the application's."""
        self._failure = error
        if not isinstance(error, PeerError):
            log_failure(_log, logging.ERROR, "A message of a client failed", error=error)

    def _gone(self, done: Done) -> None:
        done(SessionGoneError(self._session.id))

    def _asks_for_turn(self, message: Message) -> bool:
        """Whether a message is to be carried out in a turn; one that is not is dealt with."""
        kind = message.kind
        if kind is Kind.PATCH_DOC or kind is Kind.PULL_DOC_REQ or kind is Kind.PUSH_DOC:
            return True
        if message.kind is Kind.SERVER_INFO_REQ:
            content = dump_json({"version_info": self._versions})
            self.offer(
                reply(self._session.message_ids, Kind.SERVER_INFO_REPLY, message.msgid, content)
            )
        elif message.kind not in (Kind.OK, Kind.ERROR, Kind.ACK):  # those answer nothing of ours
            self._reply_error(message, f"a server does not take {message.kind} messages")
        return False

    def _in_turn(
        self, message: Message, done: Done, turn: Turn
    ) -> Coroutine[Any, Any, None] | None:
        """One request, in its turn; the reply is queued behind the changes that it caused.

        Returns:
            what is still to be awaited in the turn; it calls ``done``.
        """
        try:
            if message.kind is Kind.PATCH_DOC:
                return self._patch(message, done, turn)
            elif message.kind is Kind.PULL_DOC_REQ:
                self._pull(message, turn)
            else:
                self._push(message, turn)
        except RequestError as error:
            self._telemetry.emit(PatchRefused(self._url, self._session.label, error))
            turn.flush()
            self._reply_error(message, str(error), error)
        return None

    def _patch(self, message: Message, done: Done, turn: Turn) -> Coroutine[Any, Any, None] | None:
        patch = decode_patch(
            turn.document,
            message.content,
            message.buffers,
            setter=self,
            may_script=self._may_push,
        )
        self._subscribe()
        if self._afresh is not None:
            self._look_whether_it_comes_back(message)
        turn.defined = patch.defined
        failure = apply_patch(turn.document, patch, setter=self)
        if turn.awaited:
            return self._await_callbacks(message, done, turn, failure)
        self._answer_patch(message, turn, failure)
        return None

    async def _await_callbacks(
        self, message: Message, done: Done, turn: Turn, failure: CallbackError | None
    ) -> None:
        """Callbacks of the patch are ``async``: they belong to its turn."""
        try:
            while turn.awaited:
                awaited: Awaitable[Any] = turn.awaited.pop(0)
                try:
                    await awaited
                except (Exception, SystemExit, KeyboardInterrupt) as error:
                    failure = failure or callback_error(error)
            self._answer_patch(message, turn, failure)
        finally:
            done(None)

    def _subscribe(self) -> None:
        """From here on the client hears of changes: it has the document, or says that it has."""
        if not self._has_document:
            self._has_document = True
            self._session.subscribe(self)

    def _answer_patch(self, message: Message, turn: Turn, failure: CallbackError | None) -> None:
        turn.flush()
        if failure is None:
            self.offer((packed_ok(self._session.message_ids, message.msgid),))
            return
        cause = failure.__cause__ if failure.__cause__ is not None else failure
        self._telemetry.emit(
            CallbackFailed(self._url, "of a client's change", cause, self._session.label)
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
        self._telemetry.emit(BegunAfresh(self._url, self._session.label))
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
                EncodingFailed(self._url, self._session.label, "the document", error)
            )
            self._reply_error(message, f"the document cannot be encoded: {text_of(error)}", error)
            return
        self._subscribe()
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
        self._subscribe()
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


def _nothing(error: BaseException | None) -> None:
    """For frames of which others are told later."""
