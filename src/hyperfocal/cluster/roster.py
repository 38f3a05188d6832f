"""Which processes there are, and what each is for. The same in all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ("Member", "Roster", "number_of_processes")


@dataclass(frozen=True, slots=True)
class Member:
    """One process, whoever fills its place at the moment.

    Attributes:
        slot: its number, from 0.
        name: what logs and the health page call it.
        urls: URL paths of the applications that run in it.
        accepts: it takes connections from the port.
    """

    slot: int
    name: str
    urls: tuple[str, ...]
    accepts: bool = True


@dataclass(frozen=True, slots=True)
class Roster:
    """All processes of a server, by slot.

    Attributes:
        members: the processes.
        door: the slot of the one that runs no application and accepts all connections; ``None``:
            every worker accepts, and each runs all applications.
    """

    members: tuple[Member, ...]
    door: int | None = None

    @classmethod
    def of(cls, urls: Sequence[str], processes: int, *, isolate: bool) -> Roster:
        """As the options say.

        Args:
            urls: URL paths of the applications.
            processes: workers in all; with ``isolate``, of each application.
            isolate: each application has workers of its own.
        """
        numbers = range(1, processes + 1)
        if not isolate:
            return cls(tuple(Member(n - 1, f"worker {n}", tuple(urls)) for n in numbers))
        members = [Member(0, "door", ())]
        for url in urls:
            for number in numbers:
                name = url if processes == 1 else f"{url} {number}"
                members.append(Member(len(members), name, (url,), accepts=False))
        return cls(tuple(members), door=0)

    def workers(self, url: str) -> tuple[Member, ...]:
        """Those that run the application at this URL path."""
        return tuple(member for member in self.members if url in member.urls)


def number_of_processes(asked: int) -> int:
    """What ``--num-procs`` means: 0 is as many as there are cores to run on."""
    if asked:
        return asked
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1
