"""The virtual environments of the peers, each built on demand from its lock file."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ("ROOT", "Environments", "MissingPeerError")

ROOT = Path(__file__).parents[1]
_LOCKS = Path(__file__).parent / "requirements"


class MissingPeerError(Exception):
    """A peer cannot be measured here; the message says why."""


@dataclass(slots=True)
class Environments:
    """Where the Pythons of the peers are.

    Args:
        folder: holds an environment per lock file; git ignores it.
        in_place: run every peer in this very environment, if it has what the peer needs. For
            tests, which should not install anything.
    """

    folder: Path = ROOT / "build" / "bench" / "peers"
    in_place: bool = False
    _failures: dict[str, str] = field(default_factory=dict[str, str])

    def python(self, name: str, module: str) -> str:
        """The Python of an environment, which is built first where it is missing or outdated.

        Args:
            name: of the environment: ``requirements/<name>.lock``; empty for this one.
            module: what the environment must be able to import.

        Raises:
            MissingPeerError: it cannot be installed.
        """
        if not name or self.in_place:
            if importlib.util.find_spec(module) is None:
                raise MissingPeerError(f"{module} is not installed in {sys.prefix}")
            return sys.executable
        if name in self._failures:
            raise MissingPeerError(self._failures[name])
        lock = _LOCKS / f"{name}.lock"
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        digest = f"{version} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
        built, python = self.folder / f"{name}.built", self.folder / name / "bin" / "python"
        if python.exists() and built.exists() and built.read_text() == digest:
            return str(python)
        print(f"Installing {name} from {lock.relative_to(ROOT)}", file=sys.stderr)
        self.folder.mkdir(parents=True, exist_ok=True)
        built.unlink(missing_ok=True)
        done = subprocess.run(
            [ROOT / "tools" / "make-venv", self.folder / name, lock],
            env={**os.environ, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stdout.strip().splitlines() or [f"status {done.returncode}"]
            self._failures[name] = f"cannot be installed: {lines[-1]}"
            raise MissingPeerError(self._failures[name])
        built.write_text(digest)
        return str(python)
