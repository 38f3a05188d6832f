"""How long to wait before a process that has died is started again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("Backoff",)

#: Seconds that a process has to live for its death to be an accident.
SETTLED_S = 10.0
#: Seconds before the second start in a row; twice as many before each further one.
FIRST_S = 0.5
MOST_S = 30.0


@dataclass(slots=True)
class Backoff:
    """One for each place. The first death of a process costs no time, a row of them more and more.

    Attributes:
        deaths: in a row.
    """

    deaths: int = 0

    def died(self, lived_s: float) -> float:
        """A process has died.

        Args:
            lived_s: how long it had been there, in seconds.

        Returns:
            the seconds to wait.
        """
        if lived_s >= SETTLED_S:
            self.deaths = 0
        self.deaths += 1
        if self.deaths == 1:
            return 0.0
        return min(FIRST_S * 2.0 ** min(self.deaths - 2, 16), MOST_S)
