"""Data of sources is set, streamed and patched as Bokeh does it, and costs less."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bokeh.core.property.validation import validate
from bokeh.core.property.wrappers import PropertyValueColumnData
from bokeh.models import ColumnDataSource

from hyperfocal.document import Changes, new_document
from hyperfocal.document.curdoc import current_document
from tests.document.twins import accelerated, plain

ARRAY = np.arange(3.0)
NANS = np.array([np.nan, 1.0, 2.0])
VALUES: list[Any] = [
    {},
    {"x": ARRAY},
    {"x": ARRAY.copy()},
    {"x": NANS},
    {"x": [1, 2, 3], "y": (1, 2, 3)},
    {"x": ARRAY, "y": [1]},
    {"x": ARRAY.reshape(3, 1), "y": range(3)},
    {"x": "abc"},
    {"x": {1, 2, 3}},
    {"x": 3},
    {"x": np.array(3.0)},
    {"x": pd.Series([1, 2, 3])},
    {"x": b"abc"},
    {1: [1]},
    {np.str_("x"): [1]},
    {"x": np.array(["a", None, 1], dtype=object)},
    PropertyValueColumnData({"x": ARRAY}),
    pd.DataFrame({"x": [1, 2, 3]}),
    None,
    [("x", [1])],
]


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return type(value), {str(name): _shown(column) for name, column in value.items()}
    return type(value), re.sub(r"p\d+|0x\w+", "", repr(value))


class _Log(list[Any]):
    """What happens to a source, as its session and its listeners see it."""

    def __init__(self, attached: bool) -> None:
        super().__init__()
        self.source = ColumnDataSource(data={"x": ARRAY.copy()})
        self.document = new_document()
        self.changes = Changes()
        if attached:
            self.document.add_root(self.source)
        self.source.on_change(
            "data", lambda attr, old, new: self.append((_shown(old), _shown(new)))
        )
        self.document.on_change(lambda event: self.append(("listener", self._event(event))))
        self.document.callbacks.attach(self)  # type: ignore[attr-defined]

    may_change = has_turn = staticmethod(lambda: True)

    def changed(self, event: Any) -> None:
        self.append(("changed", self._event(event)))
        self.changes.add(event)

    def record(self, event: Any) -> bool:
        self.changed(event)
        return True

    def callback_added(self, callback: Any) -> None: ...

    def callback_removed(self, callback: Any) -> None: ...

    def _event(self, event: Any) -> Any:
        assert event.document is self.document
        fields = {
            name: sorted(value) if name == "cols" and value else _shown(value)
            for name, value in vars(event).items()
            if name not in ("document", "model", "callback_invoker")
        }
        return type(event), event.model is self.source, fields

    def do(self, act: Callable[[Any], object]) -> None:
        with warnings.catch_warnings(record=True) as warned, current_document(self.document):
            warnings.simplefilter("always")
            try:
                act(self.source)
            except Exception as error:
                self.append((type(error), re.sub(r"p\d+|0x\w+", "", str(error))))
        self.append([str(warning.message) for warning in warned])
        data: Any = self.source.data
        self.append(_shown(data))
        self.append([owner is self.source for owner, _ in data._owners])


def _set(value: Any) -> Callable[[Any], object]:
    return lambda source: setattr(source, "data", value)


def _set_twice(value: Any) -> Callable[[Any], object]:
    def act(source: Any) -> None:
        source.data = value
        source.data = value

    return act


def _from_json(value: Any) -> Callable[[Any], object]:
    return lambda source: source.lookup("data").set_from_json(source, value, setter="a client")


def _updated(value: Any) -> Callable[[Any], object]:
    return lambda source: source.data.update(value)


def _held(value: Any) -> Callable[[Any], object]:
    def act(source: Any) -> None:
        if source.document is not None:
            source.document.hold()
        source.data = value
        source.data["z"] = [1, 2, 3]
        if source.document is not None:
            source.document.unhold()

    return act


def _raising(value: Any) -> Callable[[Any], object]:
    def fail(attr: str, old: Any, new: Any) -> None:
        raise KeyError("of a callback")

    def act(source: Any) -> None:
        source.on_change("data", fail)
        source.data = value

    return act


def _unchecked(value: Any) -> Callable[[Any], object]:
    def act(source: Any) -> None:
        with validate(False):
            source.data = value

    return act


def _streamed(value: Any) -> Callable[[Any], object]:
    return lambda source: source.stream(value, 5)


def _patched(value: Any) -> Callable[[Any], object]:
    def act(source: Any) -> None:
        source.data = value
        source.patch({"x": [(0, 7)]})

    return act


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize(
    "act",
    [_set, _set_twice, _from_json, _updated, _held, _raising, _unchecked, _streamed, _patched],
)
def test_columns_are_set_as_bokeh_does(
    act: Callable[[Any], Callable[[Any], object]], attached: bool
) -> None:
    def play() -> list[_Log]:
        logs: list[_Log] = []
        for value in VALUES:
            logs.append(_Log(attached))
            logs[-1].do(act(deepcopy(value)))
        return logs

    with plain():
        theirs = play()
    with accelerated():
        ours = play()
    for value, expected, got in zip(VALUES, theirs, ours, strict=True):
        assert list(got) == list(expected), value
