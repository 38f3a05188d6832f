"""When somebody imports Panel, the seam is put in place before anybody uses it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from hyperfocal.panel.documents import begin_current
from hyperfocal.panel.replacements import install

__all__ = ("watch",)

_log = logging.getLogger("hyperfocal")
_guard = threading.Lock()


def watch() -> None:
    """Put the seam in place, now or when Panel is imported. Any number of calls count as one."""
    with _guard:
        if any(isinstance(finder, _Finder) for finder in sys.meta_path):
            return
        # Somebody else's thread may be in the middle of importing it.
        module = sys.modules.get("panel")
        if module is None or getattr(module.__spec__, "_initializing", False):
            sys.meta_path.insert(0, _Finder())
            return
    _arrived()


def _arrived() -> None:
    try:
        fresh = install()
    except (AttributeError, ImportError) as error:
        version = getattr(sys.modules["panel"], "__version__", "?")
        _log.warning("Panel %s is unknown, its applications may not work: %s", version, error)
        return
    if fresh:
        begin_current()


class _Finder(MetaPathFinder):
    """Finds ``panel`` where the others do, and has a word with its loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See ``importlib``."""
        if fullname != "panel":
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(self, spec.loader)
                return spec
        return None


class _Loader(Loader):
    """Loads the package as its own loader does, then puts the seam in place."""

    def __init__(self, finder: _Finder, own: Any) -> None:
        self._finder = finder
        self._own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See ``importlib``."""
        made: ModuleType | None = self._own.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """See ``importlib``."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._own
        self._own.exec_module(module)
        # Others who import it wait for this, too: the lock of the import is still held.
        _arrived()
        with _guard:
            if self._finder in sys.meta_path:
                sys.meta_path.remove(self._finder)
