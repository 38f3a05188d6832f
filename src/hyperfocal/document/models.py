"""Which models a document has, found out in time that follows what a patch changes."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import bokeh.model.util
from bokeh.document import Document
from bokeh.document.events import (
    DocumentChangedEvent,
    ModelChangedEvent,
    RootAddedEvent,
    RootRemovedEvent,
)
from bokeh.document.models import DocumentModelManager
from bokeh.model import Model
from bokeh.util.datatypes import MultiValuedDict

__all__ = ("MOST_WALKS", "DocumentModels", "patched")

#: Events of one patch after each of which the document is looked through, as Bokeh does always.
MOST_WALKS = 8


def patched(document: Document) -> AbstractContextManager[None]:
    """Within, a patch is applied to a document."""
    models = document.models
    return models.patched() if isinstance(models, DocumentModels) else nullcontext()


class DocumentModels(DocumentModelManager):
    """Bokeh's manager of a document's models, made for patches of any size.

    Which models a document has is what its roots lead to. Bokeh walks from all of them after each
    change that may have changed that, so a patch of thousands of such changes takes hours. Here
    the first few changes of a patch are followed by a walk. After that, models that a change
    brings join the document at once, because an application's callback may change them and others
    have to hear of it; models to which nothing leads any more leave when the patch has been
    applied, after one last walk.
    """

    _walks_left: int | None = None  # None: no patch is being applied
    _is_behind = False
    _known_roots: set[Model] | None = None  # None: somebody may have changed them

    @property
    def is_settled(self) -> bool:
        """Whether it is known which models the document has: nobody is changing many at once."""
        return self._freeze_count == 0 and not self._is_behind

    @contextmanager
    def patched(self) -> Generator[None]:
        """Within, a patch is applied."""
        self._walks_left = MOST_WALKS
        try:
            yield
        finally:
            self._walks_left = None
            if self._is_behind:
                self.invalidate()

    def recompute(self) -> None:
        """Find out which models the document has, now or when the patch has been applied."""
        self._known_roots = None
        if self._walks_left is None:
            self._walk()
        elif self._walks_left:
            self._walks_left -= 1
            self._walk()
        else:
            self._is_behind = True

    def add_root(self, model: Model, setter: Any) -> None:
        """``Document.add_root``, which looks through all roots."""
        document = self._document()
        if document is None or model in (roots := self._roots_of(document)):
            return
        with self.freeze():
            document._roots.append(model)
        roots.add(model)
        self._known_roots = roots
        document.callbacks.trigger_on_change(RootAddedEvent(document, model, setter))

    def remove_root(self, model: Model, setter: Any) -> None:
        """``Document.remove_root``, which looks through all roots for one that is none, too."""
        document = self._document()
        if document is None or model not in (roots := self._roots_of(document)):
            return
        with self.freeze():
            document._roots.remove(model)
        roots.discard(model)
        self._known_roots = roots
        document.callbacks.trigger_on_change(RootRemovedEvent(document, model, setter))

    def _roots_of(self, document: Document) -> set[Model]:
        known = self._known_roots
        return set(document.roots) if known is None else known

    def take_in(self, event: DocumentChangedEvent) -> None:
        """An event has happened: models that it brings join the document, if nobody has looked."""
        if self._walks_left != 0:
            return
        if isinstance(event, RootAddedEvent):
            brought: Any = event.model
        elif isinstance(event, ModelChangedEvent):
            brought = event.new
        else:
            return
        document = self._document()
        if document is not None:
            for model in _reachable((brought,), self._models).values():
                self._attach(model, document)
                self._models[model.id] = model
                if model.name is not None:
                    self._models_by_name.add_value(model.name, model)

    def _walk(self) -> None:
        document = self._document()
        if document is None:
            return
        self._is_behind = False
        before = self._models
        reached = _reachable(document.roots, {})
        for model_id, model in before.items():
            if reached.get(model_id) is not model:
                self._seen_model_ids.add(model_id)
                model._detach_document()
        named: MultiValuedDict[str, Model] = MultiValuedDict()
        for model_id, model in reached.items():
            if before.get(model_id) is not model:
                self._attach(model, document)
            if model.name is not None:
                named.add_value(model.name, model)
        self._models = reached
        self._models_by_name = named

    def _attach(self, model: Model, document: Any) -> None:
        model._attach_document(document)
        self._new_models.add(model)


def _reachable(values: Iterable[Any], known: dict[Any, Model]) -> dict[Any, Model]:
    """The models to which values lead, by id; what is known, and beyond, is left out."""
    found: dict[Any, Model] = {}
    waiting: list[Model] = []

    def note(model: Model) -> None:
        model_id = model.id
        if model_id not in found and model_id not in known:
            found[model_id] = model
            waiting.append(model)

    visit: Any = bokeh.model.util.visit_value_and_its_immediate_references
    for value in values:
        visit(value, note)
    while waiting:
        bokeh.model.util.visit_immediate_value_references(waiting.pop(), note)
    return found
