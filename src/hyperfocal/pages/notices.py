"""Pages that say why there is nothing else to see."""

from __future__ import annotations

import json

from hyperfocal.errors import BuildError
from hyperfocal.pages.templating import render

__all__ = (
    "doubt_script",
    "failure_page",
    "failure_script",
    "notice_page",
    "waiting_end",
    "waiting_failure",
    "waiting_note",
)

_FAILED = "This application could not be started"
_WHAT_NOW = (
    "It failed while it was preparing your page. The details are in the server's log. "
    "You can try again; if it fails again, please tell whoever runs it."
)


def failure_page(error: BuildError, *, dev: bool) -> str:
    """What a person sees of an application that failed; the traceback in development mode only."""
    detail = f"{error.summary}\n\n{error.detail}".strip() if dev else ""
    return render("notice.html", title=_FAILED, text=_WHAT_NOW, detail=detail)


#: Within the body of a page whose head has been sent. Bokeh's own page has no style for text.
_WAITING = (
    '<p id="hyperfocal-waiting" role="status" style="margin:4rem auto;max-width:40rem;'
    'padding:0 1.5rem;font:16px/1.55 system-ui,sans-serif;color:CanvasText;text-align:center">'
    "{text}</p>\n"
)
_PLACE = "document.getElementById('hyperfocal-waiting')"


def waiting_note(place: int, *, first: bool) -> str:
    """What a page says while its document is not there yet.

    Args:
        place: the visitor's place in the line of those who wait; 0: it is their turn.
        first: nothing has been said before.
    """
    text = "This page is being prepared …"
    if place:
        text = f"Many people are here at the moment. You are number {place} in line …"
    if first:
        return _WAITING.format(text=text)
    return f"<script>{_PLACE}.textContent = {json.dumps(text)};</script>\n"


def waiting_end() -> str:
    """Takes the note away."""
    return f"<script>{_PLACE}.remove();</script>\n"


def waiting_failure() -> str:
    """In a page whose head has been sent: the application has failed."""
    return (
        '<div role="alert" style="margin:4rem auto;max-width:40rem;padding:0 1.5rem;'
        'font:16px/1.55 system-ui,sans-serif;color:CanvasText">'
        f"<h1>{_FAILED}</h1><p>{_WHAT_NOW}</p></div>\n</body>\n</html>\n"
    )


def notice_page(title: str, text: str) -> str:
    """A page with a heading and a sentence."""
    return render("notice.html", title=title, text=text, detail="")


def failure_script(text: str, element_id: str) -> str:
    """The same for a page that embeds an application: the message appears in its place."""
    return _notice_script(text, element_id, "place.replaceWith(p);")


def doubt_script(text: str, element_id: str) -> str:
    """Says in an embedding page why there will be nothing to see; takes it back if there is.

    A proxy may change what makes the server doubt, so that the websocket is taken after all.
    """
    # BokehJS puts another element in this place, which has children when it works.
    return _notice_script(
        text,
        element_id,
        "place.after(p); "
        "const see = new MutationObserver(() => { "
        "if (!p.previousElementSibling?.childElementCount) return; "
        "see.disconnect(); p.remove(); }); "
        "see.observe(p.parentNode, {childList: true, subtree: true});",
    )


def _notice_script(text: str, element_id: str, show: str) -> str:
    """Has a paragraph ``p`` with the text shown by a script that knows the element as ``place``."""
    message = json.dumps(text).replace("<", "\\u003c")
    element = json.dumps(element_id).replace("<", "\\u003c")
    return (
        f"(() => {{ const place = document.getElementById({element}); "
        f"console.error({message}); if (!place) return; "
        f"const p = document.createElement('p'); p.setAttribute('role', 'alert'); "
        f"p.textContent = {message}; {show} }})();"
    )
