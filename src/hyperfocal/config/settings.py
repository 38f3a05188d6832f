"""The server's settings: frozen, validated once, errors that name the option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hyperfocal.config.network import Access, Http, Listening, WebSockets
from hyperfocal.config.operation import Applications, Execution, Files, Limits, Logging, Sessions
from hyperfocal.config.options import options_of

__all__ = ("OPTIONS", "Settings")

#: The groups, in the order in which the help shows them.
_GROUPS: tuple[tuple[str, Any], ...] = (
    ("Applications", Applications),
    ("Listening", Listening),
    ("Access", Access),
    ("Sessions", Sessions),
    ("Limits", Limits),
    ("HTTP", Http),
    ("WebSockets", WebSockets),
    ("Execution", Execution),
    ("Logging", Logging),
    ("Files of settings", Files),
)

#: The table: every option there is.
OPTIONS = options_of(_GROUPS)


@dataclass(frozen=True, kw_only=True)
class Settings(
    Files, Logging, Execution, WebSockets, Http, Limits, Sessions, Access, Listening, Applications
):
    """Everything that can be set; each attribute is described in its group. Units are in the names.

    Raises:
        ConfigError: a value is out of range; the error names the option.
    """

    def __post_init__(self) -> None:
        for option in OPTIONS:
            value = option.check(getattr(self, option.attribute))
            object.__setattr__(self, option.attribute, value)
