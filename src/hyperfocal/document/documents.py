"""Making documents and taking them apart."""

from __future__ import annotations

import sys
import weakref
from typing import Any

from bokeh.application.application import SessionContext
from bokeh.document import Document
from bokeh.model import Model

from hyperfocal.document.callbacks import RecordingCallbackManager
from hyperfocal.document.data_models import forget_models
from hyperfocal.document.models import DocumentModels
from hyperfocal.document.patches import decode_document
from hyperfocal.wire import Buffer

__all__ = (
    "adopt_document",
    "dispose",
    "is_settled",
    "mark_seen",
    "mark_these_seen",
    "new_document",
    "replace_document",
    "set_session_context",
    "unseen_models",
)


_NONE: frozenset[Model] = frozenset()


def new_document() -> Document:
    """An empty document whose changes can be recorded."""
    document = Document()
    document.models = DocumentModels(document)
    document.callbacks = RecordingCallbackManager(document)
    return document


def adopt_document(document: Document) -> None:
    """Make the changes of a document that somebody else made recordable; keeps its callbacks."""
    callbacks: Any = document.callbacks
    if not isinstance(callbacks, RecordingCallbackManager):
        callbacks.__class__ = RecordingCallbackManager
        callbacks.detach_silently()
    document.models.__class__ = DocumentModels


def set_session_context(document: Document, context: SessionContext | None) -> None:
    """What ``document.session_context`` gives; held weakly, as Bokeh does."""
    document._session_context = weakref.ref(context) if context is not None else None


def unseen_models(document: Document) -> frozenset[Model]:
    """Models that have joined the document since ``mark_seen``: no client knows them yet."""
    new = document.models._new_models
    return frozenset(new) if new else _NONE


def mark_seen(document: Document) -> None:
    """Say that every client that has the document now knows all its models.

    While ``hold()`` keeps changes back, the models that they bring are still unknown.
    """
    models = document.models
    if models._new_models and not document.callbacks._held_events:
        models.flush_synced()


def mark_these_seen(document: Document, models: frozenset[Model]) -> None:
    """Say the same of these models only."""
    document.models.flush_synced(lambda model: model not in models)


def is_settled(document: Document) -> bool:
    """Whether the document knows its models: nobody is in the middle of changing many at once."""
    models = document.models
    return models.is_settled if isinstance(models, DocumentModels) else models._freeze_count == 0


def replace_document(
    document: Document, content: Any, buffers: tuple[Buffer, ...], *, setter: object
) -> None:
    """Put what a PUSH-DOC carries in the place of everything in the document.

    Args:
        document: the document to overwrite.
        content: the message's content, ``{"doc": ...}``.
        buffers: the message's buffers.
        setter: the client that pushes; it is not told of its own doing.

    Raises:
        PatchError: it cannot be decoded; the document is as it was.
    """
    replacement = decode_document(content, buffers, setter=setter)
    with document.models.freeze():
        for root in document.roots:
            document.remove_root(root, setter)  # type: ignore[arg-type]
        document._config = replacement.config
        for root in replacement.roots:
            document.add_root(root, setter)  # type: ignore[arg-type]
    document.set_title(replacement.title, setter)  # type: ignore[arg-type]


def dispose(document: Document, session_id: str) -> None:
    """Take a document apart so that nothing of it stays in memory.

    Does what ``Document.destroy`` does, without its full garbage collection (50 to 180 ms of
    silence for everybody) and its search for referrers. The document is empty afterwards; code
    that still holds it and adds a callback gets ``SessionGoneError``.
    """
    callbacks = document.callbacks
    if isinstance(callbacks, RecordingCallbackManager):
        callbacks.detach(session_id)
    for model in list(document.models):
        model.destroy()
        model._callbacks.clear()
        model._event_callbacks.clear()
        model._unstable_default_values.clear()
    document._roots.clear()
    document.models._models.clear()
    document.models._new_models.clear()
    document.models._seen_model_ids.clear()
    document.models._models_by_name._dict.clear()
    callbacks._change_callbacks.clear()
    callbacks._event_callbacks.clear()
    callbacks._js_event_callbacks.clear()
    callbacks._message_callbacks.clear()
    callbacks._session_destroyed_callbacks.clear()
    callbacks._session_callbacks.clear()
    callbacks._subscribed_models.clear()
    callbacks._held_events.clear()
    document._session_context = None
    document._template_variables.clear()
    forget_models({module.__name__ for module in document.modules._modules})
    for module in document.modules._modules:
        sys.modules.pop(module.__name__, None)
        module.__dict__.clear()
    document.modules._modules.clear()
