"""What a client that does not keep up has missed, in as little memory as can be."""

from __future__ import annotations

from collections.abc import Sequence

from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    TitleChangedEvent,
)
from bokeh.model import Model

__all__ = ("Missed",)

#: Pieces of data (rows streamed, cells patched); more are said as the whole data.
_MAX_PIECES = 8
#: Events of which those that later ones make superfluous are looked for, at first.
_TIDY_AT = 64
#: Events that cannot stand for each other: roots that come and go, messages.
_MAX_EVENTS = 10_000


class Missed:
    """The events of turns of which a client has not been told.

    Of the changes of one property by one setter only the last is kept, and many pieces of data
    become a change of the whole data, so that what is kept does not grow with the time that the
    client takes.

    Args:
        document: whose events they are.

    Attributes:
        events: what happened, in order.
        fresh: models that have come meanwhile.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._pieces = 0
        self._tidy_at = _TIDY_AT
        self.events: list[DocumentPatchedEvent] = []
        self.fresh: set[Model] = set()

    def add(self, events: Sequence[DocumentPatchedEvent], fresh: frozenset[Model]) -> bool:
        """Some more has happened.

        Returns:
            False when it is too much: the client had better ask for the whole document.
        """
        self.events += events
        self.fresh |= fresh
        self._pieces += sum(isinstance(event, _PIECES) for event in events)
        if self._pieces > _MAX_PIECES or len(self.events) > self._tidy_at:
            self._tidy()
        return len(self.events) <= _MAX_EVENTS

    def _tidy(self) -> None:
        models = self._document.models
        self.fresh = set(m for m in self.fresh if models.get_by_id(m.id) is m)
        kept: list[DocumentPatchedEvent] = []
        seen: set[object] = set()
        for event in reversed(self.events):
            said = event
            if isinstance(event, _PIECES) and self._pieces > _MAX_PIECES:
                said = ColumnDataChangedEvent(
                    event.document, event.model, event.attr, setter=event.setter
                )
            key = _subject(said)
            if key is None or key not in seen:
                seen.add(key)
                kept.append(said)
        kept.reverse()
        self.events = kept
        self._pieces = sum(isinstance(event, _PIECES) for event in kept)
        self._tidy_at = max(_TIDY_AT, 2 * len(kept))


_PIECES = (ColumnsStreamedEvent, ColumnsPatchedEvent)


def _subject(event: DocumentPatchedEvent) -> object | None:
    """What the last event of its kind and setter says alone; ``None``: each is told."""
    if isinstance(event, TitleChangedEvent):
        return ("title", event.setter)
    if isinstance(event, ModelChangedEvent) or (
        isinstance(event, ColumnDataChangedEvent) and event.cols is None
    ):
        return (event.model, event.attr, type(event), event.setter)
    return None
