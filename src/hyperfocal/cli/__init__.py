"""The command line: ``hyperfocal serve`` and its siblings."""

from hyperfocal.cli.main import main

__all__ = ("main",)
