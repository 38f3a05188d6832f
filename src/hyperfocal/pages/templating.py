"""The templates of our own pages. Everything that is put into them is escaped."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
)

__all__ = ("OWN", "environment", "render", "source")

#: What is before the names of our own templates, so that others may extend them.
OWN = "hyperfocal"


@cache
def environment(folder: Path | None = None) -> Environment:
    """Where templates are found: ours, and those in a folder if one is given."""
    loader: BaseLoader = PrefixLoader({OWN: PackageLoader("hyperfocal.pages")})
    if folder is not None:
        loader = ChoiceLoader([loader, FileSystemLoader(folder)])
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """Render one of the templates beside this module."""
    return environment().get_template(f"{OWN}/{template}").render(**values)


@cache
def source(name: str) -> str:
    """The text of a file beside the templates, as it is."""
    return files("hyperfocal.pages").joinpath("templates", name).read_text(encoding="utf-8")
