"""What other processes do for ``callbacks``; they import it by this name."""

from __future__ import annotations

import sys
import time


def square(number: int) -> int:
    """A result."""
    return number * number


def wait_long() -> None:
    """Nothing, until a signal ends it."""
    print("waits", flush=True)
    time.sleep(120)


def status() -> None:
    """Ends at once, with a status of its own."""
    sys.exit(7)
