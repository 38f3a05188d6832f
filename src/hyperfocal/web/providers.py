"""The auth provider that the settings ask for."""

from __future__ import annotations

import logging

from hyperfocal.auth import AuthProvider
from hyperfocal.clock import Clock
from hyperfocal.config import Settings
from hyperfocal.errors import UsageError
from hyperfocal.pages import login_page

__all__ = ("make_provider",)

_log = logging.getLogger("hyperfocal")


def make_provider(settings: Settings, secret: bytes, clock: Clock) -> AuthProvider | None:
    """``--auth-module`` or ``--password-file``; ``None``: everybody may come in.

    Args:
        settings: the settings.
        secret: signs the cookies of those who are logged in.
        clock: tells the time.

    Raises:
        UsageError: what they ask for cannot be had.
    """
    if settings.auth_module is not None:
        from hyperfocal.auth.modules import AuthModule

        return AuthModule(
            settings.auth_module, settings.cookie_secret, check_forms=settings.xsrf_cookies
        )
    if settings.password_file is not None:
        from hyperfocal.auth.passwords import PasswordFile, PasswordProvider

        return PasswordProvider(
            PasswordFile(settings.password_file),
            settings.cookie_secret.encode() if settings.cookie_secret else secret,
            settings.login_lifetime_s,
            login_page,
            clock,
            _warn,
        )
    return None


def _warn(error: UsageError) -> None:
    _log.error("%s; what was in it before holds until it is mended", error)
