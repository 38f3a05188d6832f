"""What somebody still holds of a disposed document keeps nothing else alive."""

from __future__ import annotations

import gc
import weakref
from types import ModuleType
from typing import Any

import pytest
from bokeh.events import ButtonClick
from bokeh.models.widgets.buttons import Button

from hyperfocal.document import dispose, new_document


class Heavy:
    """Something large that a callback refers to."""

    def changed(self, attr: str, old: Any, new: Any) -> None:
        pass

    def happened(self, event: Any) -> None:
        pass


@pytest.mark.parametrize("kind", ["property", "event"])
def test_a_model_that_is_still_held_keeps_no_callbacks(kind: str) -> None:
    document, button, heavy = new_document(), Button(), Heavy()
    if kind == "property":
        button.on_change("label", heavy.changed)
    else:
        button.on_event(ButtonClick, heavy.happened)
    document.add_root(button)
    gone = weakref.ref(heavy)
    del heavy
    dispose(document, "the-session")
    gc.collect()
    assert gone() is None
    assert button.document is None


def test_a_function_that_is_still_held_keeps_no_globals_of_its_module() -> None:
    document, module = new_document(), ModuleType("a_module_of_a_disposed_document")
    exec("def function(): pass", module.__dict__)
    heavy = Heavy()
    module.__dict__["heavy"] = heavy
    document.modules.add(module)
    held, gone = module.__dict__["function"], weakref.ref(heavy)
    del heavy, module
    dispose(document, "the-session")
    gc.collect()
    assert gone() is None
    assert held.__globals__ == {}
