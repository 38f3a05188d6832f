"""Pages that say why there is nothing else to see."""

from __future__ import annotations

import json

from hyperfocal.errors import BuildError
from hyperfocal.pages.templating import render

__all__ = ("failure_page", "failure_script", "notice_page")


def failure_page(error: BuildError, *, dev: bool) -> str:
    """What a person sees of an application that failed; the traceback in development mode only."""
    return render(
        "notice.html",
        title="This application could not be started",
        text=(
            "It failed while it was preparing your page. The details are in the server's log. "
            "You can try again; if it fails again, please tell whoever runs it."
        ),
        detail=f"{error.summary}\n\n{error.detail}".strip() if dev else "",
    )


def notice_page(title: str, text: str) -> str:
    """A page with a heading and a sentence."""
    return render("notice.html", title=title, text=text, detail="")


def failure_script(text: str, element_id: str) -> str:
    """The same for a page that embeds an application: the message appears in its place."""
    message = json.dumps(text).replace("<", "\\u003c")
    element = json.dumps(element_id).replace("<", "\\u003c")
    return (
        f"(() => {{ const place = document.getElementById({element}); "
        f"console.error({message}); "
        f"if (place) {{ const p = document.createElement('p'); p.setAttribute('role', 'alert'); "
        f"p.textContent = {message}; place.replaceWith(p); }} }})();"
    )
