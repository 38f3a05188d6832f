"""Panel's pages: its own template, tags and scripts around a document."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from bokeh.document import Document
from bokeh.resources import Resources

from hyperfocal.panel.documents import place_at

__all__ = ("panel_autoload_script", "panel_page")


def panel_page(document: Document, token: str, resources: Resources) -> str:
    """The HTML of the page of a document of Panel's. Read the document in a turn.

    Args:
        document: whose roots, title, template and template variables make the page.
        token: lets the page open its websocket.
        resources: where BokehJS and extensions are.
    """
    server: Any = sys.modules["panel.io.server"]
    state: Any = sys.modules["panel.io.state"]
    with state.set_curdoc(document):
        html: str = server.server_html_page_for_session(
            SimpleNamespace(document=document, token=token),
            resources=_panels(resources),
            title=document.title,
            token=token,
            template=document.template,
            template_variables=document.template_variables,
        )
    return html


def panel_autoload_script(
    document: Document,
    token: str,
    resources: Resources,
    element_id: str,
    *,
    root_url: str,
    app_path: str,
    absolute_url: str | None,
) -> str:
    """The script that shows the document in an element of somebody else's page. In a turn.

    Args:
        document: of which the script shows the roots.
        token: lets the page open its websocket.
        resources: where BokehJS and extensions are.
        element_id: the element to show the document in.
        root_url: where the server's URLs begin, as the page sees them, with a slash at the end.
        app_path: the application's URL path, as the page sees it.
        absolute_url: the application's whole URL, for a page of another origin.
    """
    place_at(document, root_url)
    server: Any = sys.modules["panel.io.server"]
    state: Any = sys.modules["panel.io.state"]
    with state.set_curdoc(document):
        script: str = server.autoload_js_script(
            document,
            _panels(resources, absolute=True),
            token,
            element_id,
            app_path,
            absolute_url,
            absolute=True,
        )
    return script


def _panels(resources: Resources, *, absolute: bool = False) -> Any:
    return sys.modules["panel.io.resources"].Resources.from_bokeh(resources, absolute=absolute)
