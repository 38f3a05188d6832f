"""The page of an application, and the script that puts it into somebody else's page."""

from __future__ import annotations

from functools import cache, lru_cache

from bokeh.core.templates import FILE, get_env
from bokeh.document import Document
from bokeh.embed.bundle import Bundle
from bokeh.embed.elements import html_page_for_render_items, script_for_render_items
from bokeh.embed.util import RenderItem
from bokeh.settings import settings
from jinja2 import Template

from hyperfocal.pages.resources import PageBundle
from hyperfocal.pages.shells import fill_autoload, page_shell, with_viewport
from hyperfocal.panel import is_panels, panel_page

__all__ = ("autoload_script", "document_page", "is_plain", "page_head", "page_rest")


def document_page(document: Document, token: str, bundle: PageBundle) -> str:
    """The HTML of an application's page. Read the document in a turn.

    Args:
        document: whose roots, title, template and template variables make the page.
        token: lets the page open its websocket.
        bundle: the tags for BokehJS.
    """
    if is_plain(document):
        return page_head(document.title, bundle) + page_rest(document, token)
    if is_panels(document) and bundle.resources is not None:
        return with_viewport(panel_page(document, token, bundle.resources))
    item = RenderItem(token=token, roots=document.roots, use_for_title=True)
    template, title = document.template, document.title
    page = html_page_for_render_items(
        (bundle.scripts, bundle.styles),
        {},
        [item],
        title,
        template=_compiled(template) if isinstance(template, str) else template,
        template_variables=document.template_variables,
    )
    return with_viewport(page)


def is_plain(document: Document) -> bool:
    """Whether a document's page is Bokeh's default one, of which the head can be sent before."""
    if document.template is not FILE or not document.title:  # that template reads no variables
        return False
    return not is_panels(document)


def page_head(title: str, bundle: PageBundle) -> str:
    """The head of a plain document's page. BokehJS replaces the title by the document's own."""
    return page_shell(settings.dev).head(bundle.scripts, bundle.styles, title)


def page_rest(document: Document, token: str) -> str:
    """What follows the head. Read the document in a turn."""
    item = RenderItem(token=token, roots=document.roots, use_for_title=True)
    return page_shell(settings.dev).rest(item)


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    """A template that a document gives as text, as Bokeh understands it."""
    return get_env().from_string("{% extends base %}\n" + template)


def autoload_script(
    token: str,
    element_id: str,
    bundle: PageBundle | None,
    *,
    app_path: str,
    absolute_url: str | None,
    before: str = "",
) -> str:
    """The script that loads BokehJS into a page and shows the document in one of its elements.

    Args:
        token: lets the page open its websocket.
        element_id: the element to show the document in: letters, digits and ``.:_-``.
        bundle: what to load; ``None`` where the page has BokehJS already.
        app_path: the application's URL path, as the page sees it.
        absolute_url: the application's whole URL, for a page of another origin.
        before: a script that is run first, when BokehJS is there.
    """
    item = RenderItem(token=token, elementid=element_id, use_for_title=False)  # type: ignore[arg-type]
    script = script_for_render_items({}, [item], app_path=app_path, absolute_url=absolute_url)
    if before:
        script = f"{before}\n{script}"
    loads = bundle if bundle is not None else _nothing()
    return fill_autoload(loads.autoload, script, element_id)


@cache
def _nothing() -> PageBundle:
    return PageBundle.of(Bundle())
