"""The form of the table of options.

An option is one field of one of the groups of settings, declared with ``option``. The command line,
the environment variables, the keys of ``hyperfocal.toml``, the checks of values, ``--help`` and
``hyperfocal config`` all follow from that one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hyperfocal.config.kinds import Flag, Kind, RefusedError
from hyperfocal.errors import ConfigError

__all__ = ("Bokeh", "Option", "option", "options_of")


@dataclass(frozen=True, slots=True)
class Bokeh:
    """Where Bokeh's users have set an option so far.

    Attributes:
        variable: the environment variable.
        key: in the YAML files of Bokeh's settings.
        words: what Bokeh's words are in ours; ``None``: the same as if nothing had been said.
    """

    variable: str
    key: str
    words: Mapping[str, str | None] = field(default_factory=dict[str, str | None])

    @classmethod
    def of(cls, key: str, words: Mapping[str, str | None] | None = None) -> Bokeh:
        """The setting of this name, whose variable is called as it is."""
        return cls(f"BOKEH_{key.upper()}", key, words or {})


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of the table.

    Attributes:
        name: with dashes; the command line puts two more before it.
        attribute: of the settings.
        kind: which values it may have.
        default: the value that it has otherwise. With ``None``, nothing is a value, too.
        text: what it does, for the help.
        group: the heading under which the help shows it.
        shown: the default in words, where the value does not say it.
        bokeh: where Bokeh's users have set it.
        on_command_line: whether there it is an option.
        in_file: whether ``hyperfocal.toml`` may set it.
        common: the help shows it first, with others that many need.
        greedy: on the command line takes all values that follow, as some of ``bokeh serve`` do.
    """

    name: str
    attribute: str
    kind: Kind
    default: Any
    text: str
    group: str = ""
    shown: str | None = None
    bokeh: Bokeh | None = None
    on_command_line: bool = True
    in_file: bool = True
    greedy: bool = False
    common: bool = False

    @property
    def flag(self) -> str:
        """As it is written on the command line, and in messages."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"HYPERFOCAL_{self.name.upper().replace('-', '_')}"

    @property
    def default_text(self) -> str:
        """The default in words; empty where there is nothing to say."""
        if self.shown is not None:
            return self.shown
        if self.default in (None, "", ()) or self.default is False:
            return ""
        if isinstance(self.kind, Flag):
            return "yes"
        return str(self.kind.dump(self.default))

    def check(self, value: Any) -> Any:
        """A value that a program gives, as the settings keep it.

        Raises:
            ConfigError: it is not one that the option may have.
        """
        if value is None and self.default is None:
            return None
        return self.read(self.kind.check, value, self.flag)

    def read(self, how: Callable[[Any], Any], value: Any, where: str) -> Any:
        """A value as one of the methods of the kind reads it.

        Args:
            how: the method.
            value: what came.
            where: what the user would have to change.

        Raises:
            ConfigError: it is not one that the option may have.
        """
        try:
            return how(value)
        except RefusedError as error:
            raise ConfigError(where, error.got, self.kind.expected) from None


def option(name: str, kind: Kind, default: Any, text: str, **more: Any) -> Any:
    """A field of the settings, and its entry in the table: see ``Option``."""
    made: dict[str, Any] = {"name": name, "kind": kind, "default": default, "text": text, **more}
    return field(default=default, metadata={"option": made})


def options_of(groups: Iterable[tuple[str, Any]]) -> tuple[Option, ...]:
    """The entries of these groups, each given with its heading."""
    return tuple(
        Option(attribute=spec.name, group=heading, **spec.metadata["option"])
        for heading, group in groups
        for spec in fields(group)
    )
