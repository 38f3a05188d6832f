"""``hyperfocal password``: the users of ``--password-file``."""

from __future__ import annotations

import os
import sys
import tempfile

import click

__all__ = ("password",)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.argument("name")
@click.option("--remove", is_flag=True, help="Remove the user instead.")
@click.option("--stdin", is_flag=True, help="Read the password from standard input.")
def password(file: str, name: str, remove: bool, stdin: bool) -> None:
    """Set the password of NAME in FILE, which need not exist. Servers see it at once."""
    from hyperfocal.auth.passwords import PasswordFile, hash_password, is_name
    from hyperfocal.errors import UsageError

    if not is_name(name):
        raise click.BadParameter("a name has 1 to 127 characters and no colon", param_hint="NAME")
    lines: list[str] = []
    if os.path.exists(file):
        try:
            PasswordFile(file)
        except UsageError as error:
            raise click.ClickException(str(error)) from None
        with open(file, encoding="utf-8") as old:
            lines = old.read().splitlines()
    kept = [line for line in lines if line.strip().partition(":")[0] != name]
    if remove:
        if len(kept) == len(lines):
            raise click.ClickException(f"{file} has no user {name}")
    else:
        chosen = (
            sys.stdin.readline().rstrip("\r\n")
            if stdin
            else click.prompt("Password", hide_input=True, confirmation_prompt=True)
        )
        if not chosen:
            raise click.ClickException("the password is empty")
        kept.append(f"{name}:{hash_password(chosen)}")
    _replace(file, "\n".join(kept) + "\n" if kept else "")
    click.echo(f"{'Removed' if remove else 'Set'} {name} in {file}")


def _replace(file: str, text: str) -> None:
    """Write the file in one step, for its owner only, so that a server never reads half of it."""
    folder = os.path.dirname(os.path.abspath(file))
    try:
        number, temporary = tempfile.mkstemp(dir=folder, prefix=".hyperfocal-")
        with open(number, "w", encoding="utf-8") as new:
            new.write(text)
        if os.path.exists(file):
            os.chmod(temporary, os.stat(file).st_mode & 0o777)
        os.replace(temporary, file)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
