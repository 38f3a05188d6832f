"""The virtual environments of the peers, each built on demand from its lock file."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ("ROOT", "Environments", "MissingPeerError")

ROOT = Path(__file__).parents[1]
_LOCKS = Path(__file__).parent / "requirements"


class MissingPeerError(Exception):
    """A peer cannot be measured here; the message says why."""


def _least_python(name: str) -> str | None:
    """The Python that a peer needs at least, where ours may be too old: its ``.in`` says so."""
    asked = _LOCKS / f"{name}.in"
    text = asked.read_text(encoding="utf-8") if name and asked.exists() else ""
    said = re.match(r"# Python ([\d.]+):", text)
    return said[1] if said else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _version(python: str) -> str | None:
    """The release of a Python, as in ``3.13``; ``None``: it does not run."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout.strip()


def _newest_python(least: str) -> str | None:
    """A Python of at least this release, the newest of those in ``PATH`` and pyenv's."""
    found: dict[str, str] = {}
    for python in (sys.executable, *_pythons()):
        version = _version(python)
        if version is not None and _numbers(version) >= _numbers(least):
            found.setdefault(version, python)
    return found[max(found, key=_numbers)] if found else None


def _pythons() -> Iterator[str]:
    for minor in range(12, 15):  # those that tools/make-venv takes
        python = shutil.which(f"python3.{minor}")
        if python is not None:
            yield python
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from map(str, sorted(pyenv.glob("versions/3.1[2-4].*/bin/python")))


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
        least = _least_python(name)
        if not name or self.in_place:
            if importlib.util.find_spec(module) is None:
                raise MissingPeerError(f"{module} is not installed in {sys.prefix}")
            if least is not None:
                raise MissingPeerError(f"{name} is never this environment's: it needs its lock")
            return sys.executable
        if name in self._failures:
            raise MissingPeerError(self._failures[name])
        lock = _LOCKS / f"{name}.lock"
        base = sys.executable if least is None else _newest_python(least)
        if base is None:
            self._failures[name] = f"there is no Python {least} or newer here"
            raise MissingPeerError(self._failures[name])
        version = _version(base)
        digest = f"{version} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
        built, python = self.folder / f"{name}.built", self.folder / name / "bin" / "python"
        if python.exists() and built.exists() and built.read_text() == digest:
            return str(python)
        print(f"Installing {name} from {lock.relative_to(ROOT)}", file=sys.stderr)
        self.folder.mkdir(parents=True, exist_ok=True)
        built.unlink(missing_ok=True)
        done = subprocess.run(
            [ROOT / "tools" / "make-venv", self.folder / name, lock],
            env={**os.environ, "PYTHON": base},
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
