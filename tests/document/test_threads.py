"""Threads that turn different documents at once share nothing that one could break for another."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import pytest
from bokeh.core.has_props import HasProps, _default_resolver
from bokeh.core.properties import Int, List
from bokeh.core.property.bases import validation_on
from bokeh.model import DataModel, Model
from bokeh.models import ColumnDataSource, Scatter
from bokeh.models.widgets import Div, Slider

from hyperfocal.document import (
    acceleration,
    apply_patch,
    classes,
    data_models,
    decode_patch,
    encode_document,
    forget_models,
    new_document,
)
from hyperfocal.wire import MessageIds
from tests.document.twins import accelerated, plain

_THREADS = 4


@pytest.fixture(autouse=True)
def _often() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    """Threads take turns as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(*calls: Callable[[], object]) -> list[Any]:
    """Call each in a thread of its own, all from one moment on; what they give, or raise."""
    found: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(number: int) -> None:
        start.wait(10)
        try:
            found[number] = calls[number]()
        except BaseException as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return found


def _made(name: str, module: str, bases: tuple[type, ...]) -> type[Any]:
    namespace = {"__module__": module, "__qualname__": name, "number": Int(default=1)}
    make: Any = type(Model)
    return cast("type[Any]", make(name, bases, namespace))


class _View:
    """What a dictionary holds; another thread comes in between while one begins to look at it."""

    def __init__(self, view: Any, meanwhile: Iterator[Callable[[], object]]) -> None:
        self._view = view
        self._meanwhile = meanwhile

    def __iter__(self) -> Iterator[Any]:
        next(self._meanwhile, lambda: None)()
        return cast("Iterator[Any]", iter(self._view))

    def __reversed__(self) -> Iterator[Any]:
        next(self._meanwhile, lambda: None)()
        return cast("Iterator[Any]", reversed(self._view))


class _Known(dict[str, type[Any]]):
    """Bokeh's list of classes, looked at like that."""

    def __init__(self, known: dict[str, type[Any]], meanwhile: Iterator[Callable[[], object]]):
        super().__init__(known)
        self.meanwhile = meanwhile

    def values(self) -> Any:
        return _View(super().values(), self.meanwhile)


@contextmanager
def _resolver(*meanwhile: Callable[[], object]) -> Generator[_Known]:
    resolver: Any = _default_resolver
    before, counted = resolver._known_models, data_models._libraries
    resolver._known_models = known = _Known(before, iter(meanwhile))
    data_models._libraries = data_models._Libraries()
    try:
        yield known
    finally:
        resolver._known_models, data_models._libraries = before, counted


def test_a_second_thread_does_not_count_the_libraries_classes_again() -> None:
    with _resolver() as known:
        expected = data_models._Libraries().count(known)
        assert expected > 300
        libraries = data_models._libraries
        seen = threading.Barrier(2)

        class Waiting(threading.Thread):
            def run(self) -> None:
                seen.wait(10)
                libraries.count(known)

        other = Waiting()
        other.start()

        def let_it_count() -> None:
            seen.wait(10)
            other.join(0.2)

        # The other thread begins to count while this one is in the middle of it.
        known.meanwhile = iter([let_it_count])
        libraries.count(known)
        other.join(10)
        assert libraries.count(known) == expected


@pytest.mark.parametrize("comes", [True, False])
def test_classes_come_and_go_while_somebody_looks(comes: bool) -> None:
    kept = _made("KeptHere", "kept_here", (DataModel, Model))
    brief = _made("BriefHere", "brief_here", (DataModel, Model))
    forget_models({"brief_here"})
    try:

        def change() -> None:
            if comes:
                known[brief.__qualified_model__] = brief
            else:
                del known[kept.__qualified_model__]

        with _resolver(lambda: None, change) as known:
            found = data_models.known_data_models()
        assert (brief in found) is comes
        assert (kept in found) is comes
    finally:
        forget_models({"kept_here"})


def test_many_threads_define_and_forget_models_and_open_pages() -> None:
    with _resolver():
        expected = [cls.__qualname__ for cls in data_models.known_data_models()]
        data_models._libraries = data_models._Libraries()

        def work(number: int) -> None:
            for again in range(15):
                module = f"script_{number}_{again}"
                mine = _made(f"Mine{number}x{again}", module, (DataModel, Model))
                assert mine in data_models.known_data_models()
                document = new_document()
                document.add_root(mine(number=again))
                assert f"Mine{number}x{again}" in encode_document(document).content
                forget_models({module})
                assert mine not in data_models.known_data_models()

        at_once(*(lambda number=number: work(number) for number in range(_THREADS)))
        assert [cls.__qualname__ for cls in data_models.known_data_models()] == expected


class Fresh(Model):
    """A model of whose class nothing is known yet."""

    number: Any = Int(default=1)
    numbers: Any = List(Int, default=[1])


@pytest.mark.parametrize("way", [plain, accelerated])
def test_what_is_known_of_a_class_may_be_found_out_by_several_threads(way: Any) -> None:
    def forget() -> None:
        for cls in (Fresh, Div, Scatter, ColumnDataSource, Slider):
            for attribute in (classes.ATTRIBUTE, "__hyperfocal_plan__"):
                if attribute in cls.__dict__:
                    type.__delattr__(cast(Any, cls), attribute)

    def work() -> str:
        document = new_document()
        document.add_root(Fresh(number=2, tags=[Div(text="a"), Scatter(size=3, x="x")]))
        document.add_root(ColumnDataSource(data={"x": np.arange(3)}))
        for model in document.models:
            model.name = "named"
        slider = Slider(start=0, end=9, value=0)
        document.add_root(slider)
        for value in range(5):
            event = {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value"}
            patch = decode_patch(document, {"events": [{**event, "new": value}]}, (), setter=None)
            assert apply_patch(document, patch, setter=None) is None
        seen: dict[str, str] = {}
        content = encode_document(document, inline=True).content
        return re.sub(r'"p\d+"', lambda found: seen.setdefault(found[0], f"{len(seen)}"), content)

    with way():
        expected = work()
        for _ in range(10):
            forget()
            assert at_once(*[work] * _THREADS) == [expected] * _THREADS


def test_edits_of_tables_never_switch_validation_off() -> None:
    event = {
        "kind": "ColumnsStreamed", "attr": "data", "data": {"type": "map", "entries": [["x", [7]]]}
    }  # fmt: skip

    def work() -> None:
        document = new_document()
        source = ColumnDataSource(data={"x": [1, 2]})
        document.add_root(source)
        for _ in range(50):
            raw = [{**event, "model": {"id": source.id}}]
            decode_patch(document, {"events": raw}, (), setter=None)
            assert validation_on()
            with pytest.raises(ValueError, match="tags"):
                source.tags = 3  # type: ignore[assignment]

    at_once(*[work] * _THREADS)
    assert validation_on()


def test_the_acceleration_is_installed_once() -> None:
    with plain():
        bokehs = HasProps.__setattr__
        assert at_once(*[acceleration.install] * _THREADS) == [True] * _THREADS
        acceleration.uninstall()
        assert HasProps.__setattr__ is bokehs


def test_ids_of_messages_are_taken_once() -> None:
    ids = MessageIds("x")
    taken = at_once(
        *[lambda: [ids() for _ in range(200)] + [ids.as_json() for _ in range(200)]] * 4
    )
    assert len({one for some in taken for one in some}) == 1600
