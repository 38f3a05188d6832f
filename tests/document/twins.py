"""Two documents made alike, one Bokeh's way and one ours: the same must come out of both."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import warnings
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import bokeh.models
from bokeh.document import Document

from hyperfocal.document import Model, acceleration, encode_document, new_document

__all__ = ("CLASSES", "Twins", "accelerated", "delete_some", "plain", "with_theme")


class _Canonical:
    """JSON with ids by the order in which they come and bytes in place."""

    def __init__(self, buffers: dict[str, bytes]) -> None:
        self._buffers = buffers
        self._ids: dict[str, int] = {}

    def of(self, rep: Any) -> Any:
        if isinstance(rep, list | tuple):
            return [self.of(item) for item in rep]
        if not isinstance(rep, dict):
            return rep if not hasattr(rep, "to_bytes") else rep.to_bytes()
        if rep.get("type") == "bytes":
            data = rep["data"]
            if isinstance(data, str):
                return ["bytes", gzip.decompress(b64decode(data))]
            return [
                "bytes",
                self._buffers[data["id"]] if isinstance(data, dict) else bytes(data.data),
            ]
        return [
            (key, self._ids.setdefault(item, len(self._ids)) if key == "id" else self.of(item))
            for key, item in rep.items()
        ]


def _bokehs(document: Document) -> Any:
    content: Any = document.to_json()
    return _Canonical({}).of(json.loads(json.dumps(_with_bytes(content.content))))


def _with_bytes(rep: Any) -> Any:
    """As Bokeh writes it into a page: bytes inline."""
    if isinstance(rep, dict):
        if rep.get("type") == "bytes":
            return {"type": "bytes", "data": rep["data"].to_base64()}
        return {key: _with_bytes(item) for key, item in rep.items()}
    if isinstance(rep, list | tuple):
        return [_with_bytes(item) for item in rep]
    return rep


def _ours(document: Document) -> Any:
    encoded = encode_document(document)
    buffers = {buffer.id: bytes(buffer.payload) for buffer in encoded.buffers}
    doc = json.loads(encoded.content)["doc"]
    if "defs" in doc:
        # Bokeh writes the definitions first; the order of a message's parts means nothing.
        doc = {"version": doc["version"], "title": doc["title"], **doc}
    return dict(_Canonical(buffers).of(doc))


def _outcome(encode: Callable[[Document], Any], document: Document) -> Any:
    try:
        return dict(encode(document))
    except Exception as error:
        return type(error), str(error).rpartition("at 0x")[0]


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Bokeh as it is."""
    before = acceleration.installed()
    acceleration.uninstall()
    try:
        yield
    finally:
        if before:
            acceleration.install()


@contextlib.contextmanager
def accelerated() -> Iterator[None]:
    """Bokeh with our replacements."""
    before = acceleration.installed()
    assert acceleration.install()
    try:
        yield
    finally:
        if not before:
            acceleration.uninstall()


def _stands_alone(cls: type[Any]) -> bool:
    """Whether one can be made from nothing and put into a document."""
    try:
        with plain():
            new_document().add_root(cls())
    except (ValueError, TypeError):  # abstract, lacking a value, or no root
        return False
    return True


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CLASSES = sorted(
        name
        for name, cls in bokeh.models.Model.model_class_reverse_map.items()
        if cls.__module__.startswith("bokeh.") and issubclass(cls, Model) and _stands_alone(cls)
    )


class Twins:
    """Two documents to which the same is done.

    Args:
        make: fills a document.
        accelerate: whether the second is made with the acceleration.
    """

    def __init__(self, make: Callable[[Document], Any], *, accelerate: bool) -> None:
        self._way = accelerated if accelerate else plain
        self.one, self.other = new_document(), new_document()
        self.each(make)

    def each(self, act: Callable[[Document], Any]) -> None:
        """Do something to both."""
        with plain():
            act(self.one)
        with self._way():
            act(self.other)

    def check(self) -> None:
        """Encode one as Bokeh does and the other as we do, and compare."""
        with plain():
            theirs = _outcome(_bokehs, self.one)
        with self._way():
            ours = _outcome(_ours, self.other)
        assert ours == theirs


def with_theme(theme: Any) -> Callable[[Document], None]:
    def act(document: Document) -> None:
        document.theme = theme

    return act


def delete_some(document: Document) -> None:
    """Delete a third of what was set, the same in every document that was made alike."""
    chance = random.Random(1)
    todo = list(document.roots)
    models: dict[Model, None] = {}
    while todo:
        model = todo.pop()
        if model not in models:
            models[model] = None
            todo.extend(sorted(model.references() - set(models), key=lambda one: int(one.id[1:])))
    for model in models:
        for name in list(model._property_values):
            if chance.random() < 0.33:
                try:
                    delattr(model, name)
                except (AttributeError, ValueError, RuntimeError):
                    continue
