"""Where the values of settings are found, and which goes before which.

From the strongest to the weakest: the command line, a file of Bokeh's settings that was asked for
(``--use-config``), ``HYPERFOCAL_*`` variables, ``BOKEH_*`` variables, ``hyperfocal.toml``, the
user's own file of Bokeh's settings (``~/.bokeh/bokeh.yaml``), and the defaults.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from hyperfocal.config.options import Bokeh, Option
from hyperfocal.config.settings import DEFAULTS, OPTIONS, RIVALS, Settings, refuse_removed
from hyperfocal.errors import ConfigError, UsageError

__all__ = ("DEFAULT", "Effective", "Found", "resolve")

#: Where a value comes from that nobody has set.
DEFAULT = "default"

#: The file that is read when it is there, in the working directory.
_OWN_FILE = "hyperfocal.toml"

#: Variables with our prefix that are no settings: the tests' browser.
_OTHER_VARIABLES = frozenset({"HYPERFOCAL_CHROMIUM"})


class Rank(IntEnum):
    """How strong a source is."""

    USERS_FILE = 1
    OWN_FILE = 2
    BOKEHS_VARIABLE = 3
    VARIABLE = 4
    ASKED_FOR_FILE = 5
    COMMAND_LINE = 6


#: Where Bokeh's settings are, which know no Unix socket: their port is a mere default.
_BOKEHS = frozenset({Rank.USERS_FILE, Rank.BOKEHS_VARIABLE, Rank.ASKED_FOR_FILE})


@dataclass(frozen=True, slots=True)
class Found:
    """A value as somebody has written it.

    Attributes:
        value: the text, or what a file had in its place.
        where: what the user would have to change, in words.
        how: the method of the option's kind that reads it.
        rank: how strong that is.
    """

    value: Any
    where: str
    how: str
    rank: Rank

    def read(self, option: Option) -> Any:
        """The value as the settings keep it.

        Raises:
            ConfigError: it is not one that the option may have.
        """
        return option.read(getattr(option.kind, self.how), self.value, self.where)


@dataclass(frozen=True, slots=True)
class Effective:
    """What is in force.

    Attributes:
        settings: the settings.
        origins: where each value comes from, by attribute of the settings.
        warnings: what looks like a mistake.
        files: the files of settings that were read.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    files: tuple[str, ...]


def resolve(
    command: Mapping[str, Any], environ: Mapping[str, str], *, home: Path | None = None
) -> Effective:
    """The settings in force.

    Args:
        command: what the command line says, by attribute of the settings: a text, a ``bool`` or a
            list of texts.
        environ: the environment variables.
        home: the user's directory; by default as the system says.

    Raises:
        ConfigError: a value is not one that its option may have.
        UsageError: a file cannot be read, or has a key that no option has.
    """
    found: dict[str, Found] = {}
    warnings: list[str] = []
    files: list[str] = []

    def add(values: Mapping[str, Found]) -> None:
        """Values of a source that is weaker than those before."""
        for attribute, value in values.items():
            found.setdefault(attribute, value)

    add(_of_command(command))
    variables = _of_variables(environ, warnings)
    asked_for = found.get("use_config") or variables.get("use_config")
    if asked_for is not None:
        files.append(str(asked_for.value))
        add(_of_yaml(Path(files[-1]), files[-1], Rank.ASKED_FOR_FILE))
    add(variables)
    add(_of_bokehs_variables(environ))
    own = str(found["config"].value) if "config" in found else _OWN_FILE
    if "config" in found or Path(own).is_file():
        files.append(own)
        add(_of_toml(Path(own)))
    users = (home or Path(os.path.expanduser("~"))) / ".bokeh" / "bokeh.yaml"
    if users.is_file():
        files.append(str(users))
        add(_of_yaml(users, str(users), Rank.USERS_FILE))
    values = {
        option.attribute: found[option.attribute].read(option)
        for option in OPTIONS
        if option.attribute in found
    }
    for attribute in _outweighed(found, values):
        del found[attribute], values[attribute]
    origins = {
        option.attribute: found[option.attribute].where if option.attribute in found else DEFAULT
        for option in OPTIONS
    }
    return Effective(Settings(**values), origins, tuple(warnings), tuple(files))


def _outweighed(found: Mapping[str, Found], values: Mapping[str, Any]) -> set[str]:
    """Of what cannot be said together, what the stronger leaves no room for.

    Raises:
        ConfigError: both are as strong: two options of the command line, say.
    """
    said = {name for name, value in values.items() if value != DEFAULTS[name]}
    weaker: set[str] = set()
    for one, others in RIVALS:
        for other in others:
            if one not in said or other not in said:
                continue
            here, there = found[one], found[other]
            if here.rank > there.rank or (other == "port" and there.rank in _BOKEHS):
                weaker.add(other)
            elif here.rank < there.rank:
                weaker.add(one)
            else:
                raise ConfigError(here.where, here.value, f"no {there.where} beside it")
    return weaker


def _of_command(command: Mapping[str, Any]) -> dict[str, Found]:
    values: dict[str, Found] = {}
    for option in OPTIONS:
        value = command.get(option.attribute)
        if value is None or value == ():
            continue
        how = "parse" if isinstance(value, str) else "check"
        where = f"--no-{option.name}" if value is False else option.flag
        if option.attribute == "applications":
            where = "PATH"
        values[option.attribute] = Found(value, where, how, Rank.COMMAND_LINE)
    return values


def _of_variables(environ: Mapping[str, str], warnings: list[str]) -> dict[str, Found]:
    known = {option.variable: option for option in OPTIONS}
    values: dict[str, Found] = {}
    for name, text in environ.items():
        if not name.startswith("HYPERFOCAL_") or name in _OTHER_VARIABLES:
            continue
        option = known.get(name)
        if option is None:
            refuse_removed(name.removeprefix("HYPERFOCAL_").lower(), name)
            nearest = _nearest(name, known)
            warnings.append(f"The environment variable {name} sets nothing{nearest}")
        elif text:  # an empty variable is as good as none
            values[option.attribute] = Found(text, name, "parse", Rank.VARIABLE)
    return values


def _of_bokehs_variables(environ: Mapping[str, str]) -> dict[str, Found]:
    return _of_bokeh(
        lambda bokeh: environ.get(bokeh.variable),
        lambda bokeh: bokeh.variable,
        Rank.BOKEHS_VARIABLE,
    )


def _of_bokeh(
    value_of: Callable[[Bokeh], Any], where: Callable[[Bokeh], str], rank: Rank
) -> dict[str, Found]:
    values: dict[str, Found] = {}
    for option in OPTIONS:
        bokeh = option.bokeh
        value = value_of(bokeh) if bokeh is not None else None
        if bokeh is None or value in (None, ""):
            continue
        if bokeh.words:
            value = bokeh.words.get(str(value), str(value))
        if value is not None:
            how = "parse" if isinstance(value, str) else "load"
            values[option.attribute] = Found(value, where(bokeh), how, rank)
    return values


def _of_toml(path: Path) -> dict[str, Found]:
    import tomllib

    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    known = {option.name: option for option in OPTIONS if option.in_file}
    values: dict[str, Found] = {}
    for key, value in table.items():
        option = known.get(key.replace("_", "-"))
        if option is None:
            refuse_removed(key, f"{path}: {key}")
            raise UsageError(f"{path}: there is no setting {key!r}{_nearest(key, known)}")
        values[option.attribute] = Found(value, f"{key} in {path}", "load", Rank.OWN_FILE)
    return values


def _of_yaml(path: Path, where: str, rank: Rank) -> dict[str, Found]:
    """What concerns us in a file of Bokeh's settings; its other keys are Bokeh's matter."""
    from importlib import import_module

    yaml: Any = import_module("yaml")  # Bokeh needs it, so it is there
    try:
        table = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    if table is None:
        return {}
    if not isinstance(table, dict):
        raise UsageError(f"{path}: expected lines of `key: value`")
    settings: dict[Any, Any] = table
    return _of_bokeh(
        lambda bokeh: settings.get(bokeh.key), lambda bokeh: f"{bokeh.key} in {where}", rank
    )


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
