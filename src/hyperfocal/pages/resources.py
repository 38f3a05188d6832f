"""BokehJS and the bundles of extensions: where they lie, and the URLs under which pages ask."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bokeh.embed.bundle import Bundle, bundle_for_objs_and_resources, extension_dirs
from bokeh.model import Model
from bokeh.resources import Resources
from bokeh.settings import settings
from bokeh.util.paths import bokehjs_path

__all__ = ("StaticFiles",)


class StaticFiles:
    """The static files that pages need, and the bundle of tags that asks for them.

    Pages ask for files under ``<root>static/``, with a ``?v=`` that changes with the content, so
    that browsers may keep them for ever.
    """

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        self._bundles: dict[tuple[str, str, int], Bundle] = {}

    @property
    def bokehjs(self) -> Path:
        """The folder behind ``static/``."""
        return Path(bokehjs_path())

    def extension(self, name: str) -> Path | None:
        """The folder behind ``static/extensions/<name>/``, once a page has asked for it."""
        folder = extension_dirs.get(name)
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

    def bundle(self, root_url: str) -> Bundle:
        """The tags for a page.

        Args:
            root_url: where ``static/`` lies, with a slash at the end: a path such as ``/`` or
                ``/apps/``, or a whole URL for a page of another origin.
        """
        mode = settings.resources("server")
        # Importing an extension (Panel, say) registers models and so adds a file to the bundle.
        key = (mode, root_url, len(Model.model_class_reverse_map))
        bundle = self._bundles.get(key)
        if bundle is None:
            if mode == "server":
                resources = Resources(mode="server", root_url=root_url, path_versioner=self.version)
            else:
                resources = Resources(mode=mode)
            bundle = bundle_for_objs_and_resources(None, resources)
            if len(self._bundles) > 64:
                self._bundles.clear()
            self._bundles[key] = bundle
        return bundle
