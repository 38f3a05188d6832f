"""The tables of docs/configuration.md, made from the table of options.

``python -m tests.support.option_tables`` writes them anew.
"""

from __future__ import annotations

import re
from itertools import groupby

from hyperfocal.config import OPTIONS, Option
from hyperfocal.config.kinds import Flag
from hyperfocal.config.settings import GROUPS
from tests.support.serving import ROOT

__all__ = ("PAGE", "filled")

PAGE = ROOT / "docs" / "configuration.md"
_TABLES = re.compile(r"(<!-- options -->\n).*(<!-- end of options -->\n)", re.DOTALL)


def _row(entry: Option) -> str:
    name = entry.flag if entry.on_command_line else entry.name
    as_words = {"applications": "`PATH...`", "args": "`--args ...`"}
    if entry.name in as_words:
        written = as_words[entry.name]
    elif isinstance(entry.kind, Flag):
        written = f"`{name}`"
        if entry.default is not False:
            written += f", `--no-{entry.name}`"
    elif entry.on_command_line:
        metavar = entry.kind.metavar.replace("|", "\\|")
        written = f"`{name} {metavar}`"
    else:
        written = f"{name} (not on the command line)"
    default = entry.default_text.replace("|", "\\|")
    bokeh = f"`{entry.bokeh.variable}`" if entry.bokeh is not None else ""
    text = entry.text.replace("|", "\\|").replace("*", "\\*")
    return f"| {written} | {text} | {default} | {bokeh} |"


def _tables() -> str:
    lines: list[str] = []
    groups = dict(GROUPS)
    for heading, entries in groupby(OPTIONS, lambda entry: entry.group):
        lines += [
            f"### {heading}",
            "",
            str(groups[heading].__doc__),
            "",
            "| Option | What it does | By default | Bokeh's variable |",
            "| --- | --- | --- | --- |",
            *(_row(entry) for entry in entries),
            "",
        ]
    return "\n".join(lines) + "\n"


def filled(page: str) -> str:
    """The page with the tables as they should be."""
    return _TABLES.sub(lambda match: f"{match[1]}\n{_tables()}{match[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
