"""When a session has to go. A pure decision."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("ExpiryRules",)


@dataclass(frozen=True, slots=True)
class ExpiryRules:
    """How long sessions without clients live, in seconds."""

    #: After the page was built, or its last client closed it.
    unused_s: float = 15.0
    #: After the last client's connection was lost, so that the client may come back.
    lost_s: float = 600.0

    def expires_at(
        self,
        *,
        clients: int,
        blocked: int,
        requested: bool,
        idle_since: float,
        lost_at: float | None,
    ) -> float | None:
        """When the session may be discarded, on the clock of ``idle_since``.

        Args:
            clients: connections that are open.
            blocked: how many have asked that it stay.
            requested: the application has asked that it go as soon as it can.
            idle_since: when the last client went, or the session was made.
            lost_at: when a connection was last lost whose client has not come back, if any.

        Returns:
            ``None`` while somebody is there or it is blocked.
        """
        if clients or blocked:
            return None
        if requested:
            return idle_since
        due = idle_since + self.unused_s
        return due if lost_at is None else max(due, lost_at + self.lost_s)
