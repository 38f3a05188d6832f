"""Signatures of Bokeh's models are those that Bokeh makes, and are made late."""

from __future__ import annotations

import inspect
import subprocess
import sys
from inspect import Signature
from typing import Any

from bokeh.core.properties import Int
from bokeh.model import Model
from bokeh.models.widgets import Slider

from hyperfocal.document.signatures import load_models

MODELS: list[Any] = [
    model
    for model in Model.model_class_reverse_map.values()
    if issubclass(model, Model) and model.__module__.startswith("bokeh.models")
]


def loaded_by(*statements: str) -> str:
    """What a fresh Python prints."""
    run = [sys.executable, "-c", "\n".join(statements)]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


def test_they_are_late() -> None:
    late = loaded_by(
        "import hyperfocal.document",
        "from bokeh.models import Slider",
        "print(type(Slider.__init__.__signature__).__module__)",
    )
    assert late == "hyperfocal.document.signatures"
    own = loaded_by(
        "import bokeh.models, hyperfocal.document",
        "print(type(bokeh.models.Slider.__init__.__signature__).__module__)",
    )
    assert own == "inspect"


def test_every_class_has_what_bokeh_gives_it() -> None:
    assert len(MODELS) > 400
    for model in MODELS:
        made = Signature([parameter for parameter, _, _ in model.parameters()])
        signature = model.__init__.__signature__
        assert repr(list(signature.parameters.values())) == repr(list(made.parameters.values()))


def test_examples_are_in_the_docstrings_all_the_same() -> None:
    for model in MODELS:
        if "__example__" in vars(model):
            assert model.__example__ in str(model.__doc__)


def test_a_late_signature_does_what_signatures_do() -> None:
    signature = inspect.signature(Slider.__init__)
    assert "start" in signature.parameters
    assert signature.bind(start=1).arguments == {"start": 1}
    assert signature.replace(return_annotation=int).return_annotation is int
    assert hash(signature.replace(parameters=[])) == hash(Signature([]))
    assert not hasattr(signature, "nothing")


def test_bokehs_own_way_is_back_for_classes_of_others() -> None:
    class Own(Model):
        number = Int()

    load_models()
    assert not hasattr(Own.__init__, "__signature__")
    assert "hyperfocal" not in vars(Model)["__init_subclass__"].__func__.__module__
