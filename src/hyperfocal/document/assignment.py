"""What happens when a property of a model gets a value: Bokeh's way, without what is not needed.

The functions in ``REPLACEMENTS`` take the place of methods of Bokeh (see
``hyperfocal.document.acceleration``). They do the same in the same order, with one check of a value
instead of several, and go straight to the session's manager of callbacks.
"""

from __future__ import annotations

from typing import Any, cast

import bokeh.model.util
import numpy as np
from bokeh.core.has_props import HasProps
from bokeh.core.property.any import Any as AnyValue
from bokeh.core.property.bases import Property, validation_on
from bokeh.core.property.container import ColumnData, Dict, Seq
from bokeh.core.property.descriptors import ColumnDataPropertyDescriptor, PropertyDescriptor
from bokeh.core.property.primitive import String
from bokeh.core.property.singletons import Undefined
from bokeh.core.property.wrappers import (
    PropertyValueColumnData,
    PropertyValueContainer,
    PropertyValueList,
)
from bokeh.document.events import ColumnDataChangedEvent
from bokeh.model import Model
from bokeh.util.callback_manager import PropertyCallbackManager

from hyperfocal.document.callbacks import RecordingCallbackManager
from hyperfocal.document.classes import SCALARS, Plain, accepts, facts_of, plain_property
from hyperfocal.document.pieces import kinds_of

__all__ = ("REPLACEMENTS",)

_NOTHING: Any = object()


def _prepare_value(self: Any, owner: Any, name: str, value: Any, *, hint: Any = None) -> Any:
    # A scalar that the property takes as it is: nothing to convert, nobody to ask.
    if type(value) in SCALARS and not self.assertions and validation_on():
        try:
            self.validate(value)
        except ValueError:
            pass
        else:
            return self.wrap(self.transform(value))
    if hint is None and isinstance(owner, HasProps) and _are_columns(self, value):
        _check_assertions(self, owner, name, value)
        return self.wrap(value) if type(value) is not dict else _wrapped(value)
    return _bokehs_prepare_value(self, owner, name, value, hint=hint)


_bokehs_prepare_value = Property.prepare_value


def _are_columns(prop: Property[Any], value: Any) -> bool:
    """Whether these are columns, for a property that takes any by their names and types."""
    if type(prop) is not ColumnData or type(value) not in _COLUMN_DATA:
        return False
    names, columns = prop._type_params
    return (
        type(names) is String
        and type(columns) is Seq
        and type(columns._type_params[0]) is AnyValue
        and _NAMES.issuperset(map(type, value))
        and _COLUMNS.issuperset(map(type, value.values()))
    )


_COLUMN_DATA = frozenset({dict, PropertyValueColumnData})
_NAMES: frozenset[type[Any]] = frozenset({str})
_COLUMNS: frozenset[type[Any]] = frozenset({np.ndarray, list, tuple})


def _wrapped(columns: dict[str, Any]) -> PropertyValueColumnData:
    made = PropertyValueColumnData.__new__(PropertyValueColumnData)
    dict.update(made, columns)  # past the property's own method, which would tell of a change
    made._owners = set()
    return made


def _check_assertions(prop: Property[Any], obj: HasProps, name: str, value: Any) -> None:
    for holds, otherwise in cast(Any, prop.assertions):
        result = holds if isinstance(holds, bool) else holds(obj, value)
        assert isinstance(result, bool)
        if not result:
            if isinstance(otherwise, str):
                raise ValueError(otherwise)
            otherwise(obj, name, value)


def _validate_dict(self: Any, value: Any, detail: bool = True) -> None:
    if not _are_columns(self, value):
        _bokehs_validate_dict(self, value, detail)


_bokehs_validate_dict: Any = Dict.validate


def _validate_seq(self: Any, value: Any, detail: bool = True) -> None:
    if type(value) not in _LISTS or not self._is_seq(value) or not _takes_all(self, value):
        _bokehs_validate_seq(self, value, detail)


_bokehs_validate_seq: Any = Seq.validate
_LISTS = frozenset({list, PropertyValueList})


def _takes_all(prop: Seq[Any], items: list[Any]) -> bool:
    """Whether the property is known to take these items for their types."""
    item_type = prop.item_type
    return len(items) > _FEW and all(
        kind in SCALARS and accepts(item_type, kind) for kind in kinds_of(items)
    )


#: Items that are asked for themselves: that takes no longer.
_FEW = 4


def _set_columns(self: Any, obj: Any, value: Any, *, setter: Any = None) -> None:
    if type(value) is not dict or self.readonly or "_property_values" not in obj.__dict__:
        _bokehs_set_columns(self, obj, value, setter=setter)
        return
    document = obj.document
    hint = ColumnDataChangedEvent(document, obj, "data", setter=setter) if document else None
    prepared = self.property.prepare_value(obj, self.name, value)
    self._set(obj, self._get(obj), prepared, hint=hint, setter=setter)


_bokehs_set_columns: Any = ColumnDataPropertyDescriptor.__set__


def _set(
    self: Any, obj: Any, old: Any, value: Any, *, hint: Any = None, setter: Any = None
) -> None:
    if hint is None or value is Undefined:
        _bokehs_set(self, obj, old, value, hint=hint, setter=setter)
        return
    # Bokeh compares here, too, all columns of data, and then tells whatever the answer is.
    kept = obj._property_values.get(self.name, old)
    if kept is not value:
        if isinstance(kept, PropertyValueContainer):
            kept._unregister_owner(obj, self)
        self._set_value(obj, value)
    if type(hint) is ColumnDataChangedEvent and facts_of(type(obj)).tells:
        document = obj.document
        if document is not None and type(document.callbacks) is RecordingCallbackManager:
            document.callbacks.notify_columns(obj, self.name, old, value, hint, setter)
            return
    self._trigger(obj, old, value, hint=hint, setter=setter)


_bokehs_set = PropertyDescriptor._set


def _matches(self: Any, new: Any, old: Any) -> bool:
    if type(new) in SCALARS and type(old) in SCALARS:
        return bool(new == old)
    return bool(_bokehs_matches(self, new, old))


_bokehs_matches = Property.matches


def _model_trigger(
    self: Any, attr: str, old: Any, new: Any, hint: Any = None, setter: Any = None
) -> None:
    if hint is None and self._document is not None and _refers(new, old):
        self.document.models.invalidate()
    above: Any = super(Model, self)
    above.trigger(self.lookup(attr).name, old, new, hint=hint, setter=setter)


def _refers(*values: Any) -> bool:
    """Whether there are models in the values."""
    found: list[Any] = []
    for value in values:
        if type(value) not in SCALARS:
            bokeh.model.util.visit_value_and_its_immediate_references(value, found.append)
    return bool(found)


def _trigger(
    self: Any, attr: str, old: Any, new: Any, hint: Any = None, setter: Any = None
) -> None:
    def invoke() -> None:
        for callback in self._callbacks.get(attr) or ():
            callback(attr, old, new)

    document = self.document
    if document is None:
        invoke()
    else:
        document.callbacks.notify_change(self, attr, old, new, hint, setter, invoke)


def _setattr(self: Any, name: str, value: Any) -> None:
    plain = plain_property(type(self), name)
    if (
        plain is None
        or not plain.writable
        or type(value) not in plain.takes
        or not _assign(self, name, plain, value, None)
    ):
        _bokehs_setattr(self, name, value)


_bokehs_setattr = HasProps.__setattr__


def _set_from_json(
    self: PropertyDescriptor[Any], obj: HasProps, value: Any, *, setter: Any = None
) -> None:
    plain = plain_property(type(obj), self.name)
    if (
        plain is None
        or plain.descriptor is not self
        or not plain.tells
        or type(value) not in plain.takes
        or not _assign(obj, self.name, plain, value, setter)
    ):
        _bokehs_set_from_json(self, obj, value, setter=setter)


_bokehs_set_from_json = PropertyDescriptor.set_from_json


def _assign(obj: Any, name: str, plain: Plain, value: Any, setter: Any) -> bool:
    """Compare, store and tell of a scalar that a plain property takes for its type.

    Returns:
        False where there is more to it; nothing has been done then.
    """
    own = obj.__dict__
    values = own.get("_property_values")
    if values is None or plain.assertions:
        return False
    old = values.get(name, _NOTHING)
    if old is _NOTHING:
        old = plain.descriptor._get_default(obj)
    if type(old) not in SCALARS and old is not Undefined:
        return False
    if value == old:
        return True
    if value is not old:  # one NaN may be set twice
        own["_unstable_themed_values"].pop(name, None)
        own["_unstable_default_values"].pop(name, None)
        values[name] = value
    document = own["_temp_document"]
    if document is None:
        document = own["_document"]
    if document is None:
        for callback in own["_callbacks"].get(name) or ():
            callback(name, old, value)
        return True
    manager = document.callbacks
    if type(manager) is RecordingCallbackManager:
        manager.notify_scalar(obj, name, old, value, setter)
    else:
        obj.trigger(name, old, value, None, setter)
    return True


#: Where, what it is called, and what takes its place.
REPLACEMENTS: tuple[tuple[Any, str, Any], ...] = (
    (HasProps, "__setattr__", _setattr),
    (PropertyDescriptor, "_set", _set),
    (ColumnDataPropertyDescriptor, "__set__", _set_columns),
    (Dict, "validate", _validate_dict),
    (Seq, "validate", _validate_seq),
    (PropertyDescriptor, "set_from_json", _set_from_json),
    (Property, "matches", _matches),
    (Property, "prepare_value", _prepare_value),
    (Model, "trigger", _model_trigger),
    (PropertyCallbackManager, "trigger", _trigger),
)
