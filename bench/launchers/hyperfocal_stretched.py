"""``hyperfocal``, with a scheduler that is as slow as everything is in Callgrind.

The scheduler looks every few milliseconds at what runs. There it would do so several times in one
round trip, which it does not elsewhere. Arguments: those of ``hyperfocal``.
"""

from __future__ import annotations

from hyperfocal.cli import main
from hyperfocal.engine import crew, threads

#: So many times as long everything takes.
_STRETCH = 50

if __name__ == "__main__":
    for module in (crew, threads):
        for name in ("LOOK_S", "PATIENCE_S", "LIMIT_S", "LASTING_S", "_COLLECT_S"):
            if hasattr(module, name):
                setattr(module, name, getattr(module, name) * _STRETCH)
    main(prog_name="hyperfocal")
