"""Tells what it knows of its visitor, and when it comes and goes."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from bokeh.io import curdoc
from bokeh.models.widgets import Div

HERE = "here"


def write(line: str) -> None:
    path = os.environ.get("CONFORMANCE_LOG")
    if path:
        with open(path, "a", encoding="utf-8") as log:
            log.write(f"{line}\n")


doc = curdoc()
context: Any = doc.session_context
request = context.request
about = {
    "id": context.id,
    "arguments": {
        name: [value.decode() for value in values] for name, values in request.arguments.items()
    },
    "cookies": {name: str(value) for name, value in request.cookies.items()},
    "headers": dict(request.headers),
    "address": getattr(request, "remote_ip", ""),
    "protocol": getattr(request, "protocol", ""),
    "visitor": context.token_payload.get("visitor"),
    "argv": sys.argv[1:],
}
write(f"built {context.id}")


# Bokeh clears the module before this runs: what is needed comes as a default.
def gone(session_context: Any, path: str | None = os.environ.get("CONFORMANCE_LOG")) -> None:
    if path:
        with open(path, "a", encoding="utf-8") as log:
            log.write(f"document {session_context.id}\n")


def gone_with_globals(session_context: Any) -> None:
    write(f"globals {HERE} {session_context.id}")


doc.on_session_destroyed(gone)
doc.on_session_destroyed(gone_with_globals)
doc.title = f"Visitor {context.id}"
doc.add_root(Div(name="about", text=json.dumps(about)))
