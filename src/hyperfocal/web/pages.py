"""The page of an application: whole when its document is ready, else its head first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from hyperfocal.engine import Owner
from hyperfocal.errors import AuthError, BuildError, BusyError
from hyperfocal.labels import session_label
from hyperfocal.pages import (
    RESTORE,
    DevelopedPage,
    PageBundle,
    document_page,
    failure_page,
    is_plain,
    notice_page,
    page_head,
    page_rest,
    waiting_end,
    waiting_failure,
    waiting_note,
    with_afresh_script,
    with_development,
)
from hyperfocal.session import Session, Turn
from hyperfocal.telemetry import BuildFailed, ConnectionRefused, traceback_of, worded
from hyperfocal.web.addresses import relative_root
from hyperfocal.web.development import CHANNEL
from hyperfocal.web.listing import Served
from hyperfocal.web.site import Site
from hyperfocal.web.visits import Visit

__all__ = ("PageEndpoint", "refused")

#: A page holds a token: nobody may keep it.
_PAGE_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
#: So that nginx passes on what is there.
_STREAM_HEADERS = {**_PAGE_HEADERS, "X-Accel-Buffering": "no"}

#: Seconds that a document may take before the head of its page is sent.
_PATIENCE_S = 0.05
#: Seconds after which a person is told why there is nothing to see, and between two looks at
#: their place in line.
_NOTE_S = 1.0


def refused(site: Site, served: Served, request: Request, reason: str) -> None:
    """Say and count that somebody did not get what they asked for."""
    peer = request.client.host if request.client else "a local client"
    site.telemetry.emit(ConnectionRefused(served.url, peer, reason))


class PageEndpoint:
    """Answers requests for an application's page.

    Browsers can load BokehJS while the document is built: when that takes its time, the head is
    sent before, with the application's title in place of the document's, which BokehJS puts there
    later. The latest page must have been Bokeh's default one, with the same tags. An
    application that fails after that cannot answer with status 500 any more, so it must have
    worked before.
    """

    def __init__(self, site: Site, served: Served) -> None:
        self._site = site
        self._served = served
        self._bundle: PageBundle | None = None  # of the latest page, if it was a default one
        self._has_surprised = False  # a document did not fit the head that was sent

    async def answer(self, request: Request) -> Response:
        """The page, or why there is none."""
        if request.method == "HEAD":
            return HTMLResponse(headers=_PAGE_HEADERS)
        try:
            visit = await self._site.visits.admit(self._served, request.scope, request.query_params)
        except AuthError as error:
            refused(self._site, self._served, request, error.reason)
            html = notice_page("You cannot open this page", f"{error.reason}.")
            return HTMLResponse(html, status_code=403, headers=_PAGE_HEADERS)
        development = self._site.development
        before = development.generation_of(self._served.url) if development is not None else 0
        making = asyncio.ensure_future(self._site.visits.session_of(self._served, visit))
        if self._bundle is not None and not self._has_surprised and not self._site.settings.dev:
            await asyncio.wait({making}, timeout=_PATIENCE_S)
            if not making.done() and self._tags(request) is self._bundle:
                making.add_done_callback(lambda done: done.cancelled() or done.exception())
                return StreamingResponse(
                    self._head_first(request, visit, making),
                    media_type="text/html",
                    headers=_STREAM_HEADERS,
                )
        try:
            session = await making
            if development is not None:
                await development.begin(session, request.query_params.get(RESTORE))
            html = await self._whole(request, visit, session)
            html = self._developed(request, html, visit.session_id, before)
            return HTMLResponse(_encoded(html), headers=_PAGE_HEADERS)
        except BusyError as error:
            refused(self._site, self._served, request, error.reason)
            html = notice_page(
                "Please come back in a moment",
                f"This server is busy: {error.reason}. Reload the page in some seconds.",
            )
            headers = {**_PAGE_HEADERS, "Retry-After": str(error.retry_after_s)}
            return HTMLResponse(html, status_code=503, headers=headers)
        except BuildError as error:
            self._bundle = None
            html = failure_page(error, dev=self._site.settings.dev)
            # It stands in for the page that was there before the mistake.
            html = self._developed(request, html, request.query_params.get(RESTORE, ""), before)
            return HTMLResponse(html, status_code=500, headers=_PAGE_HEADERS)

    def _developed(self, request: Request, html: str, session_id: str, generation: int) -> str:
        """The page; with ``--dev`` it follows the files of the application."""
        if self._site.development is None:
            return html
        channel = relative_root(self._site, request) + CHANNEL
        page = DevelopedPage(self._served.url, session_id, generation)
        return with_development(html, channel, page)

    async def _whole(self, request: Request, visit: Visit, session: Session) -> str:
        """The page of a document that is there.

        Raises:
            BuildError: it cannot be made.
        """
        try:
            bundle = self._tags(request)

            def make(turn: Turn) -> tuple[str, bool]:
                document = turn.document
                return document_page(document, visit.token, bundle), is_plain(document)

            html, plain = await session.turns.run(make)
        except Exception as raised:  # the application's template, most likely
            raise await self._failed(visit, raised) from raised
        self._bundle = bundle if plain else None
        return with_afresh_script(html)

    def _tags(self, request: Request) -> PageBundle:
        return self._site.statics.bundle(relative_root(self._site, request))

    async def _failed(self, visit: Visit, raised: Exception) -> BuildError:
        def tell() -> BuildError:
            detail = traceback_of(raised)
            failure = BuildError(self._served.url, worded(raised), detail)
            self._site.telemetry.emit(
                BuildFailed(self._served.url, session_label(visit.session_id), failure, detail)
            )
            return failure

        # What an exception says of itself is the application's code.
        return await self._site.engine.call(Owner("", self._served.url, "a page"), tell)

    async def _head_first(
        self, request: Request, visit: Visit, making: asyncio.Future[Session]
    ) -> AsyncGenerator[bytes]:
        bundle = self._tags(request)
        yield _encoded(page_head(self._served.title, bundle))
        place: int | None = None
        while not making.done():
            await asyncio.wait({making}, timeout=_NOTE_S)
            now = self._site.builds.place(visit.session_id)
            if not making.done() and now != place:
                yield _encoded(waiting_note(now, first=place is None))
                place = now
        if place is not None:
            yield _encoded(waiting_end())
        try:
            session = await making
            is_same = self._tags(request) is bundle

            def make(turn: Turn) -> str | None:
                if not is_same or not is_plain(turn.document):
                    return None
                return page_rest(turn.document, visit.token)

            made = await session.turns.run(make)
            self._has_surprised = made is None
            rest = with_afresh_script(made) if made is not None else _RELOAD
        except (BuildError, BusyError):
            self._bundle = None
            rest = waiting_failure()
        except Exception as raised:
            await self._failed(visit, raised)
            rest = waiting_failure()
        yield _encoded(rest)


_RELOAD = "<script>location.reload();</script>\n</body>\n</html>\n"


def _encoded(html: str) -> bytes:
    # A title may hold half a surrogate pair, which has no place in a page.
    return html.encode("utf-8", "replace")
