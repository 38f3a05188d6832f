"""Bokeh's methods and our replacements of them give the same."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import bokeh
import bokeh.model.util
import numpy as np
import pytest
from bokeh.application.handlers import ScriptHandler
from bokeh.core.has_props import HasProps
from bokeh.core.properties import Either, Instance, Int, List, Override, Required, String
from bokeh.core.property.bases import Property, validation_on
from bokeh.core.property.descriptors import PropertyDescriptor, UnsetValueError
from bokeh.core.property.validation import validate
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import Range1d
from bokeh.models.widgets import Div, Slider
from bokeh.themes import Theme
from bokeh.util.callback_manager import PropertyCallbackManager

from hyperfocal.document import acceleration, new_document
from tests.document.twins import Twins, accelerated, plain

HERE = Path(__file__).parent
#: Panel changes the process that imports it; its models and documents are compared elsewhere.
SCRIPTS = sorted(
    [
        *(
            path
            for path in HERE.parents[1].glob("examples/*.py")
            if "import panel" not in path.read_text()
        ),
        *(HERE.parents[1] / "bench/apps" / f"{name}.py" for name in ("tiny", "sliders", "heavy")),
    ],
    key=lambda path: path.name,
)


@pytest.fixture(params=[plain, accelerated])
def way(request: pytest.FixtureRequest) -> Generator[None]:
    """Everything here holds with Bokeh as it is, and with our replacements."""
    with request.param():
        yield


class Base(Model):
    """A model with every kind of default."""

    number: Any = Int(default=3)
    name_of: Any = String(default="base")
    made: Any = List(Int, default=cast(Any, lambda: [1, 2]))
    empty: Any = List(Int)
    either: Any = Either(Int, List(Int), default=5)
    part: Any = Instance(Range1d, default=cast(Any, lambda: Range1d(start=0, end=7)))
    needed: Any = Required(Int)


class Derived(Base):
    """Overrides some."""

    number: Any = Override(default=4)
    empty: Any = Override(default=lambda: [9])


class Wrong(Model):
    """A model whose default its own property refuses."""

    count: Any = Int(default=cast(Any, "many"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_application_builds_the_same_document(script: Path) -> None:
    def build(document: Document) -> None:
        handler = ScriptHandler(filename=str(script))
        handler.modify_document(document)
        assert not handler.failed, handler.error_detail

    twins = Twins(build, accelerate=True)
    twins.check()
    twins.check()


@pytest.mark.usefixtures("way")
def test_defaults_are_those_of_the_class() -> None:
    base, derived = Base(needed=1), Derived(needed=2)
    assert (base.number, base.name_of, base.made, base.empty, base.either) == (
        3,
        "base",
        [1, 2],
        [],
        5,
    )
    assert (derived.number, derived.empty, derived.made) == (4, [9], [1, 2])


@pytest.mark.usefixtures("way")
def test_each_model_has_containers_and_parts_of_its_own() -> None:
    one, other = Base(), Base()
    one.empty.append(7)
    one.made.append(3)
    assert (other.empty, other.made) == ([], [1, 2])
    assert one.part is one.part
    assert one.part is not other.part


@pytest.mark.usefixtures("way")
def test_a_change_of_an_unset_container_is_noticed() -> None:
    seen: list[Any] = []
    base = Base()
    base.on_change("empty", lambda attr, old, new: seen.append((attr, list(old), list(new))))
    base.empty.append(7)
    assert seen == [("empty", [], [7])]


@pytest.mark.usefixtures("way")
def test_an_unset_property_raises() -> None:
    with pytest.raises(UnsetValueError):
        _ = Base().needed


@pytest.mark.usefixtures("way")
def test_reading_before_the_beginning_raises() -> None:
    with pytest.raises(RuntimeError, match=r"before HasProps\.__init__"):
        PropertyDescriptor._get(Base.lookup("number"), Base.__new__(Base))


@pytest.mark.usefixtures("way")
def test_arguments_are_validated_and_converted() -> None:
    with pytest.raises(ValueError, match="number"):
        Base(number="three")
    with pytest.raises(AttributeError, match="unexpected attribute"):
        Base(numbre=3)


class Even(Int):
    """A property of an application, which knows nothing of details."""

    def validate(self, value: Any) -> None:  # type: ignore[override]
        if value % 2:
            raise ValueError("odd")


class Steps(Model):
    """A model with such a property."""

    count: Any = Even(default=2)


@pytest.mark.usefixtures("way")
def test_properties_of_applications_check_as_they_like() -> None:
    assert Steps(count=4).count == 4
    with pytest.raises(ValueError, match="odd"):
        Steps(count=3)


@pytest.mark.usefixtures("way")
def test_a_default_that_is_changed_later_counts() -> None:
    assert Base().name_of == "base"
    prop: Any = Base.lookup("name_of").property
    prop._default = "other"
    try:
        assert Base().name_of == "other"
    finally:
        prop._default = "base"
    assert Base().name_of == "base"


@pytest.mark.usefixtures("way")
def test_a_default_that_is_wrong_raises_only_while_values_are_checked() -> None:
    with validate(False):
        assert Wrong().count == "many"
    assert validation_on()
    with pytest.raises(ValueError, match="count"):
        _ = Wrong().count


@pytest.mark.usefixtures("way")
def test_themes_come_and_go() -> None:
    theme = Theme(json={"attrs": {"Div": {"text": "themed"}, "Base": {"empty": [8]}}})
    document = new_document()
    div, mine, base = Div(), Div(text="mine"), Base(needed=1)
    for model in (div, mine, base):
        document.add_root(model)
    document.theme = theme
    assert (div.text, mine.text, base.empty) == ("themed", "mine", [8])
    base.empty.append(9)
    assert base.empty == [8, 9]
    document.theme = None
    assert (div.text, mine.text, base.empty) == ("", "mine", [8, 9])
    document.theme = theme
    del mine.text
    assert mine.text == "themed"


@pytest.mark.usefixtures("way")
def test_references_are_found_through_defaults_lists_and_themes() -> None:
    base = Base(needed=1, tags=[Slider(start=0, end=1, value=0), {"a": [Div()]}])
    found = {type(model).__name__ for model in base.references()}
    assert found == {"Base", "Range1d", "Slider", "Div"}


@pytest.mark.usefixtures("way")
def test_changes_are_told_to_the_model_and_to_the_document() -> None:
    seen: list[Any] = []
    document = new_document()
    base = Base(needed=1)
    base.on_change("number", lambda attr, old, new: seen.append((attr, old, new)))
    base.number = 5
    document.add_root(base)
    document.on_change(lambda event: seen.append((event.model, event.attr, event.new)))  # type: ignore[attr-defined]
    base.number = 5
    base.number = 6
    base.made = np.array([1, 2]).tolist()
    base.made = [1, 2, 3]
    assert seen == [
        ("number", 3, 5),
        ("number", 5, 6),
        (base, "number", 6),
        (base, "made", [1, 2, 3]),
    ]


@pytest.mark.usefixtures("way")
def test_models_join_and_leave_with_what_refers_to_them() -> None:
    document = new_document()
    base, part, div = Base(needed=1), Range1d(), Div(name="inner")
    document.add_root(base)
    base.part = part
    assert part.document is document
    base.tags = [{"deep": [div]}]
    assert document.get_model_by_name("inner") is div
    base.tags = []
    assert div.document is None
    div.name = "outside"
    base.part.name = "range"
    assert document.get_model_by_name("range") is part


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (1, 1.0, True),
        (1, True, True),
        ("a", "a", True),
        (None, 0, False),
        (float("nan"), float("nan"), False),
        (np.array([1, 2]), np.array([1, 2]), True),
        (np.float64(1), 1, True),
        ({"a": np.array([1])}, {"a": np.array([1])}, True),
        ({"a": 1}, {"b": 1}, False),
        ([1, 2], [1, 3], False),
    ],
)
def test_values_match_or_do_not(old: Any, new: Any, same: bool) -> None:
    assert Base.lookup("number").property.matches(new, old) is same


def test_everything_can_be_put_back() -> None:
    with plain():
        before = _methods()
        assert acceleration.install()
        assert acceleration.install()
        assert acceleration.installed()
        during = _methods()
        acceleration.uninstall()
        assert not acceleration.installed()
        after = _methods()
    assert before == after
    assert not set(before) & set(during)


def _methods() -> list[Any]:
    return [
        *(vars(HasProps)[name] for name in ("__init__", "_overridden_defaults", "themed_values")),
        *(vars(PropertyDescriptor)[name] for name in ("_get", "_get_default")),
        *(vars(cls)["trigger"] for cls in (Model, PropertyCallbackManager)),
        Property.matches,
        bokeh.model.util.visit_immediate_value_references,
    ]


def test_a_release_that_nobody_has_tried_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain():
        before = _methods()
        monkeypatch.setattr(bokeh, "__version__", "99.0")
        assert acceleration.install() is False
        assert not acceleration.installed()
        assert _methods() == before


def test_the_release_in_use_has_been_tried() -> None:
    made: Callable[[], bool] = acceleration.install
    with plain():
        assert made()
        acceleration.uninstall()
