"""What people have set in a document's widgets, and the same in a document that is built anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from bokeh.core.property.descriptors import UnsetValueError
from bokeh.document import Document
from bokeh.model import Model, collect_models
from bokeh.models import Tabs
from bokeh.models.widgets import Widget

__all__ = ("Place", "set_values", "values_of")

#: The properties in which widgets keep what people set, those that come first first.
_ATTRIBUTES = ("value", "active", "color")
_UNSET = object()


class Place(NamedTuple):
    """A property of a widget, by what stays the same when a document is built anew.

    Attributes:
        kind: the widget's class.
        name: its name, or else what is written on it.
        number: how many like it come before.
        attribute: the property.
    """

    kind: str
    name: str
    number: int
    attribute: str


def _places(document: Document) -> list[tuple[Place, Model]]:
    found: list[tuple[Place, Model]] = []
    seen: Counter[tuple[str, str]] = Counter()
    for model in collect_models(*document.roots):
        if not isinstance(model, Widget | Tabs):
            continue
        kind = type(model).__qualified_model__
        texts = (getattr(model, text, None) for text in ("name", "title", "label"))
        name = next((text for text in texts if isinstance(text, str) and text), "")
        number = seen[kind, name]
        seen[kind, name] += 1
        known = type(model).properties()
        found += [
            (Place(kind, name, number, attribute), model)
            for attribute in _ATTRIBUTES
            if attribute in known
        ]
    return found


def values_of(document: Document) -> dict[Place, Any]:
    """What the widgets of a document hold. In a turn."""
    values: dict[Place, Any] = {}
    for place, model in _places(document):
        value = _value_of(model, place.attribute)
        if value is not _UNSET and not isinstance(value, Model):
            values[place] = list(value) if isinstance(value, list) else value
    return values


def _value_of(model: Model, attribute: str) -> Any:
    try:
        return getattr(model, attribute)
    except UnsetValueError:  # that of a FileInput, until somebody chooses a file
        return _UNSET


def set_values(document: Document, values: Mapping[Place, Any]) -> None:
    """Set these, where there still are such widgets and they take them. In a turn.

    Callbacks run as if somebody had set them.
    """
    for place, model in _places(document):
        if place not in values:
            continue
        value = values[place]
        try:
            if _value_of(model, place.attribute) != value:
                setattr(model, place.attribute, value)
        except ValueError:
            continue  # it is another range now, or other choices
