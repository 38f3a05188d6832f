"""The request that made a session, in the shape that Bokeh applications know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ("SessionRequest",)


class Headers(dict[str, str]):
    """HTTP headers, looked up in any spelling and listed in the usual one (``User-Agent``)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__((self._usual(name), value) for name, value in headers.items())

    @staticmethod
    def _usual(name: str) -> str:
        return "-".join(part.capitalize() for part in name.split("-"))

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(self._usual(name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(self._usual(name))

    def get(self, name: str, default: Any = None) -> Any:
        """The header's value, or the default."""
        return super().get(self._usual(name), default)


class Cookie(str):
    """A cookie's value. Also has it as ``.value``, as the cookies of Tornado requests do."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The value itself."""
        return str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """The HTTP request that made a session, as applications see it.

    Attributes:
        arguments: query arguments, a list of raw values for each name.
        cookies: by name.
        headers: by name, in any spelling.
        uri: path and query as they were requested.
        user: who asks, as the server's auth provider or the host's middleware knows them;
            ``None``: nobody in particular.
    """

    arguments: Mapping[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])
    cookies: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    method: str = "GET"
    protocol: str = "http"
    host: str = ""
    uri: str = "/"
    path: str = "/"
    query: str = ""
    remote_ip: str = ""
    user: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", Headers(self.headers))
        cookies = {name: Cookie(value) for name, value in self.cookies.items()}
        object.__setattr__(self, "cookies", cookies)

    def payload(self) -> dict[str, Any]:
        """Arguments, headers and cookies, to be sealed into a token."""
        return {
            "arguments": dict(self.arguments),
            "headers": dict(self.headers),
            "cookies": dict(self.cookies),
        }
