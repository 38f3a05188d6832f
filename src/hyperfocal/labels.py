"""What sessions are called where people, and other programs, may read it."""

from __future__ import annotations

import hashlib

__all__ = ("session_label",)


def session_label(session_id: str) -> str:
    """What logs, events and reports call a session: twelve hexadecimal digits.

    They follow from its id. Whoever has the id may join the session, and nobody gets back from the
    label to an id that was made at random.
    """
    digest = hashlib.sha256(session_id.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:12]
