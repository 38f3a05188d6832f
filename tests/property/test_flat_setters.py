"""Setting properties without Bokeh's layers does what Bokeh does, whatever is set and however."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from bokeh.core.properties import (
    Alias,
    Bool,
    DeprecatedAlias,
    Either,
    Enum,
    Float,
    Int,
    List,
    NonNegative,
    Nullable,
    NumberSpec,
    Override,
    Readonly,
    Required,
    String,
)
from bokeh.core.properties import (
    Any as AnyValue,
)
from bokeh.core.property.validation import validate
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.document import Document
from bokeh.model import Model
from bokeh.themes import Theme
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hyperfocal.document import new_document
from hyperfocal.document.curdoc import current_document, no_document
from tests.document.twins import accelerated, plain

NAN = float("nan")


class Even(Int):
    """A property of an application."""

    def validate(self, value: Any, detail: bool = True) -> None:
        super().validate(value, detail)
        if value % 2:
            raise ValueError("odd")


class Doubled(Int):
    """Another one."""

    def transform(self, value: Any) -> Any:
        return value * 2


class Kinds(Model):
    """Properties of all kinds that scalars may be set to."""

    number: Any = Int(default=3)
    real: Any = Float(default=NAN)
    flag: Any = Bool(default=False)
    words: Any = String(default="a")
    maybe: Any = Nullable(Int, default=None)
    needed: Any = Required(Float)
    seen: Any = Readonly(Int, default=cast(Any, 1))
    either: Any = Either(Float, List(Int), String, default=cast(Any, 1))
    choice: Any = Enum("a", "b", default="a")
    anything: Any = AnyValue(default=None)
    positive: Any = NonNegative(Int, default=1)
    even: Any = Even(default=2)
    doubled: Any = Doubled(default=2)
    asserted: Any = Int(default=1).asserts(lambda _, value: value != 1, "it is one")
    converted: Any = Int(default=1).accepts(String, len)
    listed: Any = List(Int, default=[1])
    made: Any = Int(default=cast(Any, lambda: 7))
    size: Any = NumberSpec(default=cast(Any, 1))
    other: Any = Alias("number")
    old: Any = DeprecatedAlias("words", since=(3, 0, 0))


class Derived(Kinds):
    """Overrides some, and hears of its changes first."""

    number: Any = Override(default=4)

    def __init__(self, **properties: Any) -> None:
        vars(self)["heard"] = []
        super().__init__(**properties)

    def trigger(self, attr: str, *args: Any, **kw: Any) -> None:
        self.__dict__["heard"].append(attr)
        super().trigger(attr, *args, **kw)


class Watched:
    """A class of an application's that watches attributes."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            self.__dict__.setdefault("_log", []).append(name)
        super().__setattr__(name, value)


class Mixed(Kinds, Watched):
    """A model with it."""


CLASSES = (Kinds, Derived, Mixed)
NAMES = sorted({*Kinds.properties(), "other", "old", "missing", "_own", "name", "id"} - {"tags"})
VALUES: list[Any] = [
    *(0, 1, 2, 3, 7, -1, True, False, 1.0, 2.5, NAN, float("inf"), None, 2**70),
    *("", "a", "b", "abc", [1], [1, 2], ["a"], (1,), {}, {"a": 1}, np.int64(1), np.float64(2.5)),
    *(np.bool_(True), np.str_("a"), b"a", object, {"value": 3}),
]


class World:
    """A model in or out of a document, and everything that is said of it."""

    def __init__(self, kind: type[Kinds], attached: bool, held: bool) -> None:
        self.log: list[Any] = []
        self.document: Document = new_document()
        self.model: Any = kind(name="a")
        self.may = True
        if attached:
            self.document.add_root(self.model)
        self.document.on_change(lambda event: self.note("listener", event))
        cast(Any, self.document.callbacks).attach(self)
        self.held = held

    def may_change(self) -> bool:
        return self.may

    def has_turn(self) -> bool:
        return True

    def changed(self, event: Any) -> None:
        self.note("changed", event)

    def record(self, event: Any) -> bool:
        if self.may:
            self.changed(event)
        return self.may

    def callback_added(self, callback: Any) -> None: ...

    def callback_removed(self, callback: Any) -> None: ...

    def note(self, what: str, event: Any) -> None:
        fields = {
            name: _shown(value)
            for name, value in vars(event).items()
            if name not in ("document", "model", "callback_invoker")
        }
        model = getattr(event, "model", None)
        self.log.append((what, type(event), model is self.model, fields))
        assert event.document is self.document

    def listen(self, attr: str, raising: type[BaseException] | None, then: Any) -> None:
        def callback(name: str, old: Any, new: Any) -> None:
            self.log.append(("callback", name, _shown(old), _shown(new)))
            if then is not None:
                setattr(self.model, *then)
            if raising is not None:
                raise raising("of a callback")

        self.model.on_change(attr, callback)

    def do(self, act: Callable[[], object]) -> None:
        try:
            self.log.append(_shown(act()))
        except (Exception, KeyboardInterrupt) as error:
            cause = type(error.__cause__)
            self.log.append((type(error), re.sub(r"p\d+|0x\w+", "", str(error)), cause))
        model = self.model
        for kept in (
            model._property_values,
            model._unstable_default_values,
            model._unstable_themed_values,
            {"heard": model.__dict__.get("heard"), "log": model.__dict__.get("_log")},
        ):
            # The acceleration makes empty containers when somebody reads them.
            held = {
                name: value
                for name, value in kept.items()
                if value or not isinstance(value, PropertyValueContainer)
            }
            self.log.append({name: _shown(value) for name, value in held.items()})
        named = self.document.get_model_by_name
        self.log.append([named(name) is model for name in ("a", "b", "abc", "")])


def _shown(value: Any) -> Any:
    return type(value), re.sub(r"p\d+|0x\w+", "", repr(value))


names = st.sampled_from(NAMES)
values = st.sampled_from(VALUES)
few = st.sampled_from(["number", "words", "real", "name", "maybe"])
operations = st.one_of(
    st.tuples(st.just("set"), names, values),
    st.tuples(st.just("set"), few, values),
    st.tuples(st.just("json"), names, values),
    st.tuples(st.just("json"), few, values),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("get"), names),
    st.tuples(
        st.just("listen"),
        few,
        st.sampled_from([None, None, None, ValueError, KeyboardInterrupt]),
        st.none() | st.tuples(st.just("flag"), values),
    ),
    st.tuples(st.sampled_from(["hold", "unhold", "outside", "inside", "join", "leave", "assert"])),
    st.tuples(st.just("validate"), st.booleans()),
    st.tuples(st.just("theme"), values),
    st.tuples(st.just("curdoc"), st.booleans()),
)


def play(kind: type[Kinds], attached: bool, steps: list[Any]) -> list[Any]:
    world = World(kind, attached, held=False)
    document, model = world.document, world.model
    current = True
    client: Any = "a client"
    asserted: Any = Kinds.lookup("number").property
    try:
        for step in steps:
            what, *args = step

            def act(what: str = what, args: list[Any] = args) -> object:
                if what == "set":
                    setattr(model, *args)
                elif what == "json":
                    model.lookup(args[0]).set_from_json(model, args[1], setter=client)
                elif what == "delete":
                    delattr(model, args[0])
                elif what == "get":
                    return getattr(model, args[0])
                elif what == "listen":
                    world.listen(*args)
                elif what in ("hold", "unhold"):
                    getattr(document, what)()
                elif what in ("outside", "inside"):
                    world.may = what == "inside"
                elif what == "join":
                    document.add_root(model)
                elif what == "leave":
                    document.remove_root(model)
                elif what == "validate":
                    validate(args[0])
                elif what == "assert":
                    asserted.assertions.append((lambda _, value: value != 2, "it is two"))
                elif what == "theme":
                    document.theme = Theme(json={"attrs": {"Kinds": {"number": args[0]}}})
                return None

            if what == "curdoc":
                current = args[0]
            elif current:
                with current_document(document):
                    world.do(act)
            else:
                with no_document():
                    world.do(act)
    finally:
        validate(True)
        del asserted.assertions[:]
    world.log.append(len(document.callbacks._held_events))
    return world.log


@given(st.sampled_from(CLASSES), st.booleans(), st.lists(operations, max_size=12))
@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_flat_setters_do_what_bokehs_do(
    kind: type[Kinds], attached: bool, steps: list[Any]
) -> None:
    with plain():
        theirs = play(kind, attached, steps)
    with accelerated():
        assert play(kind, attached, steps) == theirs


def test_every_property_is_set_to_every_value_as_bokeh_does() -> None:
    plays = [
        (kind, attached, [("listen", "number", None, None), *((how, name, v) for v in VALUES)])
        for kind in CLASSES
        for attached in (False, True)
        for name in NAMES
        for how in ("set", "json")
    ]
    with plain():
        theirs = [play(*one) for one in plays]
    with accelerated():
        ours = [play(*one) for one in plays]
    for one, expected, got in zip(plays, theirs, ours, strict=True):
        assert got == expected, one
