"""The files that applications come from, for those who are working on them."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from hyperfocal.document import forget_models

__all__ = ("Sources",)

#: Beside an application, these are not the work of whoever writes it.
_FOREIGN = ("site-packages", "dist-packages")
_OURS = Path(__file__).parents[1]


class Sources:
    """Knows which applications a changed file belongs to.

    Args:
        paths: where each application comes from, by URL path: a script, a notebook or a folder.
        more: further files and folders, which belong to all of them.
    """

    def __init__(self, paths: Mapping[str, Path], more: Iterable[str | Path] = ()) -> None:
        self._paths = {url: path.resolve() for url, path in paths.items()}
        self._more = [Path(path).resolve() for path in more]
        self._started_in = Path.cwd()
        self._told: dict[Path, float] = {}  # what is known, and when it was written
        self._local: dict[str, Path | None] = {}  # where modules lie, if they belong to these
        self.news(self.written_since(0.0))

    def folders(self) -> tuple[set[Path], set[Path]]:
        """What has to be watched: folders with all that is in them, and folders alone."""
        every = {*self._paths.values(), *self._more}
        deep = {path for path in every if path.is_dir()}
        flat = {path.parent for path in every - deep}
        flat |= {path.parent for path in self._modules().values()}
        return deep, {
            folder for folder in flat if not any(folder.is_relative_to(one) for one in deep)
        }

    def written_since(self, moment: float) -> set[Path]:
        """The files that have been written since then, in seconds of Unix time."""
        from watchfiles import Change, DefaultFilter

        counts = DefaultFilter()
        deep, _ = self.folders()
        files = {*self._paths.values(), *self._more, *self._modules().values()}
        for folder in deep:
            files.update(folder.rglob("*"))
        return {
            path
            for path in files
            if _written_at(path) >= moment and path.is_file() and counts(Change.modified, str(path))
        }

    def news(self, changed: Iterable[Path]) -> set[Path]:
        """Those files of which nobody knows yet that they are as they are now.

        What is there at the beginning is known.
        """
        new: set[Path] = set()
        for path in changed:
            written_at = _written_at(path)
            if self._told.get(path) != written_at:
                self._told[path] = written_at
                new.add(path)
        return new

    def concerned(self, changed: Iterable[Path]) -> list[str]:
        """The URL paths of the applications to which one of these files belongs."""
        files = {path.resolve() for path in changed}
        if not files.isdisjoint(self._modules().values()) or any(
            path.is_relative_to(one) for path in files for one in self._more
        ):
            return list(self._paths)
        return [
            url
            for url, source in self._paths.items()
            if any(path == source or path.is_relative_to(source) for path in files)
        ]

    def forget_modules(self) -> None:
        """Have the modules that belong to the applications be imported anew."""
        names = set(self._modules())
        forget_models(names)
        for name in names:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        linecache.checkcache()

    def _modules(self) -> dict[str, Path]:
        """The modules that come from beside the applications, or from the working directory."""
        found: dict[str, Path] = {}
        known = self._local
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name == "__main__" or not isinstance(file, str) or not file.endswith(".py"):
                continue
            if file not in known:
                known[file] = self._local_path(file)
            path = known[file]
            if path is not None:
                found[name] = path
        return found

    def _local_path(self, file: str) -> Path | None:
        """Where this module lies, if it belongs to the applications."""
        path = Path(file).resolve()
        roots = {self._started_in, *(path.parent for path in self._paths.values())}
        if (
            any(path.is_relative_to(root) for root in roots)
            and not path.is_relative_to(_OURS)
            and not any(part in _FOREIGN for part in path.parts)
            and path not in self._paths.values()
        ):
            return path
        return None


def _written_at(path: Path) -> float:
    """Seconds of Unix time. What is copied with its time counts from when it came.

    Returns:
        0 for what is not there.
    """
    try:
        found = path.stat()
    except OSError:
        return 0.0
    return max(found.st_mtime, found.st_ctime)
