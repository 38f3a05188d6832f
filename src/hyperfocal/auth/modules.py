"""Auth modules, as Bokeh's users have them: a Python file with some functions (``--auth-module``).

It has ``get_user`` or ``get_user_async``, which get a request handler and give the user or
``None``; ``login_url`` or ``get_login_url``; and perhaps ``LoginHandler``, ``logout_url`` and
``LogoutHandler``.
"""

from __future__ import annotations

import inspect
import logging
import os
import runpy
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from hyperfocal.auth.handler import HandlerError, RequestHandler
from hyperfocal.auth.provider import Answer, AuthPage, Visitor, check_xsrf
from hyperfocal.errors import UsageError
from hyperfocal.telemetry import worded

__all__ = ("AuthModule",)

_log = logging.getLogger("hyperfocal")
_METHODS = ("get", "head", "post", "put", "delete", "patch", "options")


async def _in_place(call: Callable[[], Any]) -> Any:
    return call()


class AuthModule:
    """An auth provider from a Python file.

    Args:
        path: the file.
        cookie_secret: signs cookies (``--cookie-secret``).
        check_forms: refuse forms that do not bring along ``_xsrf`` (``--enable-xsrf-cookies``).

    Raises:
        UsageError: the file cannot be run, or does not have what it takes.
    """

    def __init__(self, path: str, cookie_secret: str | None = None, *, check_forms: bool = False):
        self._path = path
        self._folder = os.path.dirname(os.path.abspath(path))
        self._secret = cookie_secret
        self._check_forms = check_forms
        try:
            self._names = runpy.run_path(path, run_name="bokeh.auth")
        except OSError as error:
            raise UsageError(f"the auth module {path} cannot be read: {error}") from error
        except Exception as error:
            raise UsageError(f"the auth module {path} failed: {worded(error)}") from error
        self._check()
        #: Calls a plain function of the module where such code belongs; by default in place.
        self.run_plain: Callable[[Callable[[], Any]], Awaitable[Any]] = _in_place
        self._get_user = self._names.get("get_user_async") or self._names["get_user"]
        self.logout_url: str | None = self._names.get("logout_url")
        self.pages: Mapping[str, AuthPage] = self._make_pages()

    def _check(self) -> None:
        names = self._names
        self._need_one("get_user", "get_user_async")
        self._need_one("login_url", "get_login_url")
        if "LoginHandler" in names and "login_url" not in names:
            raise self._wrong("has a LoginHandler, which needs a login_url")
        if "LogoutHandler" in names and "logout_url" not in names:
            raise self._wrong("has a LogoutHandler, which needs a logout_url")
        for name in ("LoginHandler", "LogoutHandler"):
            if name in names and not inspect.isclass(names[name]):
                raise self._wrong(f"has a {name} that is no class")
        for url, handler in (("login_url", "LoginHandler"), ("logout_url", "LogoutHandler")):
            if handler in names and not str(names[url]).startswith("/"):
                raise self._wrong(f"has a {handler}; its {url} must be a path such as '/login'")
        if inspect.iscoroutinefunction(names.get("get_user")):
            raise self._wrong("has an async get_user; call it get_user_async")

    def _need_one(self, one: str, other: str) -> None:
        found = [name for name in (one, other) if self._names.get(name) is not None]
        if len(found) != 1:
            what = "both" if found else "neither"
            raise self._wrong(f"has {what} of {one} and {other}; it must have one of them")

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"the auth module {self._path} {what}")

    def _handler(self, visitor: Visitor) -> RequestHandler:
        return RequestHandler(visitor, self._secret, self._folder)

    async def user(self, visitor: Visitor) -> Any:
        """What ``get_user`` or ``get_user_async`` gives."""
        user = await self.run_plain(partial(self._get_user, self._handler(visitor)))
        return await user if inspect.isawaitable(user) else user

    async def login_url(self, visitor: Visitor) -> str | None:
        """``login_url``, or what ``get_login_url`` gives."""
        fixed = self._names.get("login_url")
        if fixed is not None:
            return str(fixed)
        get_login_url = self._names["get_login_url"]
        found = await self.run_plain(partial(get_login_url, self._handler(visitor)))
        if inspect.isawaitable(found):
            found = await found
        return str(found) if found is not None else None

    def _make_pages(self) -> dict[str, AuthPage]:
        pages: dict[str, AuthPage] = {}
        for url, name in (("login_url", "LoginHandler"), ("logout_url", "LogoutHandler")):
            if name in self._names:
                pages[str(self._names[url])] = self._page(self._names[name])
        return pages

    def _page(self, written: type[Any]) -> AuthPage:
        """A page from a handler class: one of ours, or one of Tornado with ours before it."""
        cls = written
        if not issubclass(written, RequestHandler):
            cls = type(written.__name__, (RequestHandler, written), {})

        async def page(visitor: Visitor) -> Answer:
            if self._check_forms and not check_xsrf(visitor):
                return Answer(
                    body="This form is not from here, or too old. Go back and reload it.",
                    status=403,
                    content_type="text/plain; charset=utf-8",
                )
            handler = cast(RequestHandler, cls(visitor, self._secret, self._folder))
            method = visitor.method.lower()
            # Those that nobody has written would be Tornado's own, which only say "not allowed".
            of_tornado = getattr(written.__mro__[-2], method, None) if written is not cls else None
            work: Any = getattr(written, method, None) if method in _METHODS else None
            if work is None or work is of_tornado:
                return Answer(body="Method not allowed", status=405, content_type="text/plain")
            try:
                pending = await self.run_plain(partial(work, handler))
                if inspect.isawaitable(pending):
                    await pending
            except HandlerError as error:
                handler.set_status(error.status_code)
                handler.finish(str(error))
            except Exception as error:
                status = getattr(error, "status_code", None)  # Tornado's HTTPError
                if not isinstance(status, int):
                    raise
                handler.set_status(status)
                handler.finish(str(error))
            return handler.answer()

        return page
