"""The ``hyperfocal`` command. A subcommand is imported when it is called by name."""

from __future__ import annotations

from importlib import import_module

import click

from hyperfocal import __version__

__all__ = ("main",)

#: What each subcommand does; it is a click command in the module of its name.
_COMMANDS = {
    "serve": "Serve applications.",
    "password": "Set passwords for --password-file.",
    "config": "Show the settings in force, and where each comes from.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"hyperfocal.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="hyperfocal")
def main() -> None:
    """Serve interactive Bokeh and Panel applications.

    Start with:  hyperfocal serve app.py
    """
