"""The options of the command line, made from the table in ``hyperfocal.config``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from hyperfocal.cli.hints import HINTS
from hyperfocal.config import OPTIONS, Option
from hyperfocal.config.kinds import Flag
from hyperfocal.config.settings import refuse_removed
from hyperfocal.errors import HyperfocalError

if TYPE_CHECKING:
    from hyperfocal.config.sources import Effective

__all__ = ("effective", "with_settings")

#: What the help says below the options.
_EPILOG = (
    "Everything after --args is left to the applications, as sys.argv. Each option can also be "
    "set by an environment variable (HYPERFOCAL_PORT for --port), and in hyperfocal.toml (port = "
    "5006). `hyperfocal config` shows what is in force, and where it comes from."
)


class _Option(click.Option):
    """An option of the table. Texts are left as they are: the table reads them."""

    def __init__(self, entry: Option) -> None:
        self.entry = entry
        flag = isinstance(entry.kind, Flag)
        names = f"{entry.flag}/--no-{entry.name}" if flag else entry.flag
        super().__init__(
            [names, entry.attribute],
            default=None,
            type=None if flag else str,
            metavar=None if flag else entry.kind.metavar,
            multiple=entry.kind.multiple,
            help=_help(entry),
        )

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """What the help shows: a --no-… only where it is the point."""
        record = super().get_help_record(ctx)
        if record is not None and self.entry.default is False:
            return self.entry.flag, record[1]
        return record


def _help(entry: Option) -> str:
    default = entry.default_text
    return f"{entry.text}  [default: {default}]" if default else entry.text


class _SettingsCommand(click.Command):
    """A command whose options are those of the table.

    Takes everything behind ``--args`` for the applications, and several values behind options that
    are greedy, as ``bokeh serve`` does.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        if "--args" in args:
            at = args.index("--args")
            ctx.meta["hyperfocal.arguments"] = tuple(args[at + 1 :])
            args = args[:at]
        for word in args:
            if word.startswith("--"):
                flag = word.partition("=")[0]
                try:
                    refuse_removed(flag[2:], flag)
                except HyperfocalError as error:
                    raise click.UsageError(str(error), ctx) from None
                hint = HINTS.get(flag[2:])
                if hint is not None:
                    raise click.UsageError(f"there is no {flag}; here it is {hint}", ctx)
        return super().parse_args(ctx, _spread(_files_behind_dev(args)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the headings of their groups, and the others below."""
        ours = [option for option in self.params if isinstance(option, _Option)]
        with formatter.section("Common options"):
            records = (option.get_help_record(ctx) for option in ours if option.entry.common)
            formatter.write_dl([record for record in records if record is not None])
        ours = [option for option in ours if not option.entry.common]
        for heading, options in groupby(ours, lambda option: option.entry.group):
            records = (option.get_help_record(ctx) for option in options)
            with formatter.section(heading):
                formatter.write_dl([record for record in records if record is not None])
        rest = (
            one.get_help_record(ctx) for one in self.get_params(ctx) if not isinstance(one, _Option)
        )
        with formatter.section("Other options"):
            formatter.write_dl([record for record in rest if record is not None])


def _files_behind_dev(args: list[str]) -> list[str]:
    """The same with what follows ``--dev`` given to ``--dev-watch``, as ``bokeh serve`` has it.

    Where no application comes before it, what follows are the applications.
    """
    if "--dev" not in args:
        return args
    at = args.index("--dev")
    end = next((n for n, word in enumerate(args) if n > at and word.startswith("-")), len(args))
    if not any(word.endswith((".py", ".ipynb")) or os.path.isdir(word) for word in args[:at]):
        return args
    watched = [part for word in args[at + 1 : end] for part in ("--dev-watch", word)]
    return [*args[: at + 1], *watched, *args[end:]]


def _spread(args: list[str]) -> list[str]:
    """The same with the name of a greedy option before each of its values."""
    greedy = {entry.flag for entry in OPTIONS if entry.greedy}
    spread: list[str] = []
    current: str | None = None
    fresh = False
    for word in args:
        if word in greedy:
            current, fresh = word, True
            spread.append(word)
        elif word.startswith("-") and len(word) > 1:
            current = None
            spread.append(word)
        else:
            if current is not None and not fresh:
                spread.append(current)
            fresh = False
            spread.append(word)
    return spread


def with_settings(function: Callable[..., Any]) -> click.Command:
    """A command with the paths and all options of the table, from a function of both."""
    command = click.command(cls=_SettingsCommand, epilog=_EPILOG)(function)
    options = [_Option(entry) for entry in OPTIONS if entry.on_command_line]
    command.params = [click.Argument(["paths"], metavar="[PATH]...", nargs=-1), *options]
    return command


def effective(ctx: click.Context, paths: tuple[str, ...], options: Mapping[str, Any]) -> Effective:
    """The settings in force for a command that was made by ``with_settings``.

    Raises:
        click.ClickException: one of them cannot be.
    """
    from hyperfocal.config.sources import resolve

    arguments = ctx.meta.get("hyperfocal.arguments")
    command = {"applications": paths, "arguments": arguments, **options}
    try:
        return resolve(command, os.environ)
    except HyperfocalError as error:
        raise click.ClickException(str(error)) from None
