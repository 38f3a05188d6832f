"""What a notebook shows of an application: Bokeh's hooks for notebooks, with a server of ours.

Loading BokehJS and showing plots is left to Bokeh.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias
from urllib.parse import urljoin, urlsplit

from bokeh.embed import server_document
from bokeh.io.notebook import (
    install_notebook_hook,
    load_notebook,
    publish_display_data,
    show_doc,
)
from bokeh.io.state import curstate

__all__ = ("NotebookUrl", "Stoppable", "install_in_notebooks", "notebook_address", "show_in_cell")

#: Where the notebook is, or a function of the server's port that says where browsers find that,
#: and of ``None`` that says which origin their page has.
NotebookUrl: TypeAlias = str | Callable[[int | None], str]

_EXTERNAL_URL, _SERVICE_PREFIX = "JUPYTER_BOKEH_EXTERNAL_URL", "JUPYTERHUB_SERVICE_PREFIX"
#: What Jupyter's extension for Bokeh looks at, to say when the output goes away.
_EXEC = "application/vnd.bokehjs_exec.v0+json"
_NEARBY = ("localhost", "127.0.0.1", "::1")


class Stoppable(Protocol):
    """A server."""

    def stop(self) -> None:
        """End it."""
        ...


class _Shown:
    """A server as Bokeh knows it, which ends it when its output goes away."""

    def __init__(self, server: Stoppable) -> None:
        self._server = server

    def get_sessions(self) -> list[Any]:
        """None to be ended one by one: they end with the server."""
        return []

    def stop(self) -> None:
        """End it."""
        self._server.stop()


def install_in_notebooks(show_app: Callable[..., None]) -> None:
    """Have ``bokeh.io.show`` call this function with an application in a Jupyter notebook."""
    install_notebook_hook("jupyter", load_notebook, show_doc, show_app, overwrite=True)


def notebook_address(notebook_url: NotebookUrl) -> tuple[str, bool, Callable[[int], str]]:
    """Where a notebook is.

    Args:
        notebook_url: as ``bokeh.io.show`` takes it. In JupyterHub, where
            ``JUPYTER_BOKEH_EXTERNAL_URL`` is set, its proxy is used instead.

    Returns:
        the host and port of the notebook's pages; whether browsers on other machines come straight
        to a server of the kernel; and where they find the one with a port.
    """
    external = os.environ.get(_EXTERNAL_URL)
    if external:
        user_url = urljoin(external, os.environ.get(_SERVICE_PREFIX, "/"))
        return urlsplit(external).netloc, False, lambda port: urljoin(user_url, f"proxy/{port}")
    if callable(notebook_url):
        return _without_scheme(notebook_url(None)), False, notebook_url
    parts = urlsplit(notebook_url if "//" in notebook_url else f"http://{notebook_url}")
    host = parts.hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    elsewhere = host not in _NEARBY
    return parts.netloc, elsewhere, lambda port: f"{parts.scheme}://{shown}:{port}/"


def _without_scheme(origin: str) -> str:
    return urlsplit(origin).netloc if "//" in origin else origin


def show_in_cell(url: str, server_id: str, server: Stoppable) -> None:
    """Show an application in the output of the cell that runs.

    Args:
        url: where browsers find it.
        server_id: names its server.
        server: ended when the output goes away, where the notebook says so.
    """
    curstate().uuid_to_server[server_id] = _Shown(server)  # type: ignore[index, assignment]
    # BokehJS is there: output_notebook() has loaded it.
    script = server_document(url, resources=None)
    publish_display_data(
        {"text/html": script, _EXEC: ""}, metadata={_EXEC: {"server_id": server_id}}
    )
