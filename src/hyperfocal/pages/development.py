"""What pages have in addition while somebody is working on their application."""

from __future__ import annotations

import json

from hyperfocal.pages.templating import source

__all__ = ("RESTORE", "with_development")

#: The argument with which a page asks for what was set in the session before.
RESTORE = "hyperfocal-restore"


def with_development(html: str, channel: str, session_id: str) -> str:
    """The page with a script that reloads it, and shows what fails.

    Args:
        html: the page.
        channel: the URL of the websocket that tells of both.
        session_id: the page's session; empty for a page that has none.
    """
    told = json.dumps({"channel": channel, "session": session_id, "restore": RESTORE})
    script = source("development.js").replace("TOLD", told.replace("<", "\\u003c"))
    before, end, behind = html.rpartition("</body>")
    tag = f"<script>\n{script}</script>\n"
    return f"{before}{tag}{end}{behind}" if end else f"{html}{tag}"
