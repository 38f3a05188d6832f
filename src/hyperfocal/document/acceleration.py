"""What Bokeh computes for every model although it is the same for every model of a class.

``install`` replaces a few methods of Bokeh's ``HasProps`` and descriptors by ones that give the
same results from what was found out once per class. Documents are built three to five times
faster. The replacements are for the releases in ``RELEASES``, on which the suite that compares both
has passed; on others, and with ``--no-accelerate``, Bokeh is left as it is.

Threads share what is known of classes (``hyperfocal.document.classes`` says why that is safe) and
the list of what is replaced, which one lock guards.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from types import FunctionType
from typing import Any

import bokeh
import bokeh.model.model
import bokeh.model.util
from bokeh.core.has_props import HasProps
from bokeh.core.property.bases import validation_on
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.singletons import Intrinsic, Undefined
from bokeh.core.property.wrappers import (
    PropertyValueContainer,
    PropertyValueDict,
    PropertyValueList,
    PropertyValueSet,
)
from bokeh.model import Model
from bokeh.settings import settings
from bokeh.util import serialization as _serialization

from hyperfocal.document import assignment
from hyperfocal.document.classes import ATTRIBUTE, SCALARS, facts_of
from hyperfocal.document.pieces import only_scalars
from hyperfocal.document.releases import RELEASES

__all__ = ("install", "installed", "uninstall")

#: Counts the ids of models, for Bokeh and for us.
serialization: Any = _serialization

_THEMED = "__themed_values__"
_NOTHING: Any = object()


def _default(cls: type[HasProps], descriptor: PropertyDescriptor[Any]) -> Any:
    """A default that no theme overrides, if it follows from the class; else ``_NOTHING``.

    Scalars are prepared (validated, transformed, wrapped) once, and so are empty containers, of
    which each model gets its own. Applications may change a property's default, or switch
    validation off for a while; neither meets a stale answer.
    """
    prepared = _prepared(cls, descriptor)
    return prepared() if type(prepared) is type else prepared


def _prepared(cls: type[HasProps], descriptor: PropertyDescriptor[Any]) -> Any:
    """What ``_default`` gives, but of an empty container only the type."""
    known = facts_of(cls)
    name = descriptor.name
    raw = known.overridden.get(name, _NOTHING)
    if raw is _NOTHING:
        raw = descriptor.property._default
    before, prepared = known.defaults.get(name, _UNKNOWN)
    if before is not raw:
        if not validation_on():
            return _NOTHING
        prepared = _prepare(cls, descriptor, raw)
        known.defaults[name] = (raw, prepared)
    if type(prepared) is type and not _is_empty(raw() if callable(raw) else raw):
        return _NOTHING
    return prepared


def _prepare(cls: type[HasProps], descriptor: PropertyDescriptor[Any], raw: Any) -> Any:
    """A scalar; the type of an empty container to be made each time; or ``_NOTHING``."""
    if type(raw) in SCALARS:
        prepared = descriptor.property.themed_default(cls, descriptor.name, None)
        return prepared if type(prepared) in SCALARS else _NOTHING
    if _is_empty(raw() if isinstance(raw, FunctionType) else raw):
        prepared = descriptor.property.themed_default(cls, descriptor.name, None)
        if type(prepared) in _WRAPPERS and not prepared:
            return type(prepared)
    return _NOTHING


def _is_empty(made: Any) -> bool:
    return type(made) in _BUILTINS and not made


_UNKNOWN = (object(), None)
_BUILTINS = frozenset({list, dict, set})
_WRAPPERS = frozenset({PropertyValueList, PropertyValueDict, PropertyValueSet})


def _init(self: Any, **properties: Any) -> None:
    super(HasProps, self).__init__()
    values: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    self._property_values = values
    self._unstable_default_values = kept
    self._unstable_themed_values = {}
    for name, value in properties.items():
        if value is not Undefined and value is not Intrinsic:
            setattr(self, name, value)
    cls = type(self)
    for name, descriptor in facts_of(cls).unstable.items():
        if name in properties or name in values or name in kept:
            continue
        default = _prepared(cls, descriptor)
        if type(default) is type:
            continue  # an empty container, a dozen in each model, is made when somebody reads it
        if default is _NOTHING:
            descriptor._get(self)
        else:
            kept[name] = default
    self._initialized = True


def _overridden_defaults(cls: type[HasProps]) -> dict[str, Any]:
    return facts_of(cls).overridden


def _lookup(cls: type[HasProps], name: str, *, raises: bool = True) -> Any:
    try:
        return cls.__dict__[ATTRIBUTE].descriptors[name]
    except KeyError:
        found = facts_of(cls).descriptors.get(name)
    return found if found is not None else _bokehs_lookup(cls, name, raises=raises)


_bokehs_lookup: Any = vars(HasProps)["lookup"].__func__


def _themed_values(self: Any) -> Any:
    return self.__dict__.get(_THEMED)


def _has_unstable_default(self: PropertyDescriptor[Any], obj: HasProps) -> bool:
    return self.name in facts_of(type(obj)).unstable


def _get_default(self: PropertyDescriptor[Any], obj: HasProps) -> Any:
    name = self.name
    theme = obj.themed_values()
    if theme is not None and name in theme:
        kept, default = obj._unstable_themed_values, _NOTHING
    else:
        kept, default = obj._unstable_default_values, _default(type(obj), self)
    unstable = name in facts_of(type(obj)).unstable
    if unstable and name in kept:
        return kept[name]
    if default is _NOTHING:
        default = self.instance_default(obj)
    if unstable:
        if isinstance(default, PropertyValueContainer):
            default._register_owner(obj, self)
        kept[name] = default
    return default


def _get(self: PropertyDescriptor[Any], obj: HasProps) -> Any:
    try:
        values = obj.__dict__["_property_values"]
    except KeyError:
        raise RuntimeError(
            f"{type(obj).__name__}.{self.name} was read before HasProps.__init__"
        ) from None
    value = values.get(self.name, _NOTHING)
    return self._get_default(obj) if value is _NOTHING else value


def _visit_references(value: Any, visitor: Callable[[Any], None]) -> None:
    if not isinstance(value, HasProps):
        bokeh.model.util.visit_value_and_its_immediate_references(value, visitor)
        return
    values = value._property_values
    unset = value._unstable_default_values
    cls = type(value)
    known = facts_of(cls)
    for name in known.referring:
        child = values.get(name, _NOTHING)
        if child is _NOTHING:
            child = unset.get(name, _NOTHING)
            if value.themed_values() is not None:
                child = getattr(value, name)
            elif child is _NOTHING:
                if type(_prepared(cls, known.descriptors[name])) is type:
                    continue  # an empty container that nobody has read
                child = getattr(value, name)
        if type(child) not in SCALARS:
            bokeh.model.util.visit_value_and_its_immediate_references(child, visitor)


def _visit_value(value: Any, visitor: Callable[[Any], None]) -> None:
    kind = type(value)
    if kind in SCALARS:
        return
    if kind in _LISTS:
        if not only_scalars(value):
            for item in value:
                _visit_value(item, visitor)
    elif isinstance(value, Model):
        visitor(value)
    else:
        _bokehs_visit_value(value, visitor)


_bokehs_visit_value: Any = bokeh.model.util.visit_value_and_its_immediate_references
_LISTS = frozenset({list, tuple, PropertyValueList})


def _apply_theme(self: Any, property_values: dict[str, Any]) -> None:
    if property_values or _THEMED in self.__dict__:
        _bokehs_apply_theme(self, property_values)


_bokehs_apply_theme = HasProps.apply_theme


def _make_id() -> str:
    with serialization._simple_id_lock:
        serialization._simple_id += 1
        return f"p{serialization._simple_id}"


#: Where, what it is called, and what takes its place.
_REPLACEMENTS: tuple[tuple[Any, str, Any], ...] = (
    (HasProps, "__init__", _init),
    (HasProps, "_overridden_defaults", classmethod(_overridden_defaults)),
    (HasProps, "lookup", classmethod(_lookup)),
    (HasProps, "themed_values", _themed_values),
    (HasProps, "apply_theme", _apply_theme),
    (PropertyDescriptor, "has_unstable_default", _has_unstable_default),
    (PropertyDescriptor, "_get_default", _get_default),
    (PropertyDescriptor, "_get", _get),
    (bokeh.model.util, "visit_immediate_value_references", _visit_references),
    (bokeh.model.util, "visit_value_and_its_immediate_references", _visit_value),
    *assignment.REPLACEMENTS,
)

_replacing = Lock()
_replaced: list[tuple[Any, str, Any]] = []


def installed() -> bool:
    """Whether Bokeh's methods are replaced at the moment."""
    return bool(_replaced)


def install() -> bool:
    """Replace the methods, for the whole process. Does nothing the second time.

    Returns:
        False when this release of Bokeh is not among ``RELEASES``; it is left as it is.
    """
    if bokeh.__version__ not in RELEASES:
        return False
    with _replacing:
        if not _replaced:
            for place, name, replacement in _REPLACEMENTS:
                _replace(place, name, replacement)
            if settings.simple_ids():  # else ids are random
                _replace(bokeh.model.model, "make_id", _make_id)
    return True


def _replace(place: Any, name: str, replacement: Any) -> None:
    _replaced.append((place, name, vars(place)[name]))
    setattr(place, name, replacement)


def uninstall() -> None:
    """Put Bokeh's own methods back."""
    with _replacing:
        while _replaced:
            place, name, original = _replaced.pop()
            setattr(place, name, original)
