"""Hooks that note that they ran."""

from __future__ import annotations

import os
from typing import Any


def write(line: str) -> None:
    path = os.environ.get("CONFORMANCE_LOG")
    if path:
        with open(path, "a", encoding="utf-8") as log:
            log.write(f"{line}\n")


def on_server_loaded(server_context: Any) -> None:
    write("loaded")


def on_server_unloaded(server_context: Any) -> None:
    write("unloaded")


def on_session_created(session_context: Any) -> None:
    write(f"created {session_context.id}")


def on_session_destroyed(session_context: Any) -> None:
    write(f"destroyed {session_context.id}")


def process_request(request: Any) -> dict[str, Any]:
    names = request.arguments.get("name", [b"nobody"])
    return {"visitor": names[0].decode()}
