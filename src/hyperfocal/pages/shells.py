"""What is the same in all pages: rendered once by Bokeh's templates, with blanks for the rest.

The blanks are found by rendering with marks in their places, so that a page is byte for byte what
Bokeh's own functions make of the same values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from bokeh.core.json_encoder import serialize_json
from bokeh.core.templates import AUTOLOAD_JS
from bokeh.embed.bundle import Bundle
from bokeh.embed.elements import html_page_for_render_items
from bokeh.embed.util import RenderItem
from bokeh.util.serialization import make_globally_unique_css_safe_id
from jinja2.filters import do_indent
from markupsafe import escape

__all__ = ("Form", "PageShell", "autoload_form", "fill_autoload", "page_shell", "with_viewport")

_CHARSET = re.compile(r"<meta charset=[^>]*>\s*")
_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">\n    '


def with_viewport(page: str) -> str:
    """The page, as wide as the screen of a phone.

    Without such a tag, which Bokeh's templates do not have, phones show pages as if they were 980
    pixels wide. A page that has one keeps it.
    """
    if 'name="viewport"' in page.partition("</head>")[0]:
        return page
    found = _CHARSET.search(page)
    return f"{page[: found.end()]}{_VIEWPORT}{page[found.end() :]}" if found else page


class Form:
    """A text with named blanks.

    Args:
        text: the pieces between the blanks, one more than there are blanks.
        blanks: the names of the blanks, in order.
    """

    def __init__(self, text: Sequence[str], blanks: Sequence[str]) -> None:
        self._text = text
        self._blanks = blanks

    @classmethod
    def parse(cls, text: str, *names: str) -> Form:
        """A form from text that holds ``_MARKS`` where its blanks are."""
        marks = {_MARKS[name]: name for name in names}
        # Text and marks take turns.
        pieces = re.split(f"({'|'.join(map(re.escape, marks))})", text)
        return cls(pieces[::2], [marks[mark] for mark in pieces[1::2]])

    def split(self, name: str) -> tuple[Form, Form]:
        """What is before a blank that is there once, and the rest, with it."""
        at = self._blanks.index(name)
        return (
            Form(self._text[: at + 1], self._blanks[:at]),
            Form(["", *self._text[at + 1 :]], self._blanks[at:]),
        )

    def fill(self, **values: str) -> str:
        """The text with these values in its blanks."""
        filled = [self._text[0]]
        for name, text in zip(self._blanks, self._text[1:], strict=True):
            filled += (values[name], text)
        return "".join(filled)


class _Root(NamedTuple):
    """What Bokeh's templates read of a document's root."""

    id: str
    name: str | None = None
    tags: Iterable[str] = ()


_MARKS = {
    name: f"hyperfocal-{name}-blank"
    for name in ("scripts", "styles", "title", "items", "json_id", "divs", "element", "root")
}


class PageShell:
    """Bokeh's default page around the values of one document."""

    def __init__(self) -> None:
        bare = self._render({})
        rooted = self._render({_Root(_MARKS["root"]): _MARKS["element"]})
        # What comes with a root is a piece that is repeated for each. It does not matter which
        # of the characters around it that are alike are counted as its own.
        pairs = enumerate(zip(bare, rooted, strict=False))
        begin = next(at for at, (one, other) in pairs if one != other)
        end = begin + len(rooted) - len(bare)
        self._div = Form.parse(rooted[begin:end], "element", "root")
        page = bare[:begin] + _MARKS["divs"] + bare[begin:]
        whole = Form.parse(page, "scripts", "styles", "title", "items", "json_id", "divs")
        self._head, self._rest = whole.split("divs")

    @staticmethod
    def _render(roots: dict[Any, Any]) -> str:
        item = RenderItem(token="-", roots=roots)
        page = with_viewport(
            html_page_for_render_items(
                (_MARKS["scripts"], _MARKS["styles"]), {}, [item], _MARKS["title"]
            )
        )
        found = re.search(r'<script type="application/json" id="([\w-]+)">', page)
        assert found is not None
        return page.replace(found[1], _MARKS["json_id"]).replace(_json(item), _MARKS["items"])

    def head(self, scripts: str, styles: str, title: str) -> str:
        """The beginning of the page, up to the body: what does not depend on the document.

        Args:
            scripts: the tags for scripts.
            styles: the tags for style sheets.
            title: the document's title, not empty.
        """
        return self._head.fill(scripts=scripts, styles=styles, title=escape(title))

    def rest(self, item: RenderItem) -> str:
        """What follows the head: the places of the roots, and what shows the document there.

        Args:
            item: token and roots of the document.
        """
        fill_div = self._div.fill
        divs = [fill_div(element=at, root=root) for root, at in item.roots.to_json().items()]
        return self._rest.fill(
            items=_json(item), json_id=make_globally_unique_css_safe_id(), divs="".join(divs)
        )


@cache
def page_shell(dev: bool) -> PageShell:
    """The shell of pages with Bokeh's default template, with or without ``settings.dev``."""
    return PageShell()


def autoload_form(bundle: Bundle) -> Form:
    """Bokeh's autoload script, to be filled by ``fill_autoload``. Adds a script to the bundle."""
    bundle.js_raw.append(_MARKS["scripts"])
    text = AUTOLOAD_JS.render(bundle=bundle, elementid=_MARKS["element"])
    return Form.parse(text, "scripts", "element")


def fill_autoload(form: Form, script: str, element_id: str) -> str:
    """The autoload script.

    Args:
        form: what ``autoload_form`` gave.
        script: what shows the document.
        element_id: where; letters, digits and ``.:_-`` only.
    """
    # As far as the template indents the scripts of its bundle.
    return form.fill(scripts=do_indent(script, 6), element=element_id)


def _json(item: RenderItem) -> str:
    return serialize_json([item.to_json()], pretty=False)
