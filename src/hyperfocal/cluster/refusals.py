"""What people and scripts are told when the process that they need cannot answer."""

from __future__ import annotations

from hyperfocal.cluster.targets import Kind, Target
from hyperfocal.pages import failure_script, notice_page
from hyperfocal.web.exchange import Refusal

__all__ = ("away", "busy", "crashed")

_RETRY_S = 3


def away(target: Target, *, isolated: bool) -> Refusal:
    """The process has died, and will be there again after some time.

    Args:
        target: what was asked for.
        isolated: it is an application's own, and has died again and again.
    """
    if isolated:
        title = "This application stopped unexpectedly"
        text = "It is being started again."
    else:
        title = "A part of this server stopped unexpectedly"
        text = "It is being started again."
    return _refusal(target, title, text)


def crashed(target: Target) -> Refusal | None:
    """An application's own process has died while it had this request.

    Returns:
        ``None`` for what needs no words: BokehJS tries again by itself, and nobody reads a file.
    """
    if target.kind in (Kind.WEBSOCKET, Kind.COMPONENT):
        return None
    return _refusal(
        target,
        "This application stopped unexpectedly",
        "That happened while it was preparing your page. It is being started again; the details "
        "are in the server's log. Reload the page to try again; if it stops again, please tell "
        "whoever runs it.",
        again="",
    )


def busy(target: Target) -> Refusal:
    """The process takes no more."""
    return _refusal(
        target, "Please come back in a moment", "This server is busy: what you ask for has to wait."
    )


_AGAIN = "This page tries again by itself in some seconds."


def _refusal(target: Target, title: str, text: str, again: str = _AGAIN) -> Refusal:
    if target.kind is Kind.PAGE:
        html = notice_page(title, f"{text} {again}".rstrip())
        return Refusal(html.encode(), "text/html; charset=utf-8", _RETRY_S, refreshes=bool(again))
    if target.kind is Kind.SCRIPT:
        again = "Reload the page in some seconds." if again else ""
        script = failure_script(f"{title}. {text} {again}".rstrip(), target.element_id)
        return Refusal(script.encode(), "application/javascript; charset=utf-8", _RETRY_S)
    return Refusal(f"{title}. {text}\n".encode(), "text/plain; charset=utf-8", _RETRY_S)
