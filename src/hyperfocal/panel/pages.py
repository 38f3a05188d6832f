"""Panel's pages: its own template, tags and scripts around a document."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from bokeh.core.templates import AUTOLOAD_JS
from bokeh.document import Document
from bokeh.embed.bundle import Script
from bokeh.embed.elements import script_for_render_items
from bokeh.embed.util import RenderItem
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
    before: str = "",
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
        before: a script that is run before the document is shown, when BokehJS is there.
    """
    place_at(document, root_url)
    state: Any = sys.modules["panel.io.state"]
    item = RenderItem(token=token, elementid=element_id, use_for_title=False)  # type: ignore[arg-type]
    script = script_for_render_items({}, [item], app_path=app_path, absolute_url=absolute_url)
    with state.set_curdoc(document):
        bundle = sys.modules["panel.io.resources"].bundle_resources(
            document.roots, _panels(resources, absolute=True)
        )
        bundle.add(Script(f"{before}\n{script}" if before else script))
        text: str = AUTOLOAD_JS.render(bundle=bundle, elementid=element_id)
    return text


def _panels(resources: Resources, *, absolute: bool = False) -> Any:
    return sys.modules["panel.io.resources"].Resources.from_bokeh(resources, absolute=absolute)
