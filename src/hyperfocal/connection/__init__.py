"""One client on one websocket: what its messages mean, and the queue of what it is told."""

from hyperfocal.connection.connection import Connection, Done
from hyperfocal.connection.outbox import CloseRequest, Outbox

__all__ = ("CloseRequest", "Connection", "Done", "Outbox")
