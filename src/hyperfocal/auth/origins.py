"""Which pages may open websockets here."""

from __future__ import annotations

import re
from collections.abc import Iterable

import idna

from hyperfocal.errors import ConfigError

__all__ = ("OriginPolicy", "ascii_host")

_HOST = r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\\\[\]@?#%]+)"
_PATTERN = re.compile(rf"{_HOST}(?::(?P<port>\d{{1,5}}|\*))?", re.ASCII)
#: A serialized origin (RFC 6454 section 6.2): nothing before the host, nothing behind the port.
_ORIGIN = re.compile(rf"(?P<scheme>https?)://{_HOST}(?::(?P<port>\d{{1,5}}))?", re.ASCII | re.I)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
_ANY = "*"


class OriginPolicy:
    """Patterns of hosts whose pages may connect.

    A pattern is ``host`` or ``host:port``. In the host a ``*`` stands for one label, as in
    ``*.example.com``, or alone for every host; in place of the port for every port. ``*`` alone
    allows every page of the web. A pattern without a port means the port that the origin's scheme
    has by default. Names that are not ASCII are compared in the form in which browsers send them.

    Raises:
        ConfigError: a pattern is not of that form.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns: list[tuple[str, str | int | None]] = []
        self._any = False
        for pattern in patterns:
            if pattern == _ANY:
                self._any = True
            else:
                self._patterns.append(_parsed(pattern))

    def allows(self, origin: str | None) -> bool:
        """Whether a page of this origin (the header's value) may connect.

        Programs that are not browsers send no origin; they are allowed.
        """
        if origin is None or self._any:
            return True
        match = _ORIGIN.fullmatch(origin)
        if match is None:
            return False
        host, default = ascii_host(match["host"]), _DEFAULT_PORTS[match["scheme"].lower()]
        port = default if match["port"] is None else int(match["port"])
        if host is None or "*" in host or port > _MAX_PORT:
            return False
        return any(
            _host_matches(host, pattern)
            and (wanted == _ANY or port == (default if wanted is None else wanted))
            for pattern, wanted in self._patterns
        )


def _parsed(pattern: str) -> tuple[str, str | int | None]:
    """The host, in the form in which browsers send it, and the port: ``None`` where there is none.

    Raises:
        ConfigError: it is no pattern.
    """
    match = _PATTERN.fullmatch(pattern)
    host = ascii_host(match["host"]) if match is not None else None
    if match is None or host is None:
        raise _bad_pattern(pattern, "HOST or HOST:PORT without a scheme")
    if any("*" in label and label != _ANY for label in host.split(".")):
        raise _bad_pattern(pattern, "a host in which each * is a label of its own, between dots")
    port = match["port"]
    if port is None or port == _ANY:
        return host, port
    if int(port) > _MAX_PORT:
        raise _bad_pattern(pattern, f"a port up to {_MAX_PORT}")
    return host, int(port)


def ascii_host(host: str) -> str | None:
    """A host as browsers name it, in ASCII (UTS 46); ``None``: it is none."""
    if host.isascii():
        return host.lower()
    labels = host.replace("\u3002", ".").split(".")
    try:
        return ".".join(
            label.lower() if label.isascii() else idna.encode(label, uts46=True).decode()
            for label in labels
        )
    except idna.IDNAError:
        return None


def _host_matches(host: str, pattern: str) -> bool:
    if _ANY not in pattern:
        return host == pattern
    if pattern == _ANY:
        return True
    labels, wanted = host.split("."), pattern.split(".")
    return len(labels) == len(wanted) and all(
        one in (_ANY, label) for label, one in zip(labels, wanted, strict=True)
    )


def _bad_pattern(pattern: str, expected: str) -> ConfigError:
    return ConfigError(
        "--allow-websocket-origin",
        pattern,
        f"{expected}, for example apps.example.com:8080 or *.example.com",
    )
