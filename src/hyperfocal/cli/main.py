"""The ``hyperfocal`` command."""

from __future__ import annotations

import click

from hyperfocal import __version__
from hyperfocal.cli.serve import serve

__all__ = ("main",)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hyperfocal")
def main() -> None:
    """Serve interactive Bokeh and Panel applications.

    Start with:  hyperfocal serve app.py
    """


main.add_command(serve)
