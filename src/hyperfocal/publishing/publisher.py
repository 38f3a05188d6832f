"""From the changes of turns to the outboxes of clients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from hyperfocal.document import (
    Change,
    Changes,
    Document,
    DocumentPatchedEvent,
    Missed,
    Model,
    changes_of,
    encode_changes,
    encode_plain,
    mark_seen,
    mark_these_seen,
    subject_of,
    unseen_models,
)
from hyperfocal.publishing.conflicts import Conflicts
from hyperfocal.publishing.subscribers import Client, Subscribers
from hyperfocal.wire import Frame, Kind, MessageIds, encode, packed_patch

__all__ = ("Publisher", "Said")

_NOBODY: frozenset[Model] = frozenset()


class Said(NamedTuple):
    """What the first events of a turn tell, and to whom.

    Attributes:
        messages: what to offer to whom.
        behind: who does not keep up and has to be told later.
        events: what it is about.
        changes: the same, as it is said.
        fresh: models that are new in it.
    """

    messages: list[tuple[Client, tuple[Frame, ...]]]
    behind: list[Client]
    events: Sequence[DocumentPatchedEvent]
    changes: list[Change]
    fresh: frozenset[Model]


class Publisher:
    """The changes of a session's turns on their way to its clients.

    Everybody is one audience. Each client that has had a hand in the changes is one of its own,
    because it must not hear of its own doing; under ``hold()`` that may be somebody else than the
    turn's originator. So is a client that did not keep up: while its outbox is full enough
    (``Client.lagging``), nothing is encoded for it. What it misses is remembered as events, and
    told as if all those turns had been one, once it has room again or sends a request.

    Used by whoever has the turn, but for what says otherwise.

    Args:
        document: the session's document.
        subscribers: who is there.
        message_ids: source of message ids.
        unencodable: called once for a turn in which changes had no JSON form, with them and why;
            the others are said all the same.
        conflicts: notes the changes that are let out.

    Attributes:
        changes: what has happened and has not been said.
    """

    def __init__(
        self,
        document: Document,
        subscribers: Subscribers,
        message_ids: MessageIds,
        unencodable: Callable[[Sequence[tuple[Change, Exception]]], None],
        conflicts: Conflicts,
    ) -> None:
        self.changes = Changes()
        self._conflicts = conflicts
        self._document = document
        self._subscribers = subscribers
        self._message_ids = message_ids
        self._unencodable = unencodable
        self._missed: dict[Client, Missed] = {}

    def flush(self, originator: object | None = None, defined: frozenset[Model] = _NOBODY) -> None:
        """Say everything: the end of a turn, or a client that has to be told before its reply.

        Args:
            originator: the client on whose behalf the turn is taken.
            defined: models that it brought along in this turn.
        """
        if self.changes or self._missed:
            if not self._missed and self._flush_plainly():
                return
            failures: dict[object, tuple[Change, Exception]] = {}
            said = self._said(originator, defined, self.changes.take(), _noted_in(failures))
            self.offer(said)
            self._report(failures)
        mark_seen(self._document)

    def _flush_plainly(self) -> bool:
        """Tell a single client what most turns change, without much ado; False: there is more."""
        clients = self._subscribers.current()
        if len(clients) != 1:
            return False
        (client,) = clients
        if client.lagging:
            return False
        plain = encode_plain(self._document, self.changes, client)
        if plain is None:
            return False
        self._conflicts.note_plain(self.changes.take())
        content, buffers = plain
        if content:
            client.offer((packed_patch(self._message_ids, content, buffers),))
        return True

    def so_far(self, originator: object | None, defined: frozenset[Model]) -> Said:
        """What would be said now. It stays to be said until ``offer`` and ``forget``.

        Raises:
            Exception: a change cannot be encoded.
        """
        return self._said(originator, defined, self.changes.copy(), _refuse)

    def offer(self, said: Said) -> None:
        """Let the messages go."""
        self._conflicts.note(said.changes)
        for client, frames in said.messages:
            self._missed.pop(client, None)
            client.offer(frames)
        for client in said.behind:
            missed = self._missed.get(client)
            if missed is None:
                missed = self._missed[client] = Missed(self._document)
            if not missed.add(said.events, said.fresh):
                del self._missed[client]
                client.give_up()

    def forget(self, said: Said) -> None:
        """It has been offered, and need not be said again. In the turn."""
        self.changes.drop(len(said.events))
        mark_these_seen(self._document, said.fresh)

    def told_all(self, client: Client) -> None:
        """The client gets the whole document, or has gone: it has missed nothing any more."""
        self._missed.pop(client, None)

    def tell_again(self, client: Client, changes: list[Change]) -> None:
        """Tell one client how some properties stand. In a turn."""
        if client not in self._subscribers.current():
            return
        if client.lagging:
            events = [change.event for change in changes]
            self.offer(Said([], [client], events, [], frozenset()))
            return
        fresh = unseen_models(self._document)
        failures: dict[object, tuple[Change, Exception]] = {}
        frames = self._message(changes, fresh, None, _noted_in(failures))
        if frames is not None:
            client.offer(frames)
        self._report(failures)

    def _report(self, failures: dict[object, tuple[Change, Exception]]) -> None:
        if failures:
            self._unencodable(tuple(failures.values()))

    def is_behind(self, client: Client) -> bool:
        """Whether there is something to tell this client once it has room."""
        return client in self._missed

    def _said(
        self,
        originator: object | None,
        defined: frozenset[Model],
        events: list[DocumentPatchedEvent],
        failed: Callable[[Change, Exception], None],
    ) -> Said:
        fresh = unseen_models(self._document)
        changes = changes_of(events)
        setters = {setter for change in changes for setter in change.setters}
        said = Said([], [], events, changes, fresh)
        encoded: dict[Client | None, tuple[Frame, ...] | None] = {}
        for client in self._subscribers.current():
            is_originator = client is originator
            if client.lagging and not is_originator:
                said.behind.append(client)
                continue
            audience = client if is_originator or client in setters else None
            told, unseen = changes, fresh
            missed = self._missed.get(client)
            if missed is not None:
                audience = client
                told = changes_of([*missed.events, *events])
                unseen = fresh | missed.fresh
            if audience not in encoded:
                unseen = unseen - defined if is_originator else unseen
                encoded[audience] = self._message(told, unseen, audience, failed)
            frames = encoded[audience]
            if frames is not None:
                said.messages.append((client, frames))
            elif missed is not None:
                said.messages.append((client, ()))
        return said

    def _message(
        self,
        changes: list[Change],
        fresh: Collection[Model],
        client: Client | None,
        failed: Callable[[Change, Exception], None],
    ) -> tuple[Frame, ...] | None:
        patch = encode_changes(self._document, changes, fresh=fresh, client=client, failed=failed)
        if patch is None:
            return None
        msgid = self._message_ids()
        return encode(Kind.PATCH_DOC, patch.content, msgid=msgid, buffers=patch.buffers)


def _noted_in(
    failures: dict[object, tuple[Change, Exception]],
) -> Callable[[Change, Exception], None]:
    """Notes what fails, once whatever the number of audiences."""

    def note(change: Change, error: Exception) -> None:
        subject = subject_of(change)
        failures.setdefault(change.event if subject is None else subject, (change, error))

    return note


def _refuse(change: Change, error: Exception) -> None:
    raise error
