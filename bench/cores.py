"""What of the machine we may use: which process runs on which core, and how many sockets."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

__all__ = ("Cores", "allow_connections", "pin")


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where; ``None`` where the machine does not let us choose."""

    server: int | None
    client: int | None

    @classmethod
    def choose(cls) -> Cores:
        """The last core for the server, the one before it for the client."""
        if sys.platform != "linux":
            return cls(None, None)
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[-1], cores[-2] if len(cores) > 1 else cores[-1])

    @property
    def complaint(self) -> str | None:
        """What is wrong with this placement, if anything."""
        if self.server is None:
            return "processes cannot be pinned to cores on this platform"
        if self.server == self.client:
            return "there is one core only: server and client share it"
        return None


def pin(pid: int, *cores: int | None) -> None:
    """Let a process (0: this one) run on these cores only."""
    chosen = {core for core in cores if core is not None}
    if chosen and sys.platform == "linux":
        os.sched_setaffinity(pid, chosen)


def allow_connections(number: int) -> None:
    """Let this process, and those that it starts, have so many sockets, where that is allowed."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = number + 200
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
