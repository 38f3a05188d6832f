"""Settings by the names that programs give."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from hyperfocal.config.settings import OPTIONS, Settings, refuse_removed
from hyperfocal.errors import UsageError

__all__ = ("named_settings",)

#: What some options are called in Bokeh's ``Server``.
_BOKEHS_NAMES = {
    "allow_websocket_origin": "websocket_origins",
    "extra_websocket_origins": "websocket_origins",
    "check_unused_sessions_milliseconds": "check_unused_sessions_ms",
    "unused_session_lifetime_milliseconds": "unused_session_lifetime_ms",
    "keep_alive_milliseconds": "keep_alive_ms",
}
#: What there is not, and what to do instead.
_ELSEWHERE = {
    "extra_patterns": "mount hyperfocal.asgi_app beside your own routes in Starlette or FastAPI",
    "http_server_kwargs": "run hyperfocal.asgi_app under a server of your own",
    "generate_session_ids": "say session_ids='external-signed' to make no ids",
    "sign_sessions": "say session_ids='signed', or 'unsigned'",
    "auth_provider": "say auth=, see docs/authentication.md",
}


def named_settings(options: Mapping[str, Any]) -> Settings:
    """Settings from options by the names of the command line, of ``Settings`` or of Bokeh.

    Raises:
        UsageError: there is no such option.
        ConfigError: an option has a value that it may not have.
    """
    attributes = {entry.attribute: entry.attribute for entry in OPTIONS}
    names = {entry.name.replace("-", "_"): entry.attribute for entry in OPTIONS}
    names = {**_BOKEHS_NAMES, **names, **attributes}
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name in _ELSEWHERE:
            raise UsageError(f"{name} is not an option here; {_ELSEWHERE[name]}")
        if name not in names:
            refuse_removed(name, name)
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; do you mean {near[0]}?" if near else ""
            raise UsageError(f"there is no option {name}{hint}")
        values[names[name]] = tuple(value) if isinstance(value, list) else value
    return Settings(**values)
