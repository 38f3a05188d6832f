"""``--dev``: pages follow the files of their applications, and show what fails in them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from hyperfocal.application import Sources, application_that_fails, load_mended_later
from hyperfocal.contexts import ApplicationContext
from hyperfocal.document import Place, set_values, values_of
from hyperfocal.errors import AuthError, LoadError
from hyperfocal.labels import session_label
from hyperfocal.pages import DevelopedPage
from hyperfocal.session import Session
from hyperfocal.telemetry import (
    CallbackFailed,
    EncodingFailed,
    Event,
    HookFailed,
    SessionDestroyed,
    log_failure,
    traceback_of,
    worded,
)

if TYPE_CHECKING:
    from hyperfocal.web.listing import Served
    from hyperfocal.web.site import Site

__all__ = ("CHANNEL", "Development")

_log = logging.getLogger("hyperfocal")

#: Below the server's own path: the websocket that tells pages.
CHANNEL = "hyperfocal-dev"

#: Milliseconds in which changes of files count as one.
_DEBOUNCE_MS = 100
#: Seconds between looks for modules that have been imported.
_LOOK_S = 1.0
#: Seconds by which the times of files may lag behind the clock.
_LAG_S = 0.05
#: Sessions whose values are remembered for the pages that come after theirs.
_MAX_REMEMBERED = 1_000

_RELOAD = {"kind": "reload"}


class Development:
    """Watches the files of applications, and tells their pages.

    Args:
        site: whose applications they are.
        paths: where those come from, by URL path; others are not watched.
        arguments: what applications find in ``sys.argv[1:]``.
        more: further files and folders to watch.
    """

    def __init__(
        self,
        site: Site,
        paths: Mapping[str, Path],
        arguments: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> None:
        self._site = site
        self._paths = dict(paths)
        self._arguments = arguments
        self._sources = Sources(paths, more)
        self._looked_at = time.time()  # for modules that have been imported
        self._first: dict[str, dict[Place, Any]] = {}  # session id -> values when it was built
        self._remembered: OrderedDict[str, dict[Place, Any]] = OrderedDict()
        self._pages: dict[WebSocket, DevelopedPage] = {}
        self._generations: Counter[str] = Counter()  # by URL path
        self._telling: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        site.telemetry.subscribe(self._hear)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Watch within."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._watch(), name="hyperfocal-dev")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # --- pages -----------------------------------------------------------------------------------

    async def page(self, websocket: WebSocket) -> None:
        """The endpoint of the websocket. It tells tracebacks: pages of others are refused."""
        try:
            self._site.visits.check_origin(websocket.scope)
        except AuthError:
            await websocket.close(1008)
            return
        await websocket.accept()
        page = DevelopedPage.of(websocket.query_params)
        self._pages[websocket] = page
        try:
            if page.generation != self.generation_of(page.url):
                await self._send(websocket, _RELOAD)  # it was not there when the others were told
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            del self._pages[websocket]

    def generation_of(self, url: str) -> int:
        """How often the application at this URL path has been replaced."""
        return self._generations[url]

    def _tell(self, message: Mapping[str, Any], concerned: Callable[[DevelopedPage], bool]) -> None:
        for websocket, page in list(self._pages.items()):
            if concerned(page):
                task = asyncio.ensure_future(self._send(websocket, message))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    @staticmethod
    async def _send(websocket: WebSocket, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has gone
            await websocket.send_json(message)

    def _hear(self, event: Event) -> None:
        """Something has happened, perhaps in a thread: show it in pages if it is a failure."""
        if isinstance(event, SessionDestroyed):
            self._first.pop(event.session, None)
        if not isinstance(event, _FAILURES) or self._loop is None:
            return
        error = event.error
        message = {
            "kind": "error",
            "title": f"A callback failed ({_where(event)}): {worded(error)}",
            "text": _told(error),
        }
        its = None if isinstance(event, HookFailed) else event.session
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(
                self._tell, message, lambda page: its in (None, session_label(page.session_id))
            )

    # --- values ----------------------------------------------------------------------------------

    async def begin(self, session: Session, before: str | None) -> None:
        """A page gets a session: note its values, and set those of the session before."""
        if session.label not in self._first:
            self._first[session.label] = await session.with_locked_document(values_of) or {}
        values = self._remembered.get(before or "")
        if values:
            try:
                await session.with_locked_document(lambda document: set_values(document, values))
            except Exception as error:
                callback = "of a value that was set before the reload"
                event = CallbackFailed(session.url, callback, error, session.label)
                self._site.telemetry.emit(event)

    async def _remember(self, session: Session) -> None:
        first = self._first.pop(session.label, {})
        now = await session.with_locked_document(values_of) or {}
        changed = {place: value for place, value in now.items() if first.get(place) != value}
        self._remembered[session.id] = changed
        while len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    # --- files -----------------------------------------------------------------------------------

    async def _watch(self) -> None:
        changes: asyncio.Queue[set[Path]] = asyncio.Queue()
        watched: Any = None
        tasks: list[asyncio.Task[None]] = []
        try:
            while True:
                before, self._looked_at = self._looked_at, time.time()
                folders = self._sources.folders()  # modules may have been imported meanwhile
                if folders != watched:
                    watched, old = folders, tasks
                    tasks = [
                        asyncio.create_task(_feed(changes, paths, recursive=recursive))
                        for paths, recursive in zip(folders, (True, False), strict=True)
                        if paths
                    ]
                    await _cancelled(old)
                    await asyncio.sleep(0)  # they watch from their first step on
                    # What nobody watched, or the old ones had not told yet.
                    since = before - _LAG_S
                    changes.put_nowait(await asyncio.to_thread(self._sources.written_since, since))
                try:
                    async with asyncio.timeout(_LOOK_S):
                        changed = await changes.get()
                except TimeoutError:
                    continue
                try:
                    await self._reload(changed)
                except Exception as error:
                    what = "Reloading failed; the next change is tried again"
                    log_failure(_log, logging.ERROR, what, error=error)
        finally:
            await _cancelled(tasks)

    async def _reload(self, changed: set[Path]) -> None:
        changed = self._sources.news(changed)
        urls = self._sources.concerned(changed)
        if not urls:
            return
        names = ", ".join(sorted(path.name for path in changed))
        _log.info("%s changed: %s", names, ", ".join(urls))
        if any(path.suffix == ".py" for path in changed):
            self._sources.forget_modules()
        for served in self._site.served:
            if served.url in urls:
                await self._replace(served)

    async def _replace(self, served: Served) -> None:
        context: ApplicationContext = served.context
        old = context.sessions
        for session in old:
            await self._remember(session)
        path = self._paths[served.url]
        try:
            application = load_mended_later(path, self._arguments).application
        except LoadError as error:  # it is not there any more
            _log.error("%s", error)
            application = application_that_fails(error)
        await context.replace_application(application)
        self._generations[served.url] += 1
        self._tell(_RELOAD, lambda page: page.url == served.url)
        await asyncio.gather(*(context.discard(session, "its files changed") for session in old))


#: What is shown in pages.
_FAILURES = (CallbackFailed, EncodingFailed, HookFailed)


def _where(event: CallbackFailed | EncodingFailed | HookFailed) -> str:
    if isinstance(event, CallbackFailed):
        return event.callback
    return f"the hook {event.hook}" if isinstance(event, HookFailed) else f"encoding {event.what}"


def _told(error: BaseException) -> str:
    """The traceback, from where the application's own code begins."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in (
        "bokeh",
        "hyperfocal",
    ):
        trace = trace.tb_next
    return traceback_of(error, trace)


async def _feed(
    changes: asyncio.Queue[set[Path]], folders: Iterable[Path], *, recursive: bool
) -> None:
    """Put into the queue what changes in these folders."""
    from watchfiles import awatch

    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it would tell of each change
    async for found in awatch(*folders, recursive=recursive, debounce=_DEBOUNCE_MS):
        changes.put_nowait({Path(path) for _, path in found})


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel them, and wait for their ends."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
