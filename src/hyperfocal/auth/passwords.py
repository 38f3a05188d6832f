"""A file of users and hashed passwords, and the cookie of those who are logged in.

A line of the file is ``name:hash``, the hash by Argon2id; ``hyperfocal password`` writes it. Empty
lines and those that begin with ``#`` do not count. The file is read anew when it has changed, so
that nobody has to be thrown out for somebody else to come in.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from itsdangerous import BadSignature, TimestampSigner

from hyperfocal.auth.provider import (
    XSRF,
    Answer,
    AuthPage,
    SetCookie,
    Visitor,
    check_xsrf,
    local_target,
    new_xsrf,
)
from hyperfocal.clock import Clock
from hyperfocal.errors import UsageError

__all__ = ("LoginPage", "PasswordFile", "PasswordProvider", "hash_password", "is_name")

#: Paths below the server's own.
LOGIN_PATH, LOGOUT_PATH = "/login", "/logout"
_COOKIE = "hyperfocal-user"
_NAME = re.compile(r"[^\s:#][^:\r\n]{0,126}")

#: Wrong passwords from one address, in so many seconds, after which it has to wait.
MAX_FAILURES, FAILURES_S = 10, 60.0
_MAX_ADDRESSES = 10_000

_hasher = PasswordHasher()
#: What nobody's password is: checking it for unknown users takes as long as for known ones.
_NOBODY = _hasher.hash("nobody")


class LoginPage(Protocol):
    """Renders the page with the form."""

    def __call__(self, *, action: str, target: str, xsrf: str, name: str, problem: str) -> str:
        """The page's HTML."""
        ...


def is_name(name: str) -> bool:
    """Whether somebody may be called so."""
    return bool(_NAME.fullmatch(name)) and name == name.strip() and name.isprintable()


def hash_password(password: str) -> str:
    """The hash of a password, for the file."""
    return _hasher.hash(password)


class PasswordFile:
    """Users and their hashes.

    Args:
        path: the file.

    Raises:
        UsageError: it cannot be read, or a line makes no sense.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._hashes: dict[str, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the file if it has changed.

        Raises:
            UsageError: it cannot be read, or a line makes no sense. What was known stays.
        """
        try:
            found = os.stat(self._path)
            version = (found.st_mtime_ns, found.st_size)
            if version == self._version:
                return
            with open(self._path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the password file {self._path} cannot be read: {error}") from error
        hashes: dict[str, str] = {}
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            name, _, hashed = text.partition(":")
            if not is_name(name) or not hashed.startswith("$argon2"):
                raise UsageError(
                    f"line {number} of the password file {self._path} is not name:hash; "
                    f"write it with: hyperfocal password {self._path} NAME"
                )
            hashes[name] = hashed
        self._hashes, self._version = hashes, version

    def hash_of(self, name: str) -> str | None:
        """The hash of a user's password; ``None``: there is no such user."""
        return self._hashes.get(name)

    def fingerprint(self, name: str) -> str:
        """Changes when the user's password does; empty for nobody."""
        hashed = self._hashes.get(name)
        return hashlib.sha256(hashed.encode()).hexdigest()[:16] if hashed else ""


def _is_right(hashed: str | None, password: str) -> bool:
    """Takes some tens of milliseconds: to be called in a thread."""
    try:
        _hasher.verify(hashed or _NOBODY, password)
        return hashed is not None
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


class Failures:
    """Counts wrong passwords by address, so that nobody can try them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[str, list[float]] = OrderedDict()

    def too_many(self, address: str) -> bool:
        """Whether this address has to wait."""
        now = self._clock.monotonic()
        recent = [when for when in self._known.get(address, []) if now - when < FAILURES_S]
        return len(recent) >= MAX_FAILURES

    def add(self, address: str) -> None:
        """One more."""
        times = self._known.pop(address, [])
        self._known[address] = [*times, self._clock.monotonic()][-MAX_FAILURES:]
        if len(self._known) > _MAX_ADDRESSES:
            self._known.popitem(last=False)

    def forget(self, address: str) -> None:
        """Somebody there knew a password."""
        self._known.pop(address, None)


class PasswordProvider:
    """Lets people in whose password is in a file. Has pages at ``/login`` and ``/logout``.

    Args:
        file: users and hashes.
        secret: signs the cookie.
        lifetime_s: seconds that somebody stays logged in.
        page: renders the page with the form.
        clock: tells the time.
        warn: called with what is wrong with the file, once it has been right.
    """

    def __init__(
        self,
        file: PasswordFile,
        secret: bytes,
        lifetime_s: int,
        page: LoginPage,
        clock: Clock,
        warn: Callable[[UsageError], Any],
    ) -> None:
        self._file = file
        self._signer = TimestampSigner(secret, salt="hyperfocal login")
        self._lifetime_s = lifetime_s
        self._page = page
        self._failures = Failures(clock)
        self._warn = warn
        self.logout_url: str | None = LOGOUT_PATH
        self.pages: Mapping[str, AuthPage] = {LOGIN_PATH: self._login, LOGOUT_PATH: self._logout}

    async def user(self, visitor: Visitor) -> str | None:
        """The name in the cookie, as long as the password is the one with which they logged in."""
        cookie = visitor.cookies.get(_COOKIE)
        if not cookie:
            return None
        try:
            text = self._signer.unsign(cookie, max_age=self._lifetime_s).decode()
        except (BadSignature, UnicodeDecodeError):
            return None
        self._refresh()
        fingerprint, _, name = text.partition(":")
        return name if fingerprint and fingerprint == self._file.fingerprint(name) else None

    async def login_url(self, visitor: Visitor) -> str:
        """The page with the form."""
        return LOGIN_PATH

    def _refresh(self) -> None:
        try:
            self._file.refresh()
        except UsageError as error:
            self._warn(error)

    async def _login(self, visitor: Visitor) -> Answer:
        target = local_target(visitor.argument("next"), visitor.root)
        if visitor.method == "GET":
            return self._form(visitor, target)
        if visitor.method != "POST":
            return Answer(body="Method not allowed", status=405, content_type="text/plain")
        name, password = visitor.argument("username").strip(), visitor.argument("password")
        if not check_xsrf(visitor):
            return self._form(visitor, target, name, "The form had expired. Please try again.", 403)
        if self._failures.too_many(visitor.remote_ip):
            problem = "There were too many wrong passwords. Please wait a minute."
            return self._form(visitor, target, name, problem, 429)
        self._refresh()
        hashed = self._file.hash_of(name)
        if not await asyncio.to_thread(_is_right, hashed, password[:1024]):
            self._failures.add(visitor.remote_ip)
            problem = "The name or the password is wrong."
            return self._form(visitor, target, name, problem, 401)
        self._failures.forget(visitor.remote_ip)
        value = self._signer.sign(f"{self._file.fingerprint(name)}:{name}".encode()).decode()
        return Answer(status=303, redirect=target, cookies=(self._cookie(visitor, value),))

    def _form(
        self, visitor: Visitor, target: str, name: str = "", problem: str = "", status: int = 200
    ) -> Answer:
        xsrf = visitor.cookies.get(XSRF) or new_xsrf()
        body = self._page(
            action=visitor.root.rstrip("/") + LOGIN_PATH,
            target=target,
            xsrf=xsrf,
            name=name,
            problem=problem,
        )
        secure = visitor.scheme == "https"
        cookie = SetCookie(name=XSRF, value=xsrf, path=visitor.root, secure=secure)
        return Answer(body=body, status=status, cookies=(cookie,))

    async def _logout(self, visitor: Visitor) -> Answer:
        cookie = self._cookie(visitor, "", 0)
        return Answer(status=303, redirect=visitor.root, cookies=(cookie,))

    def _cookie(self, visitor: Visitor, value: str, max_age_s: int | None = None) -> SetCookie:
        return SetCookie(
            name=_COOKIE,
            value=value,
            max_age_s=self._lifetime_s if max_age_s is None else max_age_s,
            path=visitor.root,
            secure=visitor.scheme == "https",
        )
