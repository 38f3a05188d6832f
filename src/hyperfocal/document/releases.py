"""Which releases of Bokeh are known so well that their slow parts can be done otherwise."""

from __future__ import annotations

__all__ = ("RELEASES",)

#: Those on which ``tests/document/test_encoding_equality.py`` and ``test_acceleration.py`` pass.
RELEASES = frozenset({"3.9.2"})
