"""The server's settings: frozen, validated once, errors that name the option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hyperfocal.config.network import Access, Http, Listening, Login, Tls, WebSockets
from hyperfocal.config.operation import (
    Applications,
    Execution,
    Files,
    Limits,
    Logging,
    Pages,
    Sessions,
)
from hyperfocal.config.options import options_of
from hyperfocal.errors import ConfigError, UsageError

__all__ = ("DEFAULTS", "GROUPS", "OPTIONS", "REMOVED", "RIVALS", "Settings", "refuse_removed")

#: The groups, in the order in which the help shows them.
GROUPS: tuple[tuple[str, Any], ...] = (
    ("Applications", Applications),
    ("Listening", Listening),
    ("TLS and proxies", Tls),
    ("Access", Access),
    ("Login", Login),
    ("Pages", Pages),
    ("Sessions", Sessions),
    ("Limits", Limits),
    ("HTTP", Http),
    ("WebSockets", WebSockets),
    ("Execution", Execution),
    ("Logging", Logging),
    ("Files of settings", Files),
)

#: The table: every option there is.
OPTIONS = options_of(GROUPS)

#: Options that there were, and why there are none any more.
REMOVED = {
    "callback-threads": "callbacks always run in threads; --threads says how many there may be",
    "quick-callback": "callbacks always run in threads, however quick they are",
    "quick-build": "documents are always built in threads, however quick that is",
}

#: The value of each attribute that nobody has set.
DEFAULTS = {option.attribute: option.default for option in OPTIONS}

#: What cannot be said together: an attribute, and those that it leaves no room for.
RIVALS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("unix_socket", ("address", "port", "ssl_certfile", "ssl_keyfile")),
    ("include_headers", ("exclude_headers",)),
    ("include_cookies", ("exclude_cookies",)),
    ("auth_module", ("password_file",)),
    ("dev", ("num_procs", "isolate")),
)


def refuse_removed(name: str, where: str) -> None:
    """Raise if there was such an option once.

    Args:
        name: as on the command line, with underscores or hyphens, without the first two; perhaps
            with a unit at its end, as attributes of ``Settings`` have.
        where: who says it, for the error.

    Raises:
        UsageError: there was.
    """
    plain = name.replace("_", "-")
    why = REMOVED.get(plain) or REMOVED.get(plain.removesuffix("-ms"))
    if why is not None:
        raise UsageError(f"{where} is not an option any more: {why}")


@dataclass(frozen=True, kw_only=True)
class Settings(
    Files,
    Logging,
    Execution,
    WebSockets,
    Http,
    Limits,
    Sessions,
    Pages,
    Login,
    Access,
    Tls,
    Listening,
    Applications,
):
    """Everything that can be set; each attribute is described in its group. Units are in the names.

    Raises:
        ConfigError: a value is out of range; the error names the option.
    """

    def __post_init__(self) -> None:
        for option in OPTIONS:
            value = option.check(getattr(self, option.attribute))
            object.__setattr__(self, option.attribute, value)
        for stronger, weaker in RIVALS:
            given = [name for name in weaker if getattr(self, name) != DEFAULTS[name]]
            if getattr(self, stronger) != DEFAULTS[stronger] and given:
                raise self._both(stronger, given[0])
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            raise ConfigError("--ssl-keyfile", self.ssl_keyfile, "an --ssl-certfile beside it")

    def _both(self, one: str, other: str) -> ConfigError:
        names = {option.attribute: option.flag for option in OPTIONS}
        return ConfigError(names[one], getattr(self, one), f"no {names[other]} beside it")
