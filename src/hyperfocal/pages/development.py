"""What pages have in addition while somebody is working on their application."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from hyperfocal.pages.templating import source

__all__ = ("RESTORE", "DevelopedPage", "with_development")

#: The argument with which a page asks for what was set in the session before.
RESTORE = "hyperfocal-restore"


@dataclass(frozen=True, slots=True)
class DevelopedPage:
    """What a page tells of itself when it connects.

    Attributes:
        url: the URL path of its application.
        session_id: its session, or that of the page before one that failed; empty: there is none.
        generation: how often its application had been replaced before the page was made.
    """

    url: str
    session_id: str
    generation: int

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> DevelopedPage:
        """The page whose script has connected with these arguments."""
        generation = arguments.get("generation", "")[:9]  # more digits than any page has
        return cls(
            arguments.get("url", ""),
            arguments.get("session_id", ""),
            int(generation) if generation.isdecimal() else 0,
        )


def with_development(html: str, channel: str, page: DevelopedPage) -> str:
    """The page with a script that reloads it, and shows what fails.

    Args:
        html: the page.
        channel: the URL of the websocket that tells of both.
        page: what it is.
    """
    told = json.dumps({"channel": channel, "page": asdict(page), "restore": RESTORE})
    script = source("development.js").replace("TOLD", told.replace("<", "\\u003c"))
    before, end, behind = html.rpartition("</body>")
    tag = f"<script>\n{script}</script>\n"
    return f"{before}{tag}{end}{behind}" if end else f"{html}{tag}"
