"""What is known of a model class, and need not be found out for every model: its plan.

Bokeh reads all properties of a model to find the few that are written: those that were set, the
unstable defaults (made anew for each model) and the themed. Which these are follows from the names
in the model's own dictionaries, its *shape*. A plan keeps, per shape, what to write and how.

Threads share plans, and in them the shapes and the remembered values of data specs, without a lock:
each is made whole, never changed, and stored by one operation, so that two threads that make one
at the same time make the same. Emptying a table that is full loses nothing that is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from math import isnan
from typing import TYPE_CHECKING, Any, TypeAlias

import bokeh
from bokeh.core.property.container import Dict, List, Set
from bokeh.core.property.dataspec import DataSpec, UnitsSpec
from bokeh.core.property.descriptors import (
    ColumnDataPropertyDescriptor,
    DataSpecPropertyDescriptor,
    PropertyDescriptor,
    UnitsSpecPropertyDescriptor,
)
from bokeh.core.property.singletons import Undefined
from bokeh.core.property.vectorization import Expr, Field, Value
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.model import Model
from bokeh.util.dataclasses import Unspecified

from hyperfocal.document.releases import RELEASES

if TYPE_CHECKING:
    from hyperfocal.document.encoder import Encoder

__all__ = ("Plan", "plan_of")

#: Writes a property of a model, which has this value.
_Writer: TypeAlias = "Callable[[Encoder, Any, Any], Any]"
#: Names of the properties that were set, of the unstable defaults, and the theme's values.
_ShapeKey: TypeAlias = "tuple[tuple[str, ...], tuple[str, ...], int]"

#: Shapes kept per class, and values kept per data spec; past these, all are forgotten.
_MAX_SHAPES = 512
_MAX_VALUES = 2048

#: A class has its plan in its own dictionary: it goes when a session's script and its classes go.
_ATTRIBUTE = "__hyperfocal_plan__"

#: Where a model keeps what its theme says; absent when it says nothing.
_THEMED = "__themed_values__"

#: Properties whose values are always wrapped in containers that notice changes. An unstable
#: default of such a property is written only once it has been changed, and is then among the
#: values that were set.
_CONTAINERS = (List, Set, Dict)

_SCALARS = frozenset({str, int, float, bool, type(None)})

#: Descriptors whose ``get_value`` is the value as it is.
_PLAIN_DESCRIPTORS = frozenset({PropertyDescriptor, ColumnDataPropertyDescriptor})
_SPEC_DESCRIPTORS = frozenset({DataSpecPropertyDescriptor, UnitsSpecPropertyDescriptor})
_MODEL_METHODS = (
    "properties_with_values",
    "query_properties_with_values",
    "themed_values",
    "to_serializable",
)


def plan_of(cls: type[Model]) -> Plan | None:
    """The plan of a model class; ``None`` for one that says itself how it is written.

    Nor are there plans for releases of Bokeh on which they have not been tried: there Bokeh's own
    serializer does the work.
    """
    plan: Plan | None
    try:
        plan = cls.__dict__[_ATTRIBUTE]
    except KeyError:
        usual = all(getattr(cls, name) is getattr(Model, name) for name in _MODEL_METHODS)
        tried = bokeh.__version__ in RELEASES
        plan = Plan(cls) if tried and usual and not hasattr(cls, _THEMED) else None
        type.__setattr__(cls, _ATTRIBUTE, plan)
    return plan


class _Shape:
    """What to write of models with the same names in their dictionaries.

    Attributes:
        items: name, where the value is (``_SET``, ``_UNSTABLE``, or ``_ASK`` the descriptor),
            how it is written (``None``: as any value), and the descriptor.
        refill: unstable defaults that are missing since a property was deleted. Reading them makes
            them, as Bokeh's serializer does, so that the next time they are written. Containers
            are not written in any case.
        themed: keeps the theme's dictionary, whose identity is part of the key, alive.
    """

    __slots__ = ("items", "refill", "themed")

    def __init__(
        self,
        items: tuple[tuple[str, int, _Writer | None, PropertyDescriptor[Any]], ...],
        refill: tuple[PropertyDescriptor[Any], ...],
        themed: dict[str, Any] | None,
    ) -> None:
        self.items = items
        self.refill = refill
        self.themed = themed


_SET, _UNSTABLE, _ASK = range(3)


class Plan:
    """How models of a class are written."""

    __slots__ = ("_order", "_required", "_shapes", "_unstable", "_writers", "name")

    def __init__(self, cls: type[Model]) -> None:
        self.name = cls.__qualified_model__
        self._shapes: dict[_ShapeKey, _Shape] = {}
        self._order: dict[str, PropertyDescriptor[Any]] = {}
        self._required: list[str] = []
        self._unstable: dict[str, PropertyDescriptor[Any]] = {}
        self._writers: dict[str, _Writer] = {}
        inherited = cls._overridden_defaults()
        own = cls.__overridden_defaults__
        for name in cls.properties(_with_props=True):
            descriptor = cls.lookup(name)
            if not descriptor.serialized:
                continue
            self._order[name] = descriptor
            if inherited.get(name, descriptor.property._default) is Undefined:
                self._required.append(name)
            if descriptor.property._may_have_unstable_default() or PropertyDescriptor.is_unstable(
                own.get(name)
            ):
                self._unstable[name] = descriptor
            writer = _writer(descriptor)
            if writer is not None:
                self._writers[name] = writer

    def shape(self, model: Model) -> _Shape:
        """What to write of a model.

        Raises:
            UnsetValueError: a property that has no default was not set.
        """
        values = model._property_values
        unstable = model._unstable_default_values
        themed = model.__dict__.get(_THEMED)
        key = (tuple(values), tuple(unstable), id(themed))
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._make_shape(model, values, unstable, themed)
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            self._shapes[key] = shape
        return shape

    def _make_shape(
        self,
        model: Model,
        values: dict[str, Any],
        unstable: dict[str, Any],
        themed: dict[str, Any] | None,
    ) -> _Shape:
        theme = themed if themed is not None else {}
        for name in self._required:
            if name not in values and name not in theme:
                self._order[name].get_value(model)
        items: list[tuple[str, int, _Writer | None, PropertyDescriptor[Any]]] = []
        for name, descriptor in self._order.items():
            writer = self._writers.get(name)
            if name in values:
                items.append((name, _SET, writer, descriptor))
            elif name in theme:
                items.append((name, _ASK, writer, descriptor))
            elif name in unstable and not isinstance(descriptor.property, _CONTAINERS):
                items.append((name, _UNSTABLE, writer, descriptor))
        refill = [
            descriptor
            for name, descriptor in self._unstable.items()
            if name not in values
            and name not in unstable
            and name not in theme
            and not isinstance(descriptor.property, _CONTAINERS)
        ]
        return _Shape(tuple(items), tuple(refill), themed)

    def attributes(self, model: Model, encoder: Encoder) -> dict[str, Any]:
        """The properties that are written, in the class's order.

        Raises:
            UnsetValueError: a property that has no default was not set.
            SerializationError: a value has no JSON form.
        """
        shape = self.shape(model)
        for descriptor in shape.refill:
            descriptor._get(model)
        values = model._property_values
        encode = encoder.encode
        attributes: dict[str, Any] = {}
        for name, where, writer, descriptor in shape.items:
            if where == _SET:
                value = values[name]
            elif where == _UNSTABLE:
                value = model._unstable_default_values[name]
                if isinstance(value, PropertyValueContainer):
                    continue
            else:
                value = descriptor._get(model)
            attributes[name] = encode(value) if writer is None else writer(encoder, model, value)
        return attributes


def _writer(descriptor: PropertyDescriptor[Any]) -> _Writer | None:
    """How a property is written that is not simply its value."""
    kind = type(descriptor)
    if kind in _PLAIN_DESCRIPTORS:
        return None
    prop: Any = descriptor.property
    usual = (DataSpec.to_serializable, UnitsSpec.to_serializable)
    if kind in _SPEC_DESCRIPTORS and type(prop).to_serializable in usual:
        return _spec_writer(descriptor)
    return lambda encoder, model, _: encoder.encode(descriptor.get_value(model))


def _spec_writer(descriptor: PropertyDescriptor[Any]) -> _Writer:
    """Remember what Bokeh makes of a data spec's value: it builds a property to find out."""
    name = descriptor.name
    prop: Any = descriptor.property
    units = f"{name}_units" if isinstance(prop, UnitsSpec) else None
    known: dict[Any, Any] = {}

    def make(encoder: Encoder, model: Any, value: Any) -> Any:
        if units is not None and type(value) in (Field, Value, Expr):
            value = copy(value)  # Bokeh would write the units into the application's own object
        return encoder.encode(prop.to_serializable(model, name, value))

    def write(encoder: Encoder, model: Any, value: Any) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            content, own_units = value, None
        elif (kind is Field or kind is Value) and value.transform is Unspecified:
            content = value.field if kind is Field else value.value
            own_units = value.units
        else:
            return make(encoder, model, value)
        if (
            type(content) not in _SCALARS
            or content == 0
            or (type(content) is float and isnan(content))
        ):
            return make(encoder, model, value)  # 0.0 and -0.0 would be one key, NaN none
        model_units = getattr(model, units) if units is not None else None
        key = (kind, type(content), content, own_units, model_units)
        written = known.get(key)
        if written is None:
            written = make(encoder, model, value)
            if len(known) >= _MAX_VALUES:
                known.clear()
            known[key] = written
        return written

    return write
