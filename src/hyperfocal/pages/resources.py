"""BokehJS and the bundles of extensions: where they lie, and the URLs under which pages ask."""

from __future__ import annotations

import hashlib
import re
import weakref
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bokeh.embed.bundle import Bundle, bundle_for_objs_and_resources, extension_dirs
from bokeh.model import Model
from bokeh.resources import Resources
from bokeh.settings import settings
from bokeh.util.paths import bokehjs_path

from hyperfocal.pages.shells import Form, autoload_form

__all__ = ("PageBundle", "StaticFiles", "publish_extensions")

_MAX_BUNDLES = 64


@dataclass(frozen=True, slots=True, eq=False)
class PageBundle:
    """What loads BokehJS and its extensions.

    Attributes:
        scripts: the tags for scripts.
        styles: the tags for style sheets.
        autoload: the autoload script without what is particular to a session.
        resources: where all that is; ``None`` for a bundle of nothing.
    """

    scripts: str
    styles: str
    autoload: Form
    resources: Resources | None = None

    @classmethod
    def of(cls, bundle: Bundle, resources: Resources | None = None) -> PageBundle:
        """What Bokeh's bundle renders to."""
        scripts, styles = bundle
        own = copy(bundle)
        own.js_raw = list(bundle.js_raw)  # a script is about to be added
        return cls(scripts, styles, autoload_form(own), resources)


class _KnownModels:
    """The classes of models that were known at some moment, and whether they still are.

    A bundle holds the files and code of all of them. Classes of others, which come with an import
    or with a session's script and go with it, are not kept alive. Bokeh's own come first and stay.
    """

    def __init__(self) -> None:
        models = _known_models()
        first = next((at for at, model in enumerate(models) if not _is_bokehs(model)), len(models))
        self._bokehs = models[:first]
        self._others = [weakref.ref(model) for model in models[first:]]

    def are(self, models: list[type[Any]]) -> bool:
        """Whether these are the same classes."""
        first = len(self._bokehs)
        return models[:first] == self._bokehs and models[first:] == [
            model() for model in self._others
        ]


#: Where Panel's files are, on this server or elsewhere.
_PANELS = re.compile(r"/extensions/panel/|cdn\.holoviz\.org/panel/|@holoviz/panel@")


def _without_panel(bundle: Bundle) -> Bundle:
    """A bundle without the files of Panel, whose documents bring tags of their own.

    Otherwise an application that imports Panel would have the pages of all others load its files,
    some of them from its CDN.
    """
    own = copy(bundle)
    own.js_files = [file for file in bundle.js_files if not _PANELS.search(f"/{file}")]
    own.css_files = [file for file in bundle.css_files if not _PANELS.search(f"/{file}")]
    return own


def _known_models() -> list[type[Any]]:
    return list(Model.model_class_reverse_map.values())


def _is_bokehs(model: type[Any]) -> bool:
    return model.__module__.startswith("bokeh.")


class SharedFolders(Protocol):
    """The folders of extensions that pages of any process ask for, where there are several."""

    def publish_folder(self, name: str, path: Path) -> None:
        """A page of this process asks for an extension's files in this folder."""
        ...

    def find_folder(self, name: str) -> Path | None:
        """The folder for which a page of some process has asked."""
        ...


def publish_extensions(shared: SharedFolders) -> None:
    """Have other processes know the folders of extensions that are known here."""
    for name, folder in extension_dirs.items():
        shared.publish_folder(name, Path(folder))


class StaticFiles:
    """The static files that pages need, and the bundle of tags that asks for them.

    Pages ask for files under ``<root>static/``, with a ``?v=`` that changes with the content, so
    that browsers may keep them for ever.

    Args:
        shared: what other processes know of extensions, where there are any.
    """

    def __init__(self, shared: SharedFolders | None = None) -> None:
        self._shared = shared
        self._versions: dict[str, str] = {}
        self._known = _KnownModels()
        self._bundles: dict[tuple[str, bool, str], PageBundle] = {}

    @property
    def bokehjs(self) -> Path:
        """The folder behind ``static/``."""
        return Path(bokehjs_path())

    def extension(self, name: str) -> Path | None:
        """The folder behind ``static/extensions/<name>/``, once a page has asked for it."""
        folder = extension_dirs.get(name)
        if folder is None and self._shared is not None:
            return self._shared.find_folder(name)
        return Path(folder) if folder is not None else None

    def version(self, path: str) -> str:
        """The path with the version of its content (the form that Bokeh's resources expect)."""
        if path not in self._versions:
            try:
                digest = hashlib.sha256((self.bokehjs / path).read_bytes()).hexdigest()[:20]
            except OSError:
                return path
            self._versions[path] = digest
        return f"{path}?v={self._versions[path]}"

    def bundle(self, root_url: str) -> PageBundle:
        """The tags for a page; made anew when the classes of models that are known have changed.

        Args:
            root_url: where ``static/`` lies, with a slash at the end: a path such as ``/`` or
                ``/apps/``, or a whole URL for a page of another origin.
        """
        # Importing an extension (Panel, say) registers models and so adds a file to the bundle;
        # a script may define models with code of their own.
        if not self._known.are(_known_models()):
            self._known = _KnownModels()
            self._bundles.clear()
        mode = settings.resources(default="server")
        key = (mode, settings.dev, root_url)
        bundle = self._bundles.get(key)
        if bundle is None:
            if mode.startswith("server"):
                resources = Resources(mode=mode, root_url=root_url, path_versioner=self.version)
            else:
                resources = Resources(mode=mode)
            tags = _without_panel(bundle_for_objs_and_resources(None, resources))
            bundle = PageBundle.of(tags, resources)
            if self._shared is not None:
                publish_extensions(self._shared)
            if len(self._bundles) >= _MAX_BUNDLES:
                self._bundles.clear()
            self._bundles[key] = bundle
        return bundle
