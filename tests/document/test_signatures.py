"""Signatures of Bokeh's models are those that Bokeh makes, and are made late.

Where Bokeh's models are there before Hyperfocal, as in most tests, they are left as they are. So
these tests ask a fresh Python.
"""

from __future__ import annotations

import re
import subprocess
import sys

LATE = "import hyperfocal.document"
MODELS = """
from inspect import Signature, signature
from bokeh.model import Model
from bokeh.models import Slider
MODELS = [
    model
    for model in Model.model_class_reverse_map.values()
    if issubclass(model, Model) and model.__module__.startswith("bokeh.models")
]
assert len(MODELS) > 400
"""


def run(*code: str) -> str:
    """What a fresh Python prints."""
    command = [sys.executable, "-c", "\n".join(code)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_they_are_late_unless_bokeh_was_first() -> None:
    say = "print(type(Slider.__init__.__signature__).__module__)"
    assert run(LATE, MODELS, say) == "hyperfocal.document.signatures"
    assert run("import bokeh.models", LATE, MODELS, say) == "inspect"


def test_every_class_has_what_bokeh_gives_it() -> None:
    say = """
for model in MODELS:
    print(model, model.__doc__, list(model.__init__.__signature__.parameters.values()))
"""
    ours = run(LATE, MODELS, say)
    assert "<Parameter" in ours
    bokehs = run("import bokeh.models", LATE, MODELS, say)
    address = " at 0x[0-9a-f]+"
    assert re.sub(address, "", ours) == re.sub(address, "", bokehs)


def test_a_late_signature_does_what_signatures_do() -> None:
    run(
        LATE,
        MODELS,
        "found = signature(Slider.__init__)",
        "assert type(found) is not Signature",
        "assert str(found).startswith('(*, ')",
        "assert found.bind(start=1).arguments == {'start': 1}",
        "assert found.replace(return_annotation=int).return_annotation is int",
        "assert hash(found.replace(parameters=[])) == hash(Signature([]))",
        "assert found == Signature(found.parameters.values())",
        "assert not hasattr(found, 'nothing')",
    )


def test_bokehs_own_way_is_back_for_what_comes_later() -> None:
    run(
        LATE,
        MODELS,
        "place = vars(Model)['__init_subclass__'].__func__.__module__",
        "assert place == 'bokeh.model.model', place",
        "Other = type('Other', (Model,), {'__module__': 'other'})",
        "assert not hasattr(Other.__init__, '__signature__')",
    )
