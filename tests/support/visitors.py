"""Somebody who has an application open: clicks its buttons, sets its widgets, reads its texts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from hyperfocal.testing import WireClient, page_token
from hyperfocal.wire import Kind, Message

__all__ = ("Visitor", "visitor")


class Visitor:
    """A client that knows the models of the document by their names. Made by ``visitor``."""

    def __init__(self, client: WireClient, document: Mapping[str, Any]) -> None:
        self.client = client
        self._ids: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        for model in _models(document):
            attributes: Mapping[str, Any] = model.get("attributes", {})
            name = attributes.get("name") or attributes.get("label")
            if name is not None:
                self._ids[name] = model["id"]
                self._texts[name] = attributes.get("text", "")

    @property
    def names(self) -> list[str]:
        """The names, or else labels, of the models that have one."""
        return list(self._ids)

    async def click(self, name: str) -> Message:
        """Click a button; gives the reply, OK or ERROR."""
        return await self.event("button_click", name)

    async def event(self, event: str, name: str) -> Message:
        """Send an event of a model; gives the reply."""
        return await self.document_event(event, [["model", {"id": self._ids[name]}]])

    async def document_event(self, event: str, values: list[Any] | None = None) -> Message:
        """Send an event of the document; gives the reply."""
        data: dict[str, Any] = {"type": "map"}
        if values:
            data["entries"] = values
        return await self.client.patch(
            {
                "kind": "MessageSent",
                "msg_type": "bokeh_event",
                "msg_data": {"type": "event", "name": event, "values": data},
            }
        )

    async def set(self, name: str, attr: str, value: Any) -> Message:
        """Set a property; gives the reply."""
        return await self.client.set(self._ids[name], attr, value)

    def texts(self, name: str) -> list[str]:
        """All texts that a model has had so far."""
        wanted = self._ids[name]
        return [
            self._texts[name],
            *(
                change["new"]
                for change in self.client.patches()
                if change["kind"] == "ModelChanged"
                and change["model"]["id"] == wanted
                and change["attr"] == "text"
            ),
        ]

    async def text(self, name: str, wanted: str, *, timeout_s: float = 10.0) -> str:
        """Wait for a text of a model that contains what is wanted; gives the whole."""

        def found() -> str | None:
            return next((text for text in self.texts(name) if wanted in text), None)

        def has(message: Message) -> bool:
            return message.kind in (Kind.PATCH_DOC, Kind.ACK) and found() is not None

        await self.client.expect(has, timeout_s=timeout_s)
        text = found()
        assert text is not None
        return text


@asynccontextmanager
async def visitor(
    base: str, path: str, *, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[Visitor]:
    """Open an application's page and its websocket, and pull the document.

    Args:
        base: where the server is, ``http://host:port``.
        path: the application's URL path.
        headers: further headers of the page's request.
    """
    async with httpx.AsyncClient(timeout=30) as http:
        page = await http.get(f"{base}{path}", headers=dict(headers or {}))
    assert page.status_code == 200, page.text[-2_000:]
    url = f"{base.replace('http', 'ws', 1)}{path.partition('?')[0]}/ws"
    async with WireClient.connect(url, page_token(page.text)) as client:
        yield Visitor(client, await client.pull())


def _models(value: Any) -> Iterator[dict[str, Any]]:
    """All definitions of models in a document's JSON."""
    if isinstance(value, dict):
        if value.get("type") == "object" and "id" in value:
            yield value
        for one in value.values():
            yield from _models(one)
    elif isinstance(value, list):
        for one in value:
            yield from _models(one)
