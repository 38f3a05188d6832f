"""Who asks for a page or a websocket, whether they may, and which session they get."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hyperfocal.auth import OriginPolicy, SessionPolicy, TokenAuthority, dump_payload, user_name
from hyperfocal.clock import Clock
from hyperfocal.config import Settings
from hyperfocal.contexts import SessionRequest
from hyperfocal.errors import AuthError, BusyError, SessionGoneError
from hyperfocal.pages import publish_extensions
from hyperfocal.panel import is_panels, place_files
from hyperfocal.session import Session
from hyperfocal.telemetry import HookFailed, Telemetry
from hyperfocal.web.disclosure import Disclosure
from hyperfocal.web.exchange import Place
from hyperfocal.web.listing import Served
from hyperfocal.web.requests import Scope, header, is_direct_local, read_request, restore_request

__all__ = ("Visit", "Visits")

#: Whose pages may connect unless told otherwise. What listens knows its port and says so.
_LOCAL_ORIGINS = ("localhost:*", "127.0.0.1:*", "[::1]:*")

#: What a token's payload says of the page's request, beside what hooks have added.
_REQUEST = frozenset({"arguments", "headers", "cookies"})


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page. ``token`` is what lets the page connect to its session."""

    session_id: str
    request: SessionRequest
    payload: Mapping[str, Any]
    token: str


class Visits:
    """Lets visitors in.

    Args:
        settings: the settings in force.
        tokens: issues and reads tokens.
        policy: which session ids and tokens are taken.
        telemetry: hears of hooks that fail.
        clock: tells the time.
        place: where this process stands among several; ``None``: it is the only one.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: TokenAuthority,
        policy: SessionPolicy,
        telemetry: Telemetry,
        clock: Clock,
        place: Place | None = None,
    ) -> None:
        self.tokens = tokens
        self.policy = policy
        self.origins = OriginPolicy(settings.websocket_origins or _LOCAL_ORIGINS)
        self._may_push = settings.allow_push_doc
        self._disclosure = Disclosure(settings)
        self._telemetry = telemetry
        self._clock = clock
        self._place = place

    async def admit(
        self, served: Served, scope: Scope, arguments: Mapping[str, str], root: str = ""
    ) -> Visit:
        """Who asks for a page, and for which session.

        Args:
            served: the application.
            scope: the request.
            arguments: its query arguments.
            root: where the server's URLs begin, for a page of somebody else's.

        Raises:
            AuthError: the request brings a session id that is not taken.
        """
        given, known = self._given_session(served, scope, arguments)
        session_id = given if given is not None else self.policy.new_session_id()
        whole = read_request(scope)
        if given is not None:
            self._check_user(served.context.find_session(given), whole.user)
        extra = {**known, **await self._process_request(served, whole)}
        request = self._disclosure(whole)
        payload = {**request.payload(), **extra}
        less = {"arguments": payload["arguments"], **extra}
        token = self.tokens.issue(session_id, payload, less, root=root)
        return Visit(session_id, request, payload, token)

    async def session_of(self, served: Served, visit: Visit) -> Session:
        """The session for a visit, made now if there is none.

        Raises:
            BuildError: the application failed.
            BusyError: too many sessions are being made, or it lives in another process.
        """
        self._check_owned(served, visit.session_id)
        return await served.context.create_session_if_needed(
            visit.session_id, visit.request, payload=visit.payload
        )

    def _given_session(
        self, served: Served, scope: Scope, arguments: Mapping[str, str]
    ) -> tuple[str | None, Mapping[str, Any]]:
        """The session id that a page request brings, if any, and what its token knows."""
        direct_local = is_direct_local(scope)
        in_header = header(scope, b"bokeh-session-id")
        session_id = arguments.get("bokeh-session-id") or in_header
        if in_header and session_id != in_header:
            raise AuthError("the session ids in the argument and in the header differ")
        text = arguments.get("bokeh-token")
        if not text:
            if session_id:
                self.policy.check_session_id(session_id, direct_local=direct_local)
            return session_id or None, {}
        token = self.tokens.read(text)
        if session_id and session_id != token.session_id:
            raise AuthError("the session ids of the request and of its token differ")
        self.policy.check_token(
            token,
            now=self._clock.wall(),
            direct_local=direct_local,
            session_exists=served.context.knows(token.session_id),
        )
        extra = {name: value for name, value in token.payload.items() if name not in _REQUEST}
        return token.session_id, extra

    async def open_websocket(
        self, served: Served, scope: Scope, token_text: str
    ) -> tuple[Session, str]:
        """The session that a websocket asks for, made anew if it may be, and its page's name.

        Raises:
            AuthError: the token is not taken.
            BuildError: the application failed.
            BusyError: there are too many sessions, or it lives in another process.
        """
        token = self.tokens.read(token_text)
        self._check_owned(served, token.session_id)
        context = served.context
        existed = context.knows(token.session_id)
        self.policy.check_token(
            token,
            now=self._clock.wall(),
            direct_local=is_direct_local(scope),
            session_exists=existed,
        )
        own = read_request(scope)
        if existed:  # and has the request of its page
            session = await context.create_session_if_needed(token.session_id)
            self._check_user(session, own.user)
            return session, token.page
        whole = restore_request(own, token.payload)
        request = self._disclosure(whole)
        payload: Mapping[str, Any] = token.payload
        if "headers" not in payload:
            extra = await self._process_request(served, whole)
            payload = {**request.payload(), **payload, **extra}
        session = await context.create_session_if_needed(token.session_id, request, payload=payload)
        if token.signed:
            # The page outlived its session. If it had the document before, it is one that comes
            # back, and would lose buffers; nobody here remembers.
            session.note_page(token.page)
            if is_panels(session.document):
                await self._place_files(session, token.root)
        return session, token.page

    async def _place_files(self, session: Session, root: str) -> None:
        """Have a document's files asked for here. Otherwise its page sees to that."""
        if self._place is not None:
            publish_extensions(self._place)
        with contextlib.suppress(SessionGoneError):  # the connection says so
            await session.turns.run(lambda turn: place_files(turn.document, root))

    def _check_owned(self, served: Served, session_id: str) -> None:
        """Raise where a session would be made twice. Requests are brought to the right process.

        Raises:
            BusyError: this one is not.
        """
        place = self._place
        if place is not None and not (place.runs(served.url) and place.owns(session_id)):
            raise BusyError("the session lives in another process; please try again", 1)

    @staticmethod
    def _check_user(session: Session | None, user: Any) -> None:
        """Raise if the session was made for somebody else.

        Raises:
            AuthError: it was.
        """
        if session is None or session.context is None:
            return
        request = session.context.request
        owner = user_name(request.user) if request is not None else None
        if owner is not None and user_name(user) != owner:
            raise AuthError("this session is somebody else's; reload the page")

    def check_origin(self, scope: Scope) -> None:
        """Raise unless pages of this origin may connect.

        Raises:
            AuthError: they may not; the reason names the option that lets them.
        """
        origin = header(scope, b"origin")
        if not self.origins.allows(origin):
            host = (origin or "").partition("://")[2] or origin
            raise AuthError(
                f"origin {origin} is not allowed; allow it with --allow-websocket-origin={host}"
            )

    def may_push(self, scope: Scope) -> bool:
        """Whether who asks may replace the document, and bring code for the browsers of others."""
        return self.policy.may_push(self._may_push, direct_local=is_direct_local(scope))

    async def _process_request(self, served: Served, request: SessionRequest) -> dict[str, Any]:
        """What the hooks add to the token, without what does not fit into one."""
        kept: dict[str, Any] = {}
        for name, value in (await served.context.process_request(request)).items():
            try:
                dump_payload({name: value})
            except (TypeError, ValueError, RecursionError) as error:
                self._telemetry.emit(HookFailed(served.url, f"process_request ({name})", error))
            else:
                kept[name] = value
        return kept
