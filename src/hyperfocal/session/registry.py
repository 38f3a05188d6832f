"""The sessions of one application, by id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from hyperfocal.errors import BusyError
from hyperfocal.session.session import Session

__all__ = ("SessionRegistry",)

#: Seconds that builds which are under way still have when the server ends.
_BUILDS_END_S = 1.0


class SessionRegistry:
    """Create-or-join, and looking for sessions whose time has come.

    Args:
        destroy: takes a session down; it has left the registry when this is called.
    """

    def __init__(self, destroy: Callable[[Session, str], Coroutine[Any, Any, None]]) -> None:
        self._destroy = destroy
        self._sessions: dict[str, Session] = {}
        self._building: dict[str, asyncio.Task[Session]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._is_ending = False

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, session_id: str) -> Session | None:
        """The live session of this id."""
        return self._sessions.get(session_id)

    def all(self) -> list[Session]:
        """All live sessions, oldest first."""
        return list(self._sessions.values())

    def knows(self, session_id: str) -> bool:
        """Whether there is such a session, or one is being built."""
        return session_id in self._sessions or session_id in self._building

    async def get_or_create(
        self, session_id: str, build: Callable[[], Awaitable[Session]]
    ) -> Session:
        """The session of this id; ``build`` is called if there is none.

        Any number of simultaneous callers share one build. If it fails, each of them gets the
        failure and the next call tries afresh. A caller that is cancelled cancels nobody else.

        Raises:
            BusyError: there are no new sessions any more.
        """
        session = self._sessions.get(session_id)
        if session is not None:
            return session
        task = self._building.get(session_id)
        if task is None:
            if self._is_ending:
                raise _ending()

            async def create() -> Session:
                try:
                    made = await build()
                    self._sessions[session_id] = made
                    return made
                finally:
                    del self._building[session_id]

            task = asyncio.get_running_loop().create_task(create())
            # A failure that nobody waits for any more is not news to the event loop.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._building[session_id] = task
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._is_ending and task.cancelled():
                raise _ending() from None
            raise

    async def discard(self, session: Session, why: str) -> None:
        """Take a session out and down. A no-op if it is on its way already."""
        if self._sessions.get(session.id) is not session:
            return
        del self._sessions[session.id]
        task = asyncio.get_running_loop().create_task(self._destroy(session, why))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        await asyncio.shield(task)

    async def expire(self, now: float) -> int:
        """Discard the sessions whose time has come (seconds on the monotonic clock).

        A session in which a turn runs or waits is left for the next time.

        Returns:
            How many were discarded.
        """
        due = [session for session in self._sessions.values() if session.is_due(now)]
        # All leave the registry at once: a hook that takes its time delays no other session, and
        # nobody can join one that is about to go.
        await asyncio.gather(*(self.discard(session, "unused") for session in due))
        return len(due)

    def begin_closing(self) -> None:
        """Make no new sessions. Builds that are under way have a second; those after it fail."""
        if self._is_ending:
            return
        self._is_ending = True
        asyncio.get_running_loop().call_later(_BUILDS_END_S, self._call_off_builds)

    def _call_off_builds(self) -> None:
        for build in self._building.values():
            build.cancel()

    async def close(self, why: str) -> None:
        """Wait for builds, discard everything, wait for what is being discarded."""
        self.begin_closing()
        if self._building:
            await asyncio.wait(list(self._building.values()))
        await asyncio.gather(*(self.discard(session, why) for session in self.all()))
        if self._closing:
            await asyncio.wait(list(self._closing))


def _ending() -> BusyError:
    return BusyError("the server is about to end")
