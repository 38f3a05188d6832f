"""A session hook that computes for two seconds where the page's ``trouble`` argument says so."""

import time
from typing import Any

_SLOW_S = 2.0


def on_session_created(session_context: Any) -> None:
    request = session_context.request
    if request is None or b"hook" not in request.arguments.get("trouble", []):
        return
    end = time.perf_counter() + _SLOW_S
    while time.perf_counter() < end:
        sum(number * number for number in range(2_000))
