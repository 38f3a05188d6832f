"""The page of an application, and the script that puts it into somebody else's page."""

from __future__ import annotations

from copy import copy

from bokeh.core.templates import AUTOLOAD_JS
from bokeh.document import Document
from bokeh.embed.bundle import Bundle, Script
from bokeh.embed.elements import html_page_for_render_items, script_for_render_items
from bokeh.embed.util import RenderItem

__all__ = ("autoload_script", "document_page")


def document_page(document: Document, token: str, bundle: Bundle) -> str:
    """The HTML of an application's page. Read the document in a turn.

    Args:
        document: whose roots, title, template and template variables make the page.
        token: lets the page open its websocket.
        bundle: the tags for BokehJS.
    """
    item = RenderItem(token=token, roots=document.roots, use_for_title=True)
    return html_page_for_render_items(
        bundle,
        {},
        [item],
        document.title,
        template=document.template,
        template_variables=document.template_variables,
    )


def autoload_script(
    token: str,
    element_id: str,
    bundle: Bundle | None,
    *,
    app_path: str | None,
    absolute_url: str | None,
) -> str:
    """The script that loads BokehJS into a page and shows the document in one of its elements.

    Args:
        token: lets the page open its websocket.
        element_id: the element to show the document in.
        bundle: what to load; ``None`` where the page has BokehJS already.
        app_path: the application's URL path; ``None`` for the page's own path.
        absolute_url: the application's whole URL, for a page of another origin.
    """
    item = RenderItem(token=token, elementid=element_id, use_for_title=False)  # type: ignore[arg-type]
    own = _copy(bundle) if bundle is not None else Bundle()
    own.add(
        Script(script_for_render_items({}, [item], app_path=app_path, absolute_url=absolute_url))
    )
    return AUTOLOAD_JS.render(bundle=own, elementid=element_id)


def _copy(bundle: Bundle) -> Bundle:
    """A bundle of its own: bundles are shared between pages, and a script is about to be added."""
    own = copy(bundle)
    own.js_raw = list(bundle.js_raw)
    return own
