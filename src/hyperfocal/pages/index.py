"""The page that lists the applications of a server: ours, or one that a template makes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError

from hyperfocal.errors import ConfigError
from hyperfocal.pages.templating import OWN, environment

__all__ = ("Index", "IndexEntry")

#: What Tornado's templates have and Jinja2's have not: a bare ``end``, and these statements.
_TORNADO = re.compile(r"{%-?\s*(end|module|comment|apply|try|while)\b")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One application.

    Attributes:
        href: where it is: a path or URL.
        title: what it is called.
        description: what it says of itself; may be empty.
        thumbnail: where a picture of it is, if there is one.
        path: its URL path, without what the whole server is served under.
    """

    href: str
    title: str
    description: str
    thumbnail: str | None = None
    path: str = ""

    @property
    def initial(self) -> str:
        """What stands on the tile."""
        return next((char for char in self.title if char.isalnum()), "·").upper()

    @property
    def hue(self) -> int:
        """The tile's colour, in degrees; the same at every visit."""
        return hashlib.sha256(self.href.encode()).digest()[0] * 360 // 256


class Index:
    """Makes the index.

    Args:
        template: a file with a Jinja2 template; ``None``: ours. It finds ``entries``, ``root``,
            ``prefix`` and ``items``: see ``page``. It may extend ``hyperfocal/index.html``.

    Raises:
        ConfigError: the file holds no such template.
    """

    def __init__(self, template: str | None = None) -> None:
        self._template: Any = None  # ours is made when somebody asks for the page
        if template is None:
            return
        path = Path(template)
        try:
            text = path.read_text("utf-8")
            self._template = environment(path.absolute().parent).from_string(text)
            self.page([IndexEntry("/name", "Title", "Description", None, "/name")], "/")
        except Exception as error:
            reason = str(error)
            if isinstance(error, TemplateSyntaxError):
                reason = f"line {error.lineno}: {error.message}"
            raise ConfigError(
                "--index", template, f"a Jinja2 template ({reason}{_advice(path)})"
            ) from error

    def page(self, entries: Sequence[IndexEntry], root: str, prefix: str = "") -> str:
        """The HTML of the index.

        Args:
            entries: the applications.
            root: where the server's URLs begin, with a slash at the end.
            prefix: the path under which the server sees itself, without one.
        """
        if self._template is None:
            self._template = environment().get_template(f"{OWN}/index.html")
        # What Bokeh's templates find: the applications' paths, and what is before them.
        items = [entry.path for entry in entries]
        html: str = self._template.render(entries=entries, root=root, items=items, prefix=prefix)
        return html


def _advice(path: Path) -> str:
    """What is wrong, most likely."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    if not _TORNADO.search(text):
        return ""
    return (
        "; this looks like a template in Tornado's language, which `bokeh serve` takes: in Jinja2 "
        "a {% for %} ends with {% endfor %} and an {% if %} with {% endif %}"
    )
