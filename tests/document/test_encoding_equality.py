"""Our encoder against Bokeh's: every model class, themes, deleted values, every kind of value.

Two documents are made alike; Bokeh encodes one, we the other, which is made with and without
the acceleration of Bokeh's methods. What is compared includes the order
of properties, which decides where a model is defined and where it is referred to.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import warnings
import weakref
from array import array as typed_array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pytest
from bokeh.core.has_props import HasProps, _default_resolver
from bokeh.core.property.vectorization import Expr, Field, Value
from bokeh.document import Document
from bokeh.models import ColumnDataSource, CumSum, CustomJS, Jitter, Plot, glyphs
from bokeh.models.widgets import Div, Slider
from bokeh.plotting import figure
from bokeh.themes import built_in_themes
from bokeh.util.serialization import make_id
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.document import Model, encode_document, new_document
from hyperfocal.document.plans import plan_of
from tests.document.twins import CLASSES, Twins, delete_some, with_theme

#: Bokeh's type stubs do not know the units of data specs.
Glyphs: Any = glyphs

MakeTwins: TypeAlias = Callable[[Callable[[Document], Any]], Twins]


@pytest.fixture(params=[False, True], ids=["plans", "plans-and-acceleration"])
def make_twins(request: pytest.FixtureRequest) -> MakeTwins:
    """Makes twins, one of them our way."""
    return lambda make: Twins(make, accelerate=request.param)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", CLASSES)
def test_a_model_of_every_class_is_encoded_as_bokeh_encodes_it(
    name: str, make_twins: MakeTwins
) -> None:
    cls: Any = Model.model_class_reverse_map[name]
    twins = make_twins(lambda document: document.add_root(cls()))
    twins.check()
    for theme in (*built_in_themes.values(), None):
        twins.each(with_theme(theme))
        twins.check()
    twins.each(delete_some)
    twins.check()
    twins.check()
    twins.each(with_theme(built_in_themes["dark_minimal"]))
    twins.check()


def test_nearly_every_class_of_bokeh_has_a_plan() -> None:
    known = Model.model_class_reverse_map
    models: Any = [known[name] for name in CLASSES]
    assert len(models) > 300
    assert all(plan_of(cls) is not None for cls in models)


# --- plots ----------------------------------------------------------------------------------------


def _figure(document: Document) -> None:
    source = ColumnDataSource(
        data={"a": [1, 2, 3], "b": np.array([1.0, 2.0, np.nan]), "c": ["red", "green", "blue"]}
    )
    fig: Any = figure(title="t", tools="pan,box_zoom,hover,tap,reset", x_axis_type="datetime")
    fig.scatter("a", "b", source=source, color="c", size=7, angle=0.5, angle_units="deg")
    fig.scatter("a", "b", source=source, fill_alpha=0, line_width=-0.0)
    fig.line("a", "b", source=source, line_dash="dashed", legend_label="line")
    fig.wedge(x="a", y="b", radius=1, start_angle=0, end_angle="b", source=source)
    fig.wedge(x="a", y="b", radius=1, start_angle=0, end_angle=90, end_angle_units="deg")
    fig.text(x=[0], y=[1], text=["x"], text_font_size="3em")
    fig.text(x=0, y=1, text={"value": "fixed"}, text_font_size={"field": "a"}, source=source)
    fig.vbar(x=1, top={"field": "a", "transform": Jitter(width=0.4)}, width=1, source=source)
    fig.hbar(y=1, right=Expr(CumSum(field="a")), height=2, source=source)
    fig.segment(0, 1, dt.datetime(2020, 1, 1), dt.date(2020, 1, 2))
    fig.xaxis.axis_label = "X"
    document.add_root(fig)
    slider = Slider(start=0, end=1, value=0, step=0.1)
    slider.js_on_change("value", CustomJS(args={"fig": fig, "n": 1}, code="0"))
    document.add_root(slider)
    document.js_on_event("document_ready", CustomJS(args={"slider": slider}, code="1"))


def test_a_figure_is_encoded_as_bokeh_encodes_it(make_twins: MakeTwins) -> None:
    twins = make_twins(_figure)
    twins.check()
    twins.check()
    for theme in (*built_in_themes.values(), None):
        twins.each(with_theme(theme))
        twins.check()
    twins.each(delete_some)
    twins.check()
    twins.check()


@pytest.mark.parametrize("units", ["deg", "rad"])
def test_the_units_of_a_data_spec_are_those_of_the_moment(
    units: str, make_twins: MakeTwins
) -> None:
    def make(document: Document) -> None:
        document.add_root(Plot(background_fill_color="red"))
        document.add_root(Glyphs.Wedge(start_angle=1, start_angle_units=units))
        document.add_root(Glyphs.Wedge(start_angle=Value(1, units="grad"), start_angle_units=units))
        document.add_root(Glyphs.Wedge(start_angle=Field("a", units="turn"), end_angle=Field("b")))
        document.add_root(Glyphs.AnnularWedge(start_angle=0, end_angle=-0.0))
        document.add_root(Glyphs.Scatter(x=np.float64(3), y=float("nan"), size=10**20))

    twins = make_twins(make)
    twins.check()
    twins.check()


def test_encoding_does_not_write_units_into_the_applications_objects() -> None:
    mine = Field("a")
    wedge = Glyphs.Wedge(start_angle=mine, start_angle_units="deg")
    document = new_document()
    document.add_root(wedge)
    encode_document(document)
    wedge.start_angle_units = "turn"
    content = json.loads(encode_document(document).content)["doc"]["roots"][0]["attributes"]
    assert content["start_angle"] == {"type": "field", "field": "a", "units": "turn"}
    assert mine == Field("a")


# --- values ---------------------------------------------------------------------------------------


@dataclass
class Point:
    x: int
    y: Any


class Colour(Enum):
    RED = "red"


class Name(str): ...


class Count(int): ...


class Pair(list[Any]): ...


class Both(NamedTuple):
    left: Any
    right: Any


DAY = dt.datetime(2020, 2, 3, 4, 5, 6, 789)
VALUES: list[Any] = [
    None,
    True,
    0,
    -0.0,
    2**53 - 1,
    2**53,
    -(2**53),
    10**40,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    [1e308, 1e308],
    [1.0, float("nan")],
    [1.0, 2, "three", None, [True, [2.5]]],
    (1, (2.0, "x")),
    Both(1, "b"),
    Pair([1, 2.5]),
    Name("name"),
    Count(7),
    Colour.RED,
    "\ud83d",
    "\x00\u2028é😀",
    {},
    {"a": {"b": [1]}},
    {1: "one", 2.5: "half", None: "none", (1, 2): "pair"},
    OrderedDict(z=1, a=2),
    set(),
    {1},
    frozenset({1}),
    b"",
    b"bytes",
    slice(1, None, 2),
    range(3),
    SimpleNamespace(a=1, b=[2]),
    Point(1, [Point(2, None)]),
    typed_array("d", [1.0, 2.0]),
    typed_array("b", [1]),
    typed_array("q", [1]),
    dt.date(2020, 1, 1),
    DAY,
    dt.time(1, 2, 3),
    dt.timedelta(seconds=1.5),
    np.datetime64("2020-01-01"),
    np.timedelta64(5, "s"),
    np.float16(1.5),
    np.float32("nan"),
    np.int8(-1),
    np.uint64(2**63),
    np.bool_(False),
    np.str_("s"),
    pd.Timestamp("2020-01-01"),
    pd.Timedelta("1h"),
    pd.NaT,
    pd.NA,
    pd.Series([1, 2, 3]),
    pd.Series(["a", None]),
    pd.Series([1, None], dtype="Int64"),
    pd.Series(["a", "b"], dtype="category"),
    pd.Index([1.5, 2.5]),
    pd.period_range("2020-01", periods=2, freq="M"),
    pd.date_range("2020", periods=2, tz="UTC"),
    pd.Series(["a", None], dtype="string"),
    pd.Series([True, None], dtype="boolean"),
    pd.Series([1.5, None], dtype="Float64"),
    pd.Series([1, 2], dtype="UInt8"),
    pd.interval_range(0, 2),
    pd.timedelta_range("1h", periods=2),
    1j,
    object(),
    Value(1),
    Field("f"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_a_value_is_encoded_as_bokeh_encodes_it(value: Any, make_twins: MakeTwins) -> None:
    twins = make_twins(lambda document: document.add_root(Div(tags=[value, [value], {"k": value}])))
    twins.check()


_BASE = np.arange(12).reshape(3, 4)
ARRAYS: list[Any] = [
    *(_BASE.astype(kind) for kind in np.typecodes["AllInteger"] + np.typecodes["AllFloat"]),
    _BASE.astype(bool),
    _BASE.astype(complex),
    _BASE.astype("datetime64[D]"),
    _BASE.astype("datetime64[ns]"),
    _BASE.astype("timedelta64[s]"),
    _BASE.astype(str),
    _BASE.astype("S3"),
    _BASE.astype(object),
    _BASE.astype(">f8"),
    _BASE.astype(">i4"),
    _BASE.T,
    _BASE[::2, ::-1],
    _BASE.astype(float)[:, 1:3],
    np.asfortranarray(_BASE.astype(float)),
    np.array(5),
    np.array(float("nan")),
    np.array("text"),
    np.array([]),
    np.zeros((0, 3), dtype=np.int64),
    np.array([2**40]),
    np.array([2**60, -1]),
    np.array([2**40], dtype=np.uint64),
    np.array([float("nan"), float("inf")]),
    np.array([1.0, None, "x"], dtype=object),
    np.array([DAY, None], dtype=object),
    np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    _BASE.astype(float).view(np.recarray),
    np.lib.stride_tricks.as_strided(np.ones(1), (3,), (0,)),
]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: f"{value.dtype}-{value.shape}")
def test_an_array_is_encoded_as_bokeh_encodes_it(value: Any, make_twins: MakeTwins) -> None:
    twins = make_twins(lambda document: document.add_root(Div(tags=[value])))
    twins.check()
    twins = make_twins(lambda document: document.add_root(CustomJS(args={"x": value}, code="")))
    twins.check()


_scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=4)
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2) | st.integers(0, 3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(_values, max_size=4))
def test_any_values_are_encoded_as_bokeh_encodes_them(tags: list[Any]) -> None:
    Twins(lambda document: document.add_root(Div(tags=tags)), accelerate=True).check()


# --- classes of applications ----------------------------------------------------------------------


def test_a_model_that_writes_itself_is_left_to_it(make_twins: MakeTwins) -> None:
    class Own(Div):
        __view_model__ = "Div"

        def to_serializable(self, serializer: Any) -> Any:
            written: Any = super().to_serializable(serializer)
            written["attributes"] = {"text": "mine"}
            return written

    try:
        assert plan_of(Own) is None
        make_twins(lambda document: document.add_root(Own(text="a"))).check()
    finally:
        _forget(Own)


def test_an_unset_property_is_the_same_error() -> None:
    from bokeh.core.properties import Int, Required

    class Needy(Model):
        count: Any = Required(Int)

    try:
        document = new_document()
        document.add_root(Needy())
        with pytest.raises(ValueError, match="doesn't have a value set"):
            encode_document(document)
        document.roots[0].count = 1  # type: ignore[attr-defined]
        assert '"count":1' in encode_document(document).content
    finally:
        _forget(Needy)


def test_a_plan_does_not_keep_its_class_alive() -> None:
    def make() -> weakref.ref[Any]:
        class Short(Div):
            __view_model__ = f"Short{make_id()}"

        document = new_document()
        document.add_root(Short(text="a"))
        encode_document(document)
        _forget(Short)
        for cache in ("properties", "descriptors", "properties_with_refs", "dataspecs"):
            HasProps.__dict__[cache].__func__.cache_clear()  # Bokeh's own keep every class
        return weakref.ref(Short)

    reference = make()
    gc.collect()
    assert reference() is None


def _forget(cls: type[Any]) -> None:
    resolver: Any = _default_resolver
    resolver._known_models.pop(cls.__qualified_model__, None)
