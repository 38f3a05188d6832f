"""What is the same for all models of a class, found out once per class.

Shared by all threads: what is known of a class is in the class's own dictionary (it goes when a
session's script and its classes go). It follows from the class alone, and it, like each entry of
its tables, is made whole before it is stored by one operation; two threads that make it at the
same time make the same, and either will do. Hence there is no lock.
"""

from __future__ import annotations

from types import NoneType
from typing import Any, cast

import bokeh
from bokeh.core.has_props import HasProps
from bokeh.core.property.bases import PrimitiveProperty, Property, SingleParameterizedProperty
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.either import Either
from bokeh.core.property.nullable import Nullable
from bokeh.model import Model
from bokeh.model.util import HasDocumentRef

from hyperfocal.document.releases import RELEASES

__all__ = (
    "ATTRIBUTE",
    "SCALARS",
    "ClassFacts",
    "Plain",
    "accepts",
    "facts_of",
    "plain_property",
)

#: Where a class has what is known of it.
ATTRIBUTE = "__hyperfocal_class__"
#: Types of values that consist of nothing else and never change.
SCALARS: frozenset[type[Any]] = frozenset({str, int, float, bool, NoneType})


class Plain:
    """A property of a class that Bokeh keeps and gives as it is: its descriptor is the plain one.

    Attributes:
        descriptor: the property's descriptor.
        takes: types of scalars that the property takes for their type alone, and as they are.
        assertions: what else it asks; the property's own list, which may grow.
        tells: what the class's facts say of that.
        writable: the same, and code may set it.
    """

    __slots__ = ("assertions", "descriptor", "takes", "tells", "writable")

    def __init__(self, facts: ClassFacts, descriptor: PropertyDescriptor[Any]) -> None:
        prop = descriptor.property
        self.descriptor = descriptor
        self.takes = _taken(prop)
        self.assertions = prop.assertions
        self.tells = facts.tells
        self.writable = facts.tells and facts.sets and not descriptor.readonly


class ClassFacts:
    """What is the same for all models of a class.

    Attributes:
        overridden: defaults that the class or its bases override, by property.
        descriptors: what ``lookup`` gives, by property.
        unstable: properties of which each model has a default of its own, in order.
        defaults: by property, its default, and what is known of it once Bokeh has prepared it.
        referring: properties that may refer to models, in order.
        tells: its models tell of changes in the usual way: layers in between can be left out.
        sets: nothing but ``HasProps`` has a say when an attribute is set.
        plain: what was found out by ``plain_property`` so far, by property.
    """

    __slots__ = (
        *("defaults", "descriptors", "overridden", "plain", "referring", "sets", "tells"),
        "unstable",
    )

    def __init__(self, cls: type[HasProps]) -> None:
        self.overridden: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            self.overridden.update(base.__dict__.get("__overridden_defaults__", {}))
        own = cls.__overridden_defaults__
        self.unstable: dict[str, PropertyDescriptor[Any]] = {}
        for name in cls.properties(_with_props=True):
            descriptor: Any = getattr(cls, name)
            if isinstance(descriptor, PropertyDescriptor) and (  # an alias is none
                descriptor.property._may_have_unstable_default()
                or PropertyDescriptor.is_unstable(own.get(name))
            ):
                self.unstable[name] = descriptor
        self.descriptors = {name: getattr(cls, name) for name in cls.properties(_with_props=True)}
        self.defaults: dict[str, tuple[Any, Any]] = {}
        self.referring = tuple(cls.properties_with_refs())
        self.tells = (
            issubclass(cls, Model)
            and cls.trigger is Model.trigger
            and cls.document is HasDocumentRef.document
        )
        above: Any = super(HasProps, cls)
        self.sets = above.__setattr__ is object.__setattr__
        self.plain: dict[str, Plain | None] = {}


def facts_of(cls: type[HasProps]) -> ClassFacts:
    """What is known of a class."""
    try:
        known: ClassFacts = cls.__dict__[ATTRIBUTE]
    except KeyError:
        known = ClassFacts(cls)
        type.__setattr__(cls, ATTRIBUTE, known)
    return known


def plain_property(cls: type[HasProps], name: str) -> Plain | None:
    """What is known of a plain property; ``None`` for others, and for what is no property.

    Nothing is plain on releases of Bokeh on which that has not been tried.
    """
    known: ClassFacts
    try:
        known = cls.__dict__[ATTRIBUTE]
        return known.plain[name]
    except KeyError:
        return _find_out(facts_of(cls), name)


def _find_out(facts: ClassFacts, name: str) -> Plain | None:
    descriptor = facts.descriptors.get(name)
    if descriptor is None:
        return None
    is_plain = type(descriptor) is PropertyDescriptor and bokeh.__version__ in RELEASES
    found = Plain(facts, descriptor) if is_plain else None
    facts.plain[name] = found
    return found


def _taken(prop: Property[Any]) -> frozenset[type[Any]]:
    cls = type(prop)
    if cls.prepare_value is not Property.prepare_value or cls.matches is not Property.matches:
        return frozenset()
    if not _leaves_alone(prop):
        return frozenset()
    return frozenset(kind for kind in SCALARS if accepts(prop, kind))


def _leaves_alone(prop: Property[Any]) -> bool:
    """Whether scalars come out of ``transform`` and ``wrap`` as they went in."""
    how = (type(prop).transform, type(prop).wrap)
    if how == (Property.transform, Property.wrap):
        return True
    if how == (Either.transform, Either.wrap):
        return all(map(_leaves_alone, cast(Any, prop).type_params))
    if how in (
        (SingleParameterizedProperty.transform, SingleParameterizedProperty.wrap),
        (Nullable.transform, Nullable.wrap),
    ):
        return _leaves_alone(cast(Any, prop).type_param)
    return False


def accepts(prop: Any, kind: type[Any]) -> bool:
    """Whether the property is known to accept all values of the type."""
    how: Any = type(prop).validate
    if not _CHECKS.issuperset(
        vars(cls)["validate"] for cls in type(prop).__mro__ if "validate" in vars(cls)
    ):
        return False
    if how is PrimitiveProperty.validate:
        return issubclass(kind, prop._underlying_type) and not issubclass(
            kind, prop._not_underlying_type
        )
    if how is Nullable.validate:
        return kind is NoneType or accepts(prop.type_param, kind)
    if how is SingleParameterizedProperty.validate:
        return accepts(prop.type_param, kind)
    if how is Either.validate:
        return any(accepts(param, kind) for param in prop.type_params)
    return bool(how is Property.validate)


#: What may have a say about a value, if its type is to decide.
_CHECKS: frozenset[Any] = frozenset(
    cls.validate
    for cls in (Property, PrimitiveProperty, SingleParameterizedProperty, Nullable, Either)
)
