"""Files that custom components bring along: style sheets, scripts and bundles beside their module.

A component's URL names a class and one of its attributes that list files. Only what is listed there
is served, and only of classes that an application has loaded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ("COMPONENT_LISTS", "ComponentFile", "find_component_file")

ComponentFile = Path

#: The attributes in which classes of Panel list files.
COMPONENT_LISTS = frozenset(
    {
        *("__css__", "__javascript__", "__js_module__", "__javascript_modules__"),
        *("_bundle_css", "_bundle_path", "_css", "_js", "_resources", "_stylesheets"),
        *("base_css", "css", "modifiers"),
    }
)


def find_component_file(module: str, name: str, attribute: str, path: str) -> ComponentFile | None:
    """The file behind ``components/<module>/<name>/<attribute>/<path>``.

    Returns:
        ``None`` if there is no such class, or it does not list the file.
    """
    loaded: Any = sys.modules.get(module)
    names = vars(loaded) if isinstance(loaded, ModuleType) else {}
    folder, component = names.get("__file__"), names.get(name)
    if folder is None or attribute not in COMPONENT_LISTS or not _is_component(component):
        return None
    listed: Any = getattr(component, attribute, None)
    if attribute == "_resources":
        kind, _, path = path.partition("/")
        listed = listed.get(kind) if isinstance(listed, Mapping) else None
    base = os.path.dirname(os.path.abspath(folder))
    wanted = _place(base, path)
    if all(_place(base, one) != wanted for one in _paths(listed)) or not os.path.isfile(wanted):
        return None
    return Path(wanted)


def _is_component(thing: Any) -> bool:
    param: Any = sys.modules.get("param")
    return param is not None and isinstance(thing, type) and issubclass(thing, param.Parameterized)


def _place(base: str, path: str) -> str:
    return os.path.normpath(os.path.join(base, path))


def _paths(listed: Any) -> Iterator[str]:
    """All that may be paths in what an attribute holds."""
    if isinstance(listed, str | os.PathLike):
        text = os.fspath(listed)
        if isinstance(text, str) and "\n" not in text and "\0" not in text:
            yield text
    elif isinstance(listed, Mapping):
        for one in listed.values():
            yield from _paths(one)
    elif isinstance(listed, Sequence):
        for one in listed:
            yield from _paths(one)
