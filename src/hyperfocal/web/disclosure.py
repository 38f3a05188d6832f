"""What applications learn of a request: which of its headers and cookies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hyperfocal.config import Settings
from hyperfocal.contexts import SessionRequest

__all__ = ("Disclosure",)


class _Names:
    """Those that are included, or all but those that are excluded."""

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        self._include = frozenset(include)
        self._exclude = frozenset(exclude)

    def __bool__(self) -> bool:
        """Whether there is anything that is not shown."""
        return bool(self._include or self._exclude)

    def have(self, name: str) -> bool:
        """Whether this one is shown."""
        return name in self._include if self._include else name not in self._exclude


class Disclosure:
    """The rule of ``--include-headers``, ``--exclude-headers``, and the same for cookies.

    Names of headers are taken in any case, those of cookies as they are. A cookie that is not shown
    is not in the ``Cookie`` header either.
    """

    def __init__(self, settings: Settings) -> None:
        self._headers = _Names(
            (name.lower() for name in settings.include_headers),
            (name.lower() for name in settings.exclude_headers),
        )
        self._cookies = _Names(settings.include_cookies, settings.exclude_cookies)

    def __call__(self, request: SessionRequest) -> SessionRequest:
        """The request as applications see it, and as tokens remember it."""
        if not self._headers and not self._cookies:
            return request
        headers = {
            name: value
            for name, value in request.headers.items()
            if self._headers.have(name.lower())
        }
        cookies = dict(request.cookies)
        if self._cookies:
            cookies = {name: str(cookies[name]) for name in cookies if self._cookies.have(name)}
            if "Cookie" in headers:
                headers["Cookie"] = self._cookie_header(headers["Cookie"])
                if not headers["Cookie"]:
                    del headers["Cookie"]
        return replace(request, headers=headers, cookies=cookies)

    def _cookie_header(self, text: str) -> str:
        pairs = (pair.strip() for pair in text.split(";"))
        return "; ".join(pair for pair in pairs if self._shows(pair))

    def _shows(self, pair: str) -> bool:
        name, equals, _ = pair.partition("=")
        return bool(equals) and self._cookies.have(name.strip())
