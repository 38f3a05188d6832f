"""Clients of a session, in memory."""

from __future__ import annotations

from typing import Any

from hyperfocal.wire import Decoder, Frame, Message, unpacked

__all__ = ("Peer",)


class Peer:
    """A client that reads at once, or lags as long as a test says.

    Attributes:
        messages: what it was told.
        ended: the reason with which its session ended.
        gave_up: how often it was told to come back.
    """

    def __init__(self) -> None:
        self.lagging = False
        self.ended = ""
        self.gave_up = 0
        self.messages: list[Message] = []
        self._decoder = Decoder()

    def offer(self, frames: tuple[Frame, ...]) -> None:
        for frame in unpacked(frames):
            message = self._decoder.feed(frame)
            if message is not None:
                self.messages.append(message)

    def end(self, reason: str) -> None:
        self.ended = reason

    def give_up(self) -> None:
        self.gave_up += 1

    @property
    def events(self) -> list[Any]:
        """The events of all messages."""
        return [event for message in self.messages for event in message.content["events"]]

    @property
    def told(self) -> list[list[Any]]:
        """What each message says: new values, and the kinds of what has none."""
        return [
            [event.get("new", event["kind"]) for event in one.content["events"]]
            for one in self.messages
        ]
