"""The end of the server, as those hear of it who send visitors here."""

from __future__ import annotations

import asyncio
import contextlib
import time

__all__ = ("Stopping",)


class Stopping:
    """Lets those who send visitors here know of the end before it comes.

    A proxy or an orchestrator asks ``/health`` every few seconds. Connections that are refused
    before it has heard of the end are somebody's error page.

    Args:
        delay_s: seconds that this may take; 0: the end comes at once.
    """

    #: Seconds for which somebody who has asked is expected to ask again.
    _ASKS_AGAIN_S = 60.0
    #: Answers after which they know.
    _ANSWERS = 3

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._asked_at: float | None = None
        self._left = self._ANSWERS
        self._is_known = asyncio.Event()
        self.begun = False

    def asked(self) -> bool:
        """Somebody asks how the server is. Returns whether it is about to end."""
        self._asked_at = time.monotonic()
        if self.begun:
            self._left -= 1
            if not self._left:
                # When the answer has left.
                asyncio.get_running_loop().call_soon(self._is_known.set)
        return self.begun

    async def begin(self) -> None:
        """Say so from now on, and wait until they know, if somebody asks."""
        self.begun = True
        if self._asked_at is None or time.monotonic() - self._asked_at > self._ASKS_AGAIN_S:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_known.wait(), self._delay_s)
