"""What the process has in memory, as the system tells it."""

from __future__ import annotations

import os

__all__ = ("resident_bytes", "virtual_bytes")


def resident_bytes() -> int:
    """What the process has in memory; 0 where that is not known."""
    return _pages(1)


def virtual_bytes() -> int:
    """What the process has asked for; 0 where that is not known."""
    return _pages(0)


def _pages(field: int) -> int:
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[field]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
