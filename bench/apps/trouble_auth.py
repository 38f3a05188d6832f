"""Lets everybody in; computes for two seconds first where the page's ``trouble`` says so.

An auth module of ``bokeh serve`` and of Hyperfocal, whose function serves Bokeh's own policy for
ASGI as well.
"""

import time
from typing import Any

_SLOW_S = 2.0

login_url = "/login"


def get_user(request: Any) -> str:
    """The user, by a handler's request or a request itself."""
    arguments = getattr(request, "request", request).arguments
    if b"authorize" in arguments.get("trouble", []):
        end = time.perf_counter() + _SLOW_S
        while time.perf_counter() < end:
            sum(number * number for number in range(2_000))
    return "somebody"
