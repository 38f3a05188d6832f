"""What session hooks get, and what a document knows of its session."""

# The three contexts share what no application should see.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bokeh.application.application import SessionContext
from bokeh.document import Document

from hyperfocal.contexts.prewarming import Ahead
from hyperfocal.contexts.server import BokehServerContext
from hyperfocal.document import adopt_document, set_session_context
from hyperfocal.session import Lifetime, Session, SessionRequest

__all__ = ("BokehSessionContext",)


class BokehSessionContext(SessionContext):
    """What session hooks get, and what ``curdoc().session_context`` gives.

    Args:
        session_id: the session's id.
        server_context: the context of the application's server side.
        document: the session's document.
        logout_url: where a user logs out, if anywhere.
    """

    def __init__(
        self,
        session_id: str,
        server_context: BokehServerContext,
        document: Document,
        logout_url: str | None = None,
    ) -> None:
        super().__init__(server_context, session_id)  # type: ignore[arg-type]
        self._session_id = session_id
        self._document = document
        self._logout_url = logout_url
        self._session: Session | None = None
        self._destroyed = False
        self._request: SessionRequest | None = None
        self._token_payload: Mapping[str, Any] = {}
        #: Those of the application that made the session.
        self._hooks: Any = None
        #: Set while the document is built for a visitor yet to come.
        self._ahead: Ahead | None = None
        set_session_context(document, self)

    @property
    def id(self) -> str:  # type: ignore[override]
        """The session's id."""
        self._look("the session's id")
        return self._session_id

    def _look(self, what: str) -> None:
        if self._ahead is not None:
            self._ahead.look(what)

    def _arrive(
        self, session_id: str, request: SessionRequest | None, payload: Mapping[str, Any]
    ) -> None:
        """The visitor has come; perhaps the session was built ahead."""
        self._ahead = None
        self._session_id = session_id
        self._request = request
        self._token_payload = payload

    @property
    def document(self) -> Document:
        """The session's document. To touch it, use ``with_locked_document``."""
        return self._document

    @property
    def destroyed(self) -> bool:
        """``True`` once the session is discarded.

        A later session may bear the same id; this object never comes back to life.
        """
        return self._destroyed

    @property
    def logout_url(self) -> str | None:
        """Where the user logs out, or ``None``."""
        return self._logout_url

    @property
    def request(self) -> SessionRequest | None:
        """The request that made the session: arguments, cookies, headers."""
        self._look("the request")
        return self._request

    @property
    def user(self) -> Any:
        """Who the session was made for, as the auth provider knows them; ``None``: nobody."""
        request = self.request
        return request.user if request is not None else None

    @property
    def token_payload(self) -> Mapping[str, Any]:
        """What travels with the session's token: what ``process_request`` hooks gave, and more."""
        self._look("the token's payload")
        return self._token_payload

    @property
    def session(self) -> Session | None:
        """The session itself; ``None`` before and after its life, so also while it is built.

        Panel takes a session that is there for one whose callbacks can be locked and awaited.
        """
        session = self._session
        if session is None or session.lifetime is Lifetime.BUILDING:
            return None
        return session

    def block_expiration(self) -> None:
        """Keep the session although no client is there, until ``unblock_expiration``."""
        if self._session is not None:
            self._session.block_expiration()

    def unblock_expiration(self) -> None:
        """Take back one ``block_expiration``."""
        if self._session is not None:
            self._session.unblock_expiration()

    async def with_locked_document(self, func: Callable[[Document], Any]) -> Any:
        """Run ``func(document)`` with the document's lock held.

        Returns:
            What ``func`` returns, or what its awaitable gives. ``None``, without a call, when the
            session is destroyed.

        Raises:
            TurnReentryError: called and awaited where the lock is held already.
            Exception: what ``func`` raises; nobody else gets to see it.
        """
        if self._destroyed:
            return None
        if self._session is None:
            self._session = self._own_session()
        return await self._session.with_locked_document(func)

    async def with_document_locked(self, func: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Run ``func(*args, **kw)`` with the document's lock held (the session's older method)."""
        return await self.with_locked_document(lambda _: func(*args, **kw))

    def _own_session(self) -> Session:
        """A context that was made by hand gets a session of its own, for its lock."""
        application_context = self._bokeh_server_context.application_context
        if application_context is None:
            raise RuntimeError("the application of this session context is gone")
        adopt_document(self._document)
        set_session_context(self._document, self)
        session = application_context._maker.session_of(self.id, self._document)
        session.context = self
        session.go_live()
        return session

    @property
    def _bokeh_server_context(self) -> BokehServerContext:
        context = self.server_context
        if not isinstance(context, BokehServerContext):
            raise TypeError("a BokehSessionContext needs a BokehServerContext")
        return context

    def _end(self) -> None:
        self._destroyed = True
        self._session = None
