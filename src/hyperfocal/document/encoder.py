"""Values as JSON, in one pass.

Writes what Bokeh's own serializer writes, which it extends: types that it does not know by
themselves go to Bokeh's encoder, whose items come back here.

Threads share nothing here but constants: an encoder is one message's.
"""

from __future__ import annotations

import base64
import gzip
import sys
from collections.abc import Callable, Collection
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from bokeh.core.has_props import MetaHasProps
from bokeh.core.property.vectorization import Expr, Field, Value
from bokeh.core.property.wrappers import (
    PropertyValueColumnData,
    PropertyValueDict,
    PropertyValueList,
    PropertyValueSet,
)
from bokeh.core.serialization import Serializer
from bokeh.document import Document
from bokeh.model import Model
from bokeh.settings import settings
from bokeh.util.dataclasses import Unspecified

from hyperfocal.document.pieces import PIECE, pieces_of
from hyperfocal.document.plans import plan_of
from hyperfocal.wire import Buffer

__all__ = ("AS_THEY_ARE", "Encoder", "as_binary", "is_its_own_json")

#: JavaScript's integers, as far as Bokeh trusts them.
_MAX_SAFE_INT = 2**53 - 1
_FLOATS: frozenset[type[Any]] = frozenset({float})
#: Types of arrays that travel as they are, and ``int64``, which does if its numbers are small, by
#: their character: the types themselves take long to compare.
_BINARY: dict[str, str] = {
    char: name
    for char in np.typecodes["All"]
    if (name := np.dtype(char).name)
    in {
        *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "int64"),
        *("float32", "float64"),
    }
}
_INT32 = np.iinfo(np.int32)


#: Types of scalars that are written as they are, whatever their value.
AS_THEY_ARE: frozenset[type[Any]] = frozenset({str, bool, type(None)})


def is_its_own_json(value: Any) -> bool:
    """Whether this is a scalar that is written as it is."""
    kind = type(value)
    if kind is int:
        return bool(-_MAX_SAFE_INT < value <= _MAX_SAFE_INT)
    return kind in AS_THEY_ARE or (kind is float and isfinite(value))


class Encoder(Serializer):
    """One message's worth of encoding: what was defined once is referred to afterwards.

    Args:
        known: the document whose models the audience knows already, apart from ``fresh``.
        fresh: models that it does not know yet.
        inline: put bytes into the JSON instead of buffers of their own.
    """

    def __init__(
        self,
        known: Document | None = None,
        fresh: Collection[Model] = (),
        *,
        inline: bool = False,
    ) -> None:
        # What Bokeh's own constructor sets up; it would read a set of references that is empty.
        self._references = {}
        self._buffers = []
        self._circular = {}
        self._deferred = True
        self._check_circular = False
        self._known = known.models if known is not None else None
        self._fresh = fresh
        self._inline = inline
        self._with_defaults: bool | None = None  # a setting that takes its time to be read
        self._payloads: list[Buffer] = []
        self._failures: dict[int, Exception] = {}  # of models that cannot be encoded

    @property
    def payloads(self) -> tuple[Buffer, ...]:
        """The buffers to which the JSON refers."""
        return tuple(self._payloads)

    def encode(self, obj: Any) -> Any:
        """What stands for a value in JSON.

        Raises:
            SerializationError: it has no JSON form.
        """
        encode = _ENCODERS.get(type(obj))
        return encode(self, obj) if encode is not None else self._encode_other_type(obj)

    def _encode_other_type(self, obj: Any) -> Any:
        if isinstance(obj, Model):
            return self._encode_model(obj)
        ref = self.get_ref(obj)
        return ref if ref is not None else super()._encode(obj)

    def get_ref(self, obj: Any) -> Any:
        """How a value is referred to; ``None`` when it has to be written out."""
        ref = self._references.get(id(obj))
        if ref is not None or self._known is None or not isinstance(obj, Model):
            return ref
        known = self._known._models.get(obj.id) is obj and obj not in self._fresh
        return {"id": obj.id} if known else None

    def has_ref(self, obj: Any) -> bool:
        """Whether a value is only referred to."""
        return self.get_ref(obj) is not None

    def defined(self, model: Model) -> bool:
        """Whether this encoder has written the model's definition."""
        return id(model) in self._references

    def mark(self) -> tuple[int, int]:
        """How far it has come, for ``forget_since``."""
        return len(self._references), len(self._payloads)

    def forget_since(self, mark: tuple[int, int]) -> None:
        """What was encoded since then is not said: it has failed."""
        references, payloads = mark
        while len(self._references) > references:
            self._references.popitem()
        del self._payloads[payloads:]

    def _encode_model(self, model: Model) -> Any:
        ref = self.get_ref(model)
        if ref is not None:
            return ref
        if id(model) in self._failures:
            raise self._failures[id(model)]
        try:
            if self._known is not None and self._known.seen(model.id):
                return self._encode_returning(model)
            if self._with_defaults is None:
                self._with_defaults = bool(settings.serialize_include_defaults())
            plan = plan_of(type(model))
            if plan is None or self._with_defaults:
                return super()._encode(model)
            self._references[id(model)] = {"id": model.id}
            attributes = plan.attributes(model, self)
        except Exception as error:
            self._failures[id(model)] = error  # whatever else refers to it need not try
            raise
        if attributes:
            return {
                "type": "object",
                "name": plan.name,
                "id": model.id,
                "attributes": attributes,
            }
        return {"type": "object", "name": plan.name, "id": model.id}

    def _encode_returning(self, model: Model) -> Any:
        """A model that was away and is back.

        A client that still has it takes this for an update, so properties that went back to
        their defaults meanwhile must be named too.
        """
        self.add_ref(model, model.ref)
        values = model.properties_with_values(include_defaults=True)
        return {
            "type": "object",
            "name": model.__qualified_model__,
            "id": model.id,
            "attributes": {name: self.encode(value) for name, value in values.items()},
        }

    def _encode_bytes(self, obj: bytes | memoryview) -> Any:
        # A copy: the array may change before the frames have left.
        data = bytes(obj)
        if self._inline:
            # BokehJS unpacks inline bytes with gzip; level 0 costs next to nothing here and little
            # over there (measured: shared/CONTRACT.md, "Reconnecting").
            packed = gzip.compress(data, compresslevel=0, mtime=0)
            return {"type": "bytes", "data": base64.b64encode(packed).decode("ascii")}
        buffer = Buffer(f"b{len(self._payloads)}", data)
        self._payloads.append(buffer)
        return {"type": "bytes", "data": {"id": buffer.id}}

    def _encode_list(self, obj: Any) -> Any:
        if len(obj) > PIECE:
            return [item for piece in pieces_of(obj) for item in self._encode_list(piece)]
        kinds: set[Any] = set(map(type, obj))
        if kinds <= AS_THEY_ARE:
            return list(obj)
        if kinds <= _FLOATS and isfinite(sum(obj)):
            return list(obj)
        encode = self.encode
        return [encode(item) for item in obj]

    def _encode_dict(self, obj: Any) -> Any:
        if not obj:
            return {"type": "map"}
        encode = self.encode
        entries = [
            (key if type(key) is str else encode(key), encode(item)) for key, item in obj.items()
        ]
        return {"type": "map", "entries": entries}

    def _encode_ndarray(self, obj: npt.NDArray[Any]) -> Any:
        if type(obj) is not np.ndarray:
            return super()._encode_ndarray(obj)
        binary = as_binary(obj)
        if binary is None:
            return super()._encode_ndarray(obj)
        array, dtype = binary
        return {
            "type": "ndarray",
            "array": self._encode_bytes(array.tobytes()),
            "shape": list(array.shape),
            "dtype": dtype,
            "order": sys.byteorder,
        }

    def encode_same(self, obj: Any) -> Any:
        """A value that is its own JSON."""
        return obj

    def encode_int(self, obj: int) -> Any:
        """A whole number; a large one loses its last digits, with a warning."""
        return obj if -_MAX_SAFE_INT < obj <= _MAX_SAFE_INT else self._encode_int(obj)

    def encode_float(self, obj: float) -> Any:
        """A number; NaN and infinities have a form of their own."""
        return float(obj) if isfinite(obj) else self._encode_float(obj)

    def encode_array(self, obj: npt.NDArray[Any]) -> Any:
        """An array; one without dimensions is a number."""
        return self._encode_ndarray(obj) if obj.shape else self.encode(obj.item())

    def encode_class(self, cls: type[Any]) -> Any:
        """A data model's definition."""
        ref = self._references.get(id(cls))
        return ref if ref is not None else super()._encode(cls)

    def encode_value(self, obj: Value[Any]) -> Any:
        """A fixed value of a data spec."""
        return self._encode_vectorized("value", obj, obj.value)

    def encode_field(self, obj: Field) -> Any:
        """The name of a column, of a data spec."""
        return self._encode_vectorized("field", obj, obj.field)

    def encode_expr(self, obj: Expr) -> Any:
        """An expression, of a data spec."""
        return self._encode_vectorized("expr", obj, obj.expr)

    def _encode_vectorized(self, kind: str, obj: Any, content: Any) -> Any:
        written = {"type": kind, kind: self.encode(content)}
        if obj.transform is not Unspecified:
            written["transform"] = self.encode(obj.transform)
        if obj.units is not Unspecified:
            written["units"] = self.encode(obj.units)
        return written


def as_binary(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], str] | None:
    """The array that travels for one, and its type; ``None`` for one that is written otherwise."""
    kind = array.dtype
    dtype = _BINARY.get(kind.char) if kind.isnative else None
    if dtype is None or not array.flags.c_contiguous:
        return None
    if dtype != "int64":
        return array, dtype
    return (array.astype(np.int32), "int32") if array.size and _fits_int32(array) else None


def _fits_int32(array: npt.NDArray[Any]) -> bool:
    return bool(_INT32.min <= array.min() and array.max() <= _INT32.max)


_Encode: TypeAlias = Callable[[Encoder, Any], Any]
#: By exact type; what is not here is looked at more closely.
_ENCODERS: dict[type[Any], _Encode] = {
    str: Encoder.encode_same,
    bool: Encoder.encode_same,
    type(None): Encoder.encode_same,
    int: Encoder.encode_int,
    float: Encoder.encode_float,
    np.float64: Encoder.encode_float,
    list: Encoder._encode_list,
    tuple: Encoder._encode_list,
    PropertyValueList: Encoder._encode_list,
    set: Encoder._encode_set,
    PropertyValueSet: Encoder._encode_set,
    dict: Encoder._encode_dict,
    PropertyValueDict: Encoder._encode_dict,
    PropertyValueColumnData: Encoder._encode_dict,
    np.ndarray: Encoder.encode_array,
    Value: Encoder.encode_value,
    Field: Encoder.encode_field,
    Expr: Encoder.encode_expr,
    MetaHasProps: Encoder.encode_class,
}
