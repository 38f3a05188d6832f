"""Applications: finding and loading them, building documents, running lifecycle hooks."""

from hyperfocal.application.building import build_document
from hyperfocal.application.hooks import Hooks
from hyperfocal.application.loading import (
    Loaded,
    as_application,
    describe,
    load,
    load_all,
    load_bokeh_settings,
)
from hyperfocal.application.sources import Sources

__all__ = (
    "Hooks",
    "Loaded",
    "Sources",
    "as_application",
    "build_document",
    "describe",
    "load",
    "load_all",
    "load_bokeh_settings",
)
