"""The templates of our own pages. Everything that is put into them is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ("render",)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("hyperfocal.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """Render one of the templates beside this module."""
    return _environment().get_template(template).render(**values)
