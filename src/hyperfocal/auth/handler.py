"""The request handler that auth modules written for Bokeh expect.

Their functions get one, and their login pages are subclasses of one. It has what such modules use
of Tornado's handlers, by the same names; what it does not have raises an error that says so.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from itsdangerous import BadSignature, TimestampSigner

from hyperfocal.auth.provider import XSRF, Answer, SetCookie, Visitor, new_xsrf
from hyperfocal.errors import UsageError

__all__ = ("HandlerError", "HandlerRequest", "RequestHandler")

_DAY_S = 86_400


class HandlerError(Exception):
    """A handler wants the request to end with this status."""

    def __init__(self, status_code: int = 500, log_message: str | None = None) -> None:
        super().__init__(log_message or f"HTTP {status_code}")
        self.status_code = status_code


class HandlerRequest:
    """``self.request`` of a handler."""

    def __init__(self, visitor: Visitor) -> None:
        self.method = visitor.method
        self.path = visitor.path
        self.query = visitor.query_string
        self.uri = f"{visitor.path}?{self.query}" if self.query else visitor.path
        self.protocol = visitor.scheme
        self.host = visitor.host
        self.remote_ip = visitor.remote_ip
        self.body = visitor.body
        self.headers = _Headers(visitor.headers)
        self.cookies = {name: _Morsel(name, value) for name, value in visitor.cookies.items()}
        self.query_arguments = _encoded(visitor.query)
        self.body_arguments = _encoded(visitor.form)
        self.arguments = {
            name: self.query_arguments.get(name, []) + self.body_arguments.get(name, [])
            for name in {**self.query_arguments, **self.body_arguments}
        }

    def full_url(self) -> str:
        """The URL with scheme and host."""
        return f"{self.protocol}://{self.host}{self.uri}"


def _encoded(arguments: Mapping[str, list[str]]) -> dict[str, list[bytes]]:
    return {name: [value.encode() for value in values] for name, values in arguments.items()}


class _Headers(dict[str, str]):
    """Headers, looked up in any spelling."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """The header's value, or the default."""
        return super().get(name.lower(), default)


class _Morsel:
    """A cookie, as the standard library's."""

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value


_REQUIRED: Any = object()


class RequestHandler:
    """What auth modules see of a request, and the base class of their login pages.

    A subclass has ``get`` and ``post``, plain or ``async``. They may be old subclasses of Tornado's
    handler: then this class comes before it.

    Args:
        visitor: the request.
        cookie_secret: signs cookies; without it there are no signed ones.
        folder: where templates are looked for, which are Jinja2's.
    """

    def __init__(
        self, visitor: Visitor, cookie_secret: str | None = None, folder: str | None = None
    ) -> None:
        self._visitor = visitor
        self._secret = cookie_secret
        self._folder = folder
        self._status = 200
        self._body: list[bytes] = []
        self._headers: dict[str, str] = {}
        self._cookies: dict[str, SetCookie] = {}
        self._redirect: str | None = None
        self._type = "text/html; charset=utf-8"
        self._user: Any = None
        self.request = HandlerRequest(visitor)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"the request handler of auth modules has no {name!r} here; see docs/authentication.md"
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What modules look up in the settings of a Tornado application; there is none here."""
        return {"cookie_secret": self._secret}

    # --- what came -------------------------------------------------------------------------------

    def get_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """The last value of an argument, of the body or the URL.

        Raises:
            HandlerError: there is none, and no default was given.
        """
        values = self.get_arguments(name, strip)
        return self._last(name, values, default)

    def get_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument."""
        return self.get_query_arguments(name, strip) + self.get_body_arguments(name, strip)

    def get_query_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """The last value of an argument of the URL."""
        return self._last(name, self.get_query_arguments(name, strip), default)

    def get_query_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument of the URL."""
        return _values(self._visitor.query, name, strip)

    def get_body_argument(self, name: str, default: Any = _REQUIRED, strip: bool = True) -> Any:
        """The last value of an argument of the body."""
        return self._last(name, self.get_body_arguments(name, strip), default)

    def get_body_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All values of an argument of the body."""
        return _values(self._visitor.form, name, strip)

    def _last(self, name: str, values: list[str], default: Any) -> Any:
        if values:
            return values[-1]
        if default is _REQUIRED:
            raise HandlerError(400, f"the argument {name!r} is missing")
        return default

    @property
    def cookies(self) -> Mapping[str, Any]:
        """The cookies that came, by name."""
        return self.request.cookies

    def get_cookie(self, name: str, default: Any = None) -> Any:
        """The value of a cookie, or the default."""
        return self._visitor.cookies.get(name, default)

    def get_secure_cookie(
        self, name: str, value: str | None = None, max_age_days: float = 31
    ) -> bytes | None:
        """The value of a signed cookie; ``None`` if there is none, or it is forged or too old.

        Raises:
            UsageError: the server has no ``--cookie-secret``.
        """
        signed = value if value is not None else self._visitor.cookies.get(name)
        if signed is None:
            return None
        try:
            return self._signer(name).unsign(signed, max_age=int(max_age_days * _DAY_S))
        except BadSignature:
            return None

    get_signed_cookie = get_secure_cookie

    def _signer(self, name: str) -> TimestampSigner:
        if not self._secret:
            raise UsageError("signed cookies need a --cookie-secret")
        return TimestampSigner(self._secret, salt=f"hyperfocal cookie {name}")

    @property
    def current_user(self) -> Any:
        """Who this is, as far as the module has said so."""
        if self._user is None:
            self._user = self.get_current_user()
        return self._user

    @current_user.setter
    def current_user(self, user: Any) -> None:
        self._user = user

    def get_current_user(self) -> Any:
        """For subclasses: who this is."""
        return None

    # --- what is answered ------------------------------------------------------------------------

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Answer with this status."""
        self._status = status_code

    def get_status(self) -> int:
        """The status so far."""
        return self._status

    def set_header(self, name: str, value: Any) -> None:
        """Answer with this header."""
        if name.lower() == "content-type":
            self._type = str(value)
        else:
            self._headers[name] = str(value)

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: Any = None,
        path: str = "/",
        expires_days: float | None = None,
        **options: Any,
    ) -> None:
        """Have the browser keep a cookie: until it is closed, or for so many days."""
        max_age = options.get("max_age")
        if max_age is None and expires_days is not None:
            max_age = expires_days * _DAY_S
        self._cookies[name] = SetCookie(
            name=name,
            value=value.decode() if isinstance(value, bytes) else value,
            max_age_s=int(max_age) if max_age is not None else None,
            path=path,
            domain=domain,
            secure=bool(options.get("secure", self._visitor.scheme == "https")),
            http_only=bool(options.get("httponly", True)),
            same_site=str(options.get("samesite", "lax")).lower(),
        )

    def set_secure_cookie(
        self, name: str, value: str | bytes, expires_days: float | None = 30, **options: Any
    ) -> None:
        """Have the browser keep a cookie that nobody else can make.

        Raises:
            UsageError: the server has no ``--cookie-secret``.
        """
        signed = self._signer(name).sign(value).decode()
        self.set_cookie(name, signed, expires_days=expires_days, **options)

    set_signed_cookie = set_secure_cookie

    def clear_cookie(self, name: str, **options: Any) -> None:
        """Have the browser forget a cookie."""
        self.set_cookie(name, "", max_age=0, **options)

    def clear_all_cookies(self, **options: Any) -> None:
        """Have the browser forget all cookies."""
        for name in self._visitor.cookies:
            self.clear_cookie(name, **options)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Send the browser elsewhere."""
        self._status = status or (301 if permanent else 302)
        self._redirect = url

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        """Answer with some more text, or with JSON."""
        if isinstance(chunk, dict):
            self._type = "application/json"
            chunk = json.dumps(chunk)
        self._body.append(chunk.encode() if isinstance(chunk, str) else chunk)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> None:
        """Answer with this as the last, or with nothing more."""
        if chunk is not None:
            self.write(chunk)

    def send_error(self, status_code: int = 500, **_: Any) -> None:
        """Answer with a status and nothing else."""
        raise HandlerError(status_code)

    def render(self, template_name: str, **values: Any) -> None:
        """Answer with a template of the module's folder."""
        self.write(self.render_string(template_name, **values))

    def render_string(self, template_name: str, **values: Any) -> bytes:
        """A template of the module's folder, rendered.

        It is one of Jinja2, with ``xsrf_form_html``, ``handler``, ``request``, ``current_user`` and
        the values.

        Raises:
            UsageError: the template is one of Tornado.
        """
        from jinja2 import Environment, FileSystemLoader, TemplateSyntaxError

        folder = self._folder or os.getcwd()
        environment = Environment(loader=FileSystemLoader(folder), autoescape=True)
        try:
            template = environment.get_template(os.path.relpath(template_name, folder)
                                                if os.path.isabs(template_name)
                                                else template_name)  # fmt: skip
        except TemplateSyntaxError as error:
            raise UsageError(
                f"the template {template_name} is not one of Jinja2 (line {error.lineno}: "
                f"{error.message}). In Tornado's language {{% module xsrf_form_html() %}} is "
                "{{ xsrf_form_html() }} here, and {% end %} is {% endif %} or {% endfor %}"
            ) from error
        return template.render(
            handler=self,
            request=self.request,
            current_user=self.current_user,
            xsrf_form_html=self._xsrf_markup,
            **values,
        ).encode()

    # --- forms -----------------------------------------------------------------------------------

    @cached_property
    def _xsrf(self) -> str:
        known = self._visitor.cookies.get(XSRF)
        if known:
            return known
        made = new_xsrf()
        self.set_cookie(XSRF, made)
        return made

    @property
    def xsrf_token(self) -> bytes:
        """What a form has to bring along in ``_xsrf``."""
        return self._xsrf.encode()

    def xsrf_form_html(self) -> str:
        """A hidden field for a form."""
        return f'<input type="hidden" name="{XSRF}" value="{html.escape(self._xsrf)}">'

    def _xsrf_markup(self) -> Any:
        from markupsafe import Markup

        return Markup(self.xsrf_form_html())

    def answer(self) -> Answer:
        """All that has been answered."""
        return Answer(
            body=b"".join(self._body),
            status=self._status,
            headers=tuple(self._headers.items()),
            cookies=tuple(self._cookies.values()),
            content_type=self._type,
            redirect=self._redirect,
        )


def _values(arguments: Mapping[str, list[str]], name: str, strip: bool) -> list[str]:
    values = arguments.get(name, [])
    return [value.strip() for value in values] if strip else list(values)
