"""How soon a thread that computes lets another have the interpreter."""

from __future__ import annotations

import sys
import threading

__all__ = ("begin_haste", "end_haste")

#: Seconds after which it does, while somebody is in haste. Always, it would cost a twentieth of the
#: throughput.
_SWITCH_S = 0.0002


class _Haste:
    """The interpreter's switch interval, which all engines of the process share."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._count = 0
        self._before = 0.0

    def begin(self) -> None:
        """An engine has a thread that computes, and keeps others waiting."""
        with self._guard:
            self._count += 1
            if self._count == 1:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(_SWITCH_S, self._before))

    def end(self) -> None:
        """It has none any more."""
        with self._guard:
            self._count -= 1
            if not self._count:
                sys.setswitchinterval(self._before)


_haste = _Haste()
begin_haste, end_haste = _haste.begin, _haste.end
