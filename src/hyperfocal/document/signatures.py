"""Bokeh's models without the signatures of their constructors, until somebody asks for one.

When a class of ``bokeh.models`` is made, Bokeh works out the signature that documentation shows
for its constructor: a fifth of the time in which the models are loaded. ``load_models`` loads them
with signatures that are worked out when they are looked at, on the releases in ``RELEASES``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from inspect import Signature
from typing import Any

import bokeh
from bokeh.model import Model
from bokeh.model.docs import process_example

from hyperfocal.document.releases import RELEASES

__all__ = ("load_models",)


class _Signature(Signature):
    """The signature of a model's constructor."""

    __slots__ = ("model",)

    model: type[Model]

    @classmethod
    def of(cls, model: type[Model]) -> _Signature:
        signature = cls.__new__(cls)
        signature.model = model
        return signature

    def __getattr__(self, name: str) -> Any:
        # The base class keeps what it holds in slots, which are empty so far.
        if not name.startswith("_") or not hasattr(Signature, name):
            raise AttributeError(name)
        triples: Any = self.model.parameters()  # annotated as single parameters
        super().__init__([parameter for parameter, _, _ in triples])
        return getattr(self, name)


def _init_subclass(cls: Any) -> None:
    super(Model, cls).__init_subclass__()
    if cls.__module__.startswith("bokeh.models"):
        cls.__init__.__signature__ = _Signature.of(cls)
        process_example(cls)


def load_models() -> None:
    """Import ``bokeh.models``. Does nothing special where they are there already."""
    if "bokeh.models" in sys.modules or bokeh.__version__ not in RELEASES:
        return
    bokehs: Any = vars(Model)["__init_subclass__"]
    place: Any = Model
    place.__init_subclass__ = classmethod(_init_subclass)
    try:
        import_module("bokeh.models")
    finally:
        place.__init_subclass__ = bokehs
