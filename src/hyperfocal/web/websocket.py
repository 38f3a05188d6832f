"""The websocket of an application: who may connect, and to what; then a transport has it."""

from __future__ import annotations

from functools import partial

from hyperfocal.connection import Connection, Outbox
from hyperfocal.errors import AuthError, BuildError, BusyError, ProtocolError
from hyperfocal.pages import AFRESH_MESSAGE, AFRESH_TEXT
from hyperfocal.session import Session
from hyperfocal.telemetry import ConnectionRefused
from hyperfocal.web.asgi import AsgiTransport, Receive, Send
from hyperfocal.web.listing import Served
from hyperfocal.web.requests import Scope
from hyperfocal.web.site import Site
from hyperfocal.web.transport import TAKE_OVER

__all__ = ("NoSuchWebSocket", "WebSocketEndpoint", "refuse")


class WebSocketEndpoint:
    """The ASGI application behind ``<app>/ws``."""

    def __init__(self, site: Site, served: Served) -> None:
        self._site = site
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check who asks, join the session, then move frames until the end."""
        site, served = self._site, self._served
        await receive()  # websocket.connect
        try:
            site.visits.check_origin(scope)
            session, page = await site.visits.open_websocket(served, scope, _token(scope))
        except (AuthError, ProtocolError) as error:
            await refuse(site, served.url, scope, send, 403, error.reason)
            return
        except BusyError as error:
            await refuse(site, served.url, scope, send, 503, f"the server is busy: {error.reason}")
            return
        except BuildError:
            reason = "the application failed; see the server's log"
            await refuse(site, served.url, scope, send, 500, reason)
            return
        connect = partial(_connect, site, served, session, page, site.visits.may_push(scope))
        outbox_bytes = site.settings.outbox_max_bytes
        await send({"type": "websocket.accept", "subprotocol": "bokeh"})
        take_over = scope.get("extensions", {}).get(TAKE_OVER)
        if take_over is None or not take_over(connect, outbox_bytes):
            await AsgiTransport(connect, outbox_bytes, receive, send).run()


def _connect(
    site: Site, served: Served, session: Session, page: str, may_push: bool, outbox: Outbox
) -> Connection:
    return Connection(
        session,
        outbox,
        telemetry=site.telemetry,
        url=served.url,
        limits=site.limits,
        page=page,
        may_push=may_push,
        versions=site.versions,
        dev=site.settings.dev,
        afresh=(AFRESH_MESSAGE, AFRESH_TEXT),
    )


class NoSuchWebSocket:
    """Answers websockets at paths where nothing is served."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 404."""
        await receive()  # websocket.connect
        path = str(scope["path"])
        await refuse(self._site, path, scope, send, 404, f"no application is served at {path}")


async def refuse(site: Site, url: str, scope: Scope, send: Send, status: int, reason: str) -> None:
    """Answer the handshake with an HTTP status and the reason, where the server can."""
    client = scope.get("client")
    peer = client[0] if client else "a local client"
    site.telemetry.emit(ConnectionRefused(url, peer, reason))
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        return
    await send(
        {
            "type": "websocket.http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    await send({"type": "websocket.http.response.body", "body": reason.encode()})


def _token(scope: Scope) -> str:
    """The token, which the client offers as the second of its subprotocols.

    Raises:
        ProtocolError: the client does not offer the two.
    """
    offered: list[str] = scope.get("subprotocols", [])
    if len(offered) != 2 or offered[0] != "bokeh":
        raise ProtocolError("the websocket must offer the subprotocols 'bokeh' and a token")
    return offered[1]
