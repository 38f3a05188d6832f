"""What server lifecycle hooks get."""

# The three contexts share what no application should see.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bokeh.application.application import ServerContext

from hyperfocal.errors import UnknownCallbackError
from hyperfocal.session import TimerKind, Timers

if TYPE_CHECKING:
    from hyperfocal.contexts.application import ApplicationContext
    from hyperfocal.contexts.session import BokehSessionContext

__all__ = ("BokehServerContext",)

#: Seconds that callbacks which run have to end when the application unloads.
_GRACE_S = 1.0


class BokehServerContext(ServerContext):
    """What ``on_server_loaded`` and ``on_server_unloaded`` hooks get: callbacks and sessions.

    Callbacks take no arguments and may be plain or ``async``. Plain ones run
    one after the other in a thread, ``async`` ones on the application's event loop, both outside of
    all sessions: to touch a document, go through
    ``session_context.with_locked_document``. A callback that raises is logged and stays. All are
    removed when the application unloads. Adding and removing is safe from any thread.

    Args:
        application_context: held weakly.
    """

    def __init__(self, application_context: ApplicationContext) -> None:
        self._application_context = weakref.ref(application_context)
        self._ids = itertools.count(1)
        self._guard = threading.Lock()
        self._timers: Timers | None = None

    @property
    def application_context(self) -> ApplicationContext | None:
        """The application's context; ``None`` when that is gone."""
        return self._application_context()

    @property
    def sessions(self) -> list[BokehSessionContext]:  # type: ignore[override]
        """The session contexts of this application's live sessions, oldest first."""
        application_context = self._application_context()
        if application_context is None:
            return []
        return [session.context for session in application_context.sessions]

    def add_next_tick_callback(self, callback: Callable[[], Any]) -> str:
        """Run ``callback`` once, on the next tick of the event loop. Returns its id."""
        return self._add(TimerKind.NEXT_TICK, callback, 0)

    def remove_next_tick_callback(self, callback_id: str) -> None:
        """Call off a callback before it has run.

        Raises:
            ValueError: it has run, was removed, or never was.
        """
        self._remove(TimerKind.NEXT_TICK, callback_id)

    def add_timeout_callback(self, callback: Callable[[], Any], timeout_milliseconds: float) -> str:
        """Run ``callback`` once, after a delay in milliseconds. Returns its id."""
        return self._add(TimerKind.TIMEOUT, callback, timeout_milliseconds)

    def remove_timeout_callback(self, callback_id: str) -> None:
        """Call off a callback before it has run.

        Raises:
            ValueError: it has run, was removed, or never was.
        """
        self._remove(TimerKind.TIMEOUT, callback_id)

    def add_periodic_callback(self, callback: Callable[[], Any], period_milliseconds: float) -> str:
        """Run ``callback`` every so many milliseconds until it is removed. Returns its id.

        It never overlaps itself and does not drift; beats that a slow run covers are skipped.
        """
        return self._add(TimerKind.PERIODIC, callback, period_milliseconds)

    def remove_periodic_callback(self, callback_id: str) -> None:
        """Stop a callback.

        Raises:
            ValueError: it was removed already, or never was.
        """
        self._remove(TimerKind.PERIODIC, callback_id)

    def _add(self, kind: TimerKind, callback: Callable[[], Any], milliseconds: float) -> str:
        application_context = self._application_context()
        if application_context is None:
            raise RuntimeError("the application of this server context is gone")
        if not callable(callback):
            raise TypeError(f"a {kind} callback must be callable, got {callback!r}")
        with self._guard:
            if self._timers is None:
                self._timers = application_context._make_timers()
        if self._timers.closed:
            raise RuntimeError("the application has been unloaded; no callback runs any more")
        callback_id = f"{kind.name.lower()}-{next(self._ids)}"
        self._timers.add(callback_id, kind, callback, milliseconds / 1000)
        return callback_id

    def _remove(self, kind: TimerKind, callback_id: str) -> None:
        if self._timers is None:
            raise UnknownCallbackError(str(kind), callback_id)
        self._timers.remove(callback_id, kind)

    def _begin_anew(self) -> None:
        """There is another application: take callbacks again."""
        self._timers = None

    async def _remove_all(self) -> None:
        if self._timers is not None:
            self._timers.close()
            application_context = self._application_context()
            assert application_context is not None
            await self._timers.wait_closed(_GRACE_S, application_context._cancel_callbacks)
