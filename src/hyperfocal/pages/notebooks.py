"""What a notebook shows of an application: Bokeh's hooks for notebooks, with a server of ours.

Loading BokehJS and showing plots is left to Bokeh.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
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

__all__ = (
    "NotebookAddress",
    "NotebookUrl",
    "Stoppable",
    "install_in_notebooks",
    "notebook_address",
    "show_in_cell",
)

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


@dataclass(frozen=True, slots=True)
class NotebookAddress:
    """Where a notebook is.

    Attributes:
        origin: the host and port of the notebook's pages.
        find: where browsers find the server of the kernel that has this port.
        elsewhere: browsers on other machines come straight to it.
        needs_tls: browsers come straight to it, and expect a certificate.
    """

    origin: str
    find: Callable[[int], str]
    elsewhere: bool = False
    needs_tls: bool = False


def notebook_address(notebook_url: NotebookUrl) -> NotebookAddress:
    """Where a notebook is.

    Args:
        notebook_url: as ``bokeh.io.show`` takes it. In JupyterHub, where
            ``JUPYTER_BOKEH_EXTERNAL_URL`` is set, its proxy is used instead.
    """
    external = os.environ.get(_EXTERNAL_URL)
    if external:
        user_url = urljoin(external, os.environ.get(_SERVICE_PREFIX, "/"))
        origin = urlsplit(external).netloc
        return NotebookAddress(origin, lambda port: urljoin(user_url, f"proxy/{port}"))
    if callable(notebook_url):
        return NotebookAddress(_without_scheme(notebook_url(None)), notebook_url)
    parts = urlsplit(notebook_url if "//" in notebook_url else f"http://{notebook_url}")
    host = parts.hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    return NotebookAddress(
        parts.netloc,
        lambda port: f"{parts.scheme}://{shown}:{port}/",
        elsewhere=host not in _NEARBY,
        needs_tls=parts.scheme == "https",
    )


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
