"""From the changes of a turn to the outboxes of clients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from hyperfocal.document import Change, Document, EncodedPatch, Model, encode_changes, unseen_models
from hyperfocal.session.presence import Client
from hyperfocal.wire import Frame, Kind, encode

if TYPE_CHECKING:
    from hyperfocal.session.turn import Turn

__all__ = ("addressed",)


def addressed(
    turn: Turn,
    changes: list[Change],
    clients: Iterable[Client],
    unencodable: Callable[[Change, Exception], None],
) -> list[tuple[Client, tuple[Frame, ...]]]:
    """Encode changes once per audience. What to offer, and to whom.

    Everybody is one audience. Each client that has had a hand in the changes is one of its own,
    because it must not hear of its own doing; under ``hold()`` that may be somebody else than the
    turn's originator.

    Args:
        turn: the turn that ends, or lets out what it has done so far.
        changes: what has to be said.
        clients: whom to tell.
        unencodable: called with a change that has no JSON form; the others are said all the same.
    """
    document = turn.document
    fresh = unseen_models(document)
    setters = {setter for change in changes for setter in change.setters}
    messages: dict[Client | None, tuple[Frame, ...] | None] = {}
    said: list[tuple[Client, tuple[Frame, ...]]] = []
    for client in clients:
        is_originator = client is turn.originator
        audience = client if is_originator or client in setters else None
        if audience not in messages:
            unseen = fresh - turn.defined if is_originator else fresh
            patch = _encode(document, changes, unseen, audience, unencodable)
            messages[audience] = None
            if patch is not None:
                msgid = turn.session.message_ids()
                messages[audience] = encode(
                    Kind.PATCH_DOC, patch.content, msgid=msgid, buffers=patch.buffers
                )
        frames = messages[audience]
        if frames is not None:
            said.append((client, frames))
    return said


def _encode(
    document: Document,
    changes: list[Change],
    fresh: Collection[Model],
    client: Client | None,
    unencodable: Callable[[Change, Exception], None],
) -> EncodedPatch | None:
    try:
        return encode_changes(document, changes, fresh=fresh, client=client)
    except Exception:
        # One value that has no JSON form must not take the others of the turn with it.
        encodable: list[Change] = []
        for change in changes:
            try:
                encode_changes(document, [change], fresh=fresh)
            except Exception as error:
                unencodable(change, error)
            else:
                encodable.append(change)
        return encode_changes(document, encodable, fresh=fresh, client=client)
