"""The targets by name, and where their inputs are kept."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

__all__ = ("CORPUS", "REGRESSIONS", "TARGETS", "inputs", "load")

TARGETS = ("decoder", "patches", "tokens", "websocket")

_HERE = Path(__file__).parent
#: One folder of inputs per target that lead to different places in the code.
CORPUS = _HERE / "corpus"
#: The same for inputs that once broke something.
REGRESSIONS = _HERE / "regressions"


def load(name: str) -> Callable[[bytes], None]:
    """The function of a target."""
    run: Callable[[bytes], None] = import_module(f"tests.fuzz.{name}").run
    return run


def inputs(folder: Path, name: str) -> list[Path]:
    """The files of a target, in a folder of the above."""
    return sorted(path for path in (folder / name).glob("*") if path.is_file())
