"""Which pages may open websockets here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from hyperfocal.errors import ConfigError

__all__ = ("OriginPolicy",)

_PATTERN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+)(?::(?P<port>\d{1,5}|\*))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class OriginPolicy:
    """Patterns of hosts whose pages may connect.

    A pattern is ``host``, ``host:port``, with ``*`` as wild card in either; ``*`` alone allows
    every page of the web. A pattern without a port means the port that the origin's scheme has by
    default.

    Raises:
        ConfigError: a pattern is not of that form.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns: list[tuple[str, str | None]] = []
        self._any = False
        for pattern in patterns:
            if pattern == "*":
                self._any = True
                continue
            match = _PATTERN.fullmatch(pattern)
            if match is None:
                raise _bad_pattern(pattern)
            port = match["port"]
            if port not in (None, "*") and int(port) > 65535:
                raise _bad_pattern(pattern)
            self._patterns.append((match["host"].lower(), port))

    def allows(self, origin: str | None) -> bool:
        """Whether a page of this origin (the header's value) may connect.

        Programs that are not browsers send no origin; they are allowed.
        """
        if origin is None or self._any:
            return True
        try:
            parts = urlsplit(origin)
            host, port = parts.hostname, parts.port
        except ValueError:
            return False
        if not host:
            return False
        default = _DEFAULT_PORTS.get(parts.scheme)
        actual = str(port) if port is not None else default
        if actual is None:
            return False
        name = f"[{host}]" if ":" in host else host
        return any(
            _host_matches(name, pattern)
            and (wanted == "*" or actual == (default if wanted is None else wanted))
            for pattern, wanted in self._patterns
        )


def _bad_pattern(pattern: str) -> ConfigError:
    return ConfigError(
        "--allow-websocket-origin",
        pattern,
        "HOST or HOST:PORT without a scheme, for example apps.example.com:8080",
    )


def _host_matches(name: str, pattern: str) -> bool:
    # The brackets of an IPv6 address would be a character class to fnmatch.
    return name == pattern or (not pattern.startswith("[") and fnmatchcase(name, pattern))
