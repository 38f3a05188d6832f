"""Where a session lives follows from its id. No directory, so nothing to keep in step.

Pure decisions. Workers are named, not numbered, so that they may one day be on several machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

__all__ = ("Load", "Placement", "quietest")

_MASK = (1 << 64) - 1


def _number(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def _mixed(number: int) -> int:
    """The number with its 64 bits mixed (the finalizer of SplitMix64)."""
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


class Placement:
    """Rendezvous hashing: each session belongs to the worker with which it scores highest.

    Every process comes to the same result, and when the number of workers changes only those
    sessions move that have to.

    Args:
        names: of the workers, in any order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if not names:
            raise ValueError("a session cannot be placed: there are no workers")
        self._keys = tuple((name, _number(name)) for name in names)

    def owner(self, session_id: str) -> str:
        """The name of the worker that has the session, if there is such a session."""
        if len(self._keys) == 1:
            return self._keys[0][0]
        digest = _number(session_id)
        return max((_mixed(digest ^ key), name) for name, key in self._keys)[1]


@dataclass(frozen=True, slots=True)
class Load:
    """How much a worker has to do.

    Attributes:
        slot: which worker.
        sessions: how many it has.
        is_listening: it takes connections, and has taken those that it was sent.
    """

    slot: int
    sessions: int
    is_listening: bool


def quietest(loads: Iterable[Load], own: int) -> int | None:
    """The worker for a new session: ``own``, unless another one has clearly less to do.

    Args:
        loads: of all workers that may have it.
        own: the slot of the worker that asks; it may be none of these.

    Returns:
        a slot, or ``None`` when nobody listens.
    """
    found = {load.slot: load for load in loads if load.is_listening}
    if not found:
        return None
    best = min(found.values(), key=lambda load: (load.sessions, load.slot))
    here = found.get(own)
    if here is not None and here.sessions - best.sessions <= max(1, here.sessions // 8):
        return own
    return best.slot
