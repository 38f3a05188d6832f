"""How a document tells its session what happens to it."""

from __future__ import annotations

import weakref
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol, cast

from bokeh.document import Document
from bokeh.document.callbacks import DocumentCallbackManager
from bokeh.document.events import (
    ColumnDataChangedEvent,
    DocumentChangedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    SessionCallbackAdded,
    SessionCallbackRemoved,
    TitleChangedEvent,
)
from bokeh.events import Event, ModelEvent
from bokeh.model import Model

from hyperfocal.document.changes import in_words, keep_payload
from hyperfocal.document.curdoc import current_document, current_entries, is_current
from hyperfocal.document.models import DocumentModels
from hyperfocal.errors import OutsideTurnError, SessionGoneError

__all__ = ("ChangeSink", "RecordingCallbackManager")


class ChangeSink(Protocol):
    """What listens to a document: its session."""

    def may_change(self) -> bool:
        """Whether the calling code may change the document now."""
        ...

    def has_turn(self) -> bool:
        """Whether the calling code belongs to the turn that runs, and shows it by its context."""
        ...

    def changed(self, event: DocumentPatchedEvent) -> None:
        """The document has changed; called in the order of changes."""
        ...

    def record(self, event: DocumentPatchedEvent) -> bool:
        """``changed``, where the calling code may change the document; else False, and no more.

        For events that carry nothing that the application may change before they are said.
        """
        ...

    def await_later(self, awaitable: Coroutine[Any, Any, Any]) -> bool:
        """Await it in the turn that runs; False: there is none."""
        ...

    def callback_added(self, callback: Any) -> None:
        """A session callback (next tick, timeout, periodic) was added. From any thread."""
        ...

    def callback_removed(self, callback: Any) -> None:
        """A session callback was removed, or is about to run for its only time."""
        ...


_SESSION_CALLBACKS = frozenset({SessionCallbackAdded, SessionCallbackRemoved})


class RecordingCallbackManager(DocumentCallbackManager):
    """Bokeh's callback manager, with a sink that misses nothing.

    Bokeh's own runs the application's callbacks before it tells listeners of a change, so that a
    callback that raises hides the change from everybody else. Here the sink hears of it first.
    Session callbacks reach the sink even during ``hold()``, which is about changes.
    """

    _sink: ChangeSink | None
    _gone: str | None
    #: Held events by what they are about, and the list of which that is true.
    _held: dict[object, DocumentChangedEvent]
    _indexed: list[DocumentChangedEvent] | None

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.detach_silently()

    def attach(self, sink: ChangeSink) -> None:
        """Tell ``sink`` from now on."""
        self._sink = sink

    def detach_silently(self) -> None:
        """Tell nobody, and let callbacks be added: the state of a document without a session."""
        self._sink = None
        self._gone = None
        self._indexed, self._held = None, {}

    def detach(self, session_id: str) -> None:
        """The session is gone; adding callbacks raises from now on, changes go nowhere."""
        self._indexed, self._held = None, {}
        self._sink = None
        self._gone = session_id

    @property
    def has_turn(self) -> bool | None:
        """Whether the calling code belongs to the turn that runs; ``None`` without a session."""
        return None if self._sink is None else self._sink.has_turn()

    def await_later(self, awaitable: Coroutine[Any, Any, Any]) -> None:
        """An ``async`` callback was called: what it gives is awaited in the turn that runs."""
        if self._sink is None or not self._sink.await_later(awaitable):
            awaitable.close()

    def tell(self, events: Iterable[DocumentPatchedEvent]) -> None:
        """Tell the sink of changes of which nobody else shall hear. In a turn."""
        if self._sink is not None:
            for event in events:
                self._sink.changed(event)

    def trigger_event(self, event: Event) -> None:
        """Run the callbacks of an event. Bokeh asks all models that hear of such events."""
        if isinstance(event, ModelEvent) and isinstance(event.model, Model):
            subscribed = self._subscribed_models.get(event.event_name, ())
            if weakref.ref(event.model) in subscribed:
                event.model._trigger_event(event)
        for callback in self.event_callbacks_for_event_name(event.event_name):
            callback(event)

    def trigger_on_change(self, event: DocumentChangedEvent) -> None:
        """Tell the sink of a change, then run the application's callbacks and tell listeners.

        Raises:
            OutsideTurnError: the calling code does not hold the document's lock.
            SessionGoneError: a session callback was added after the session's end.
        """
        if type(event) in _SESSION_CALLBACKS:
            self._session_callback(cast(Any, event))
            return
        sink = self._sink
        if sink is not None and not sink.may_change():
            raise OutsideTurnError(in_words(event))
        document = self._document()
        if document is None:
            return
        models = document.models
        if type(models) is DocumentModels:
            models.take_in(event)
        if self._hold is not None:
            keep_payload(event)
            self._hold_back(event)
            return
        # The cause is noted before its effects, which keeps rows and roots in one order for
        # everybody, and a callback that raises hides nothing.
        if sink is not None and isinstance(event, DocumentPatchedEvent):
            sink.changed(event)
        invoker, event.callback_invoker = event.callback_invoker, None
        if is_current(document):
            self._tell(invoker, event)
        else:
            with current_document(document):
                self._tell(invoker, event)

    def notify_scalar(self, model: Model, attr: str, old: Any, new: Any, setter: Any) -> None:
        """A plain property holds another scalar now: what ``model.trigger`` does, at once.

        Raises:
            OutsideTurnError: the calling code does not hold the document's lock.
        """
        sink, document = self._sink, self._document()
        if (
            sink is None
            or document is None
            or self._hold is not None
            or attr == "name"  # documents find models by it
            or not (entries := current_entries())
            or entries[-1]() is not document
        ):
            model.trigger(attr, old, new, None, setter)
            return
        event = ModelChangedEvent.__new__(ModelChangedEvent)
        event.document = document
        event.setter = setter
        event.callback_invoker = None
        event.model = model
        event.attr = attr
        event.new = new
        self._tell_at_once(sink, event, model, attr, old, new)

    def notify_columns(
        self,
        model: Model,
        attr: str,
        old: Any,
        new: Any,
        event: ColumnDataChangedEvent,
        setter: Any,
    ) -> None:
        """The same for columns, of which an event says what it is that has changed.

        Raises:
            OutsideTurnError: the calling code does not hold the document's lock.
        """
        sink, document = self._sink, self._document()
        if sink is None or document is None or self._hold is not None or not is_current(document):
            model.trigger(attr, old, new, event, setter)
            return
        if event.setter is None:
            event.setter = setter
        self._tell_at_once(sink, event, model, attr, old, new)

    def _tell_at_once(
        self,
        sink: ChangeSink,
        event: DocumentPatchedEvent,
        model: Model,
        attr: str,
        old: Any,
        new: Any,
    ) -> None:
        if not sink.record(event):
            raise OutsideTurnError(in_words(event))
        try:
            for callback in model._callbacks.get(attr) or ():
                callback(attr, old, new)
        finally:
            if self._change_callbacks:
                for listener in self.change_callbacks():
                    listener(event)

    def _tell(self, invoker: Any, event: DocumentChangedEvent) -> None:
        try:
            if invoker is not None:
                invoker()
        finally:
            for callback in self.change_callbacks():
                callback(event)

    def _hold_back(self, event: DocumentChangedEvent) -> None:
        """Keep an event until ``unhold``. Bokeh looks through all that are kept for each."""
        subject = _combines(event) if self._hold == "combine" else None
        if subject is None:
            self._held_events.append(event)
            return
        if self._held_events is not self._indexed:  # a new hold; Panel, too, makes lists of its own
            self._indexed = self._held_events
            self._held = {_combines(one): one for one in self._held_events}
        earlier = self._held.get(subject)
        if earlier is None or not earlier.combine(event):
            self._held[subject] = event
            self._held_events.append(event)

    def unhold(self) -> None:
        """Let out what was held. A callback that raises does not keep the rest back.

        Raises:
            Exception: the first that a callback raised, after everything is out.
        """
        if self._hold is None:
            return
        self._hold = None
        events, self._held_events = self._held_events, []
        self._indexed, self._held = None, {}
        failure: BaseException | None = None
        for event in events:
            try:
                self.trigger_on_change(event)
            except (Exception, SystemExit) as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _session_callback(self, event: SessionCallbackAdded | SessionCallbackRemoved) -> None:
        if self._gone is not None:
            self._session_callbacks.discard(event.callback)
            if isinstance(event, SessionCallbackAdded):
                raise SessionGoneError(self._gone)
            return
        if self._sink is not None:
            if isinstance(event, SessionCallbackAdded):
                self._sink.callback_added(event.callback)
            else:
                self._sink.callback_removed(event.callback)
        for callback in self.change_callbacks():
            callback(event)


def _combines(event: DocumentChangedEvent) -> object | None:
    """What two held events are about that become one; ``None``: each is told."""
    if isinstance(event, ModelChangedEvent):
        return event.model, event.attr, id(event.setter)
    return id(event.setter) if isinstance(event, TitleChangedEvent) else None
