"""Applications: finding and loading them, building documents, running lifecycle hooks."""

from hyperfocal.application.building import build_document
from hyperfocal.application.hooks import Hooks
from hyperfocal.application.loading import (
    Loaded,
    application_that_fails,
    as_application,
    describe,
    load,
    load_all,
    load_bokeh_settings,
    load_mended_later,
)
from hyperfocal.application.sources import Sources

__all__ = (
    "Hooks",
    "Loaded",
    "Sources",
    "application_that_fails",
    "as_application",
    "build_document",
    "describe",
    "load",
    "load_all",
    "load_bokeh_settings",
    "load_mended_later",
)
