"""Which callbacks of the application hear of a patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.document import Document
from bokeh.events import Event, ModelEvent

from hyperfocal.document.patches import DecodedPatch

__all__ = ("listeners",)


def listeners(document: Document, patch: DecodedPatch) -> list[Callable[..., Any]]:
    """The callbacks that are called for the events of a patch.

    Those that are called because of what these do are not among them.
    """
    manager: Any = document.callbacks
    found: list[Callable[..., Any]] = list(manager._change_callbacks)
    for event in patch.events:
        if event["kind"] == "MessageSent":
            found += _message_listeners(manager, event)
        elif "attr" in event:
            found += event["model"]._callbacks.get(event["attr"], ())
    return found


def _message_listeners(manager: Any, message: dict[str, Any]) -> list[Callable[..., Any]]:
    kind, event = message.get("msg_type"), message.get("msg_data")
    if kind != "bokeh_event" or not isinstance(event, Event):
        return list(manager._message_callbacks.get(kind, ()))
    name = event.event_name
    found = list(manager._event_callbacks.get(name, ()))
    if isinstance(event, ModelEvent) and event.model is not None:
        found += event.model._event_callbacks.get(name, ())
    return found
