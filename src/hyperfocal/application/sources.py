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

    def folders(self) -> tuple[set[Path], set[Path]]:
        """What has to be watched: folders with all that is in them, and folders alone."""
        every = {*self._paths.values(), *self._more}
        deep = {path for path in every if path.is_dir()}
        flat = {path.parent for path in every - deep}
        flat |= {path.parent for path in self._modules().values()}
        return deep, {
            folder for folder in flat if not any(folder.is_relative_to(one) for one in deep)
        }

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
        roots = {Path.cwd(), *(path.parent for path in self._paths.values())}
        found: dict[str, Path] = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name == "__main__" or not isinstance(file, str) or not file.endswith(".py"):
                continue
            path = Path(file).resolve()
            if (
                any(path.is_relative_to(root) for root in roots)
                and not path.is_relative_to(_OURS)
                and not any(part in _FOREIGN for part in path.parts)
                and path not in self._paths.values()
            ):
                found[name] = path
        return found
