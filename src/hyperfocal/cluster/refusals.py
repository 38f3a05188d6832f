"""What people and scripts are told when the process that they need cannot answer."""

from __future__ import annotations

from hyperfocal.cluster.targets import Kind, Target
from hyperfocal.pages import failure_script, notice_page
from hyperfocal.web.exchange import Refusal

__all__ = ("away", "busy")

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


def busy(target: Target) -> Refusal:
    """The process takes no more."""
    return _refusal(
        target, "Please come back in a moment", "This server is busy: what you ask for has to wait."
    )


def _refusal(target: Target, title: str, text: str) -> Refusal:
    if target.kind is Kind.PAGE:
        html = notice_page(title, f"{text} This page tries again by itself in some seconds.")
        return Refusal(html.encode(), "text/html; charset=utf-8", _RETRY_S, is_page=True)
    if target.kind is Kind.SCRIPT:
        script = failure_script(
            f"{title}. {text} Reload the page in some seconds.", target.element_id
        )
        return Refusal(script.encode(), "application/javascript; charset=utf-8", _RETRY_S)
    return Refusal(f"{title}. {text}\n".encode(), "text/plain; charset=utf-8", _RETRY_S)
