"""``hyperfocal config``: the settings in force, and where each comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from hyperfocal.cli.options import effective, with_settings
from hyperfocal.config import OPTIONS
from hyperfocal.config.kinds import Secret, SecretText

if TYPE_CHECKING:
    from hyperfocal.config import Option
    from hyperfocal.config.sources import Effective

__all__ = ("config",)


@with_settings
@click.pass_context
def config(ctx: click.Context, /, paths: tuple[str, ...], **options: Any) -> None:
    """Show the settings in force, and where each comes from, as hyperfocal.toml would say it.

    Takes the paths and options of `hyperfocal serve`.
    """
    found = effective(ctx, paths, options)
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo("\n".join(_lines(found)))


def _lines(found: Effective) -> Iterator[str]:
    for heading, options in groupby(OPTIONS, lambda option: option.group):
        entries = [(_assignment(option, found), found.origins[option.attribute])
                   for option in options]  # fmt: skip
        width = max(len(text) for text, _ in entries)
        yield f"# {heading}"
        for text, origin in entries:
            yield f"{text:{min(width, 48)}}  # {origin}"
        yield ""


def _assignment(option: Option, found: Effective) -> str:
    value = getattr(found.settings, option.attribute)
    if isinstance(option.kind, Secret | SecretText):
        return f"# {option.name} = (not {'set' if value is None else 'shown'})"
    if value is None:
        shown = f" ({option.shown})" if option.shown else ""
        return f"# {option.name} ={shown}"
    text = json.dumps(option.kind.dump(value), ensure_ascii=False)
    return f"{option.name} = {text}" if option.in_file else f"# {option.name} = {text}"
