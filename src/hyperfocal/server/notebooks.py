"""Applications in the cells of notebooks."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from hyperfocal.errors import UsageError
from hyperfocal.pages import NotebookUrl, install_in_notebooks, notebook_address, show_in_cell
from hyperfocal.server.programmatic import Server

__all__ = ("use_in_notebooks",)


def use_in_notebooks(**options: Any) -> None:
    """Have ``bokeh.io.show(application)`` use a ``Server`` of ours in Jupyter notebooks.

    The server runs on the kernel's event loop. ``output_notebook()`` has to be called as always,
    before or after this.

    Args:
        options: of each server, as for ``Server``; those of ``show`` go before.

    Raises:
        UsageError: there is no such option. (Others are checked when something is shown.)
    """
    for name in ("applications", "io_loop", "notebook_url"):
        if name in options:
            raise UsageError(f"{name} is not an option of use_in_notebooks")
    install_in_notebooks(partial(_show, options))


def _show(
    options: dict[str, Any],
    application: Any,
    state: Any,
    notebook_url: NotebookUrl = "localhost:8888",
    **more: Any,
) -> None:
    """What ``bokeh.io.show`` calls with an application.

    Raises:
        UsageError: browsers could not reach the server, wherever it listens.
    """
    place = notebook_address(notebook_url)
    chosen: dict[str, Any] = {
        "port": 0,
        "allow_websocket_origin": [place.origin],
        **options,
        **more,
    }
    if place.needs_tls and not chosen["port"] and chosen.get("ssl_certfile") is None:
        raise UsageError(
            f"the browser would ask for {place.find(0).removesuffix(':0/')} at a port of its own, "
            "where nobody has a certificate. Where a proxy leads to the kernel's ports, give "
            "notebook_url a function that says how: lambda port: 'https://…/proxy/%d' % port if "
            "port else 'https://…'; or else give ssl_certfile"
        )
    if place.elsewhere:  # the browser is on another machine, and asks this one's port
        chosen.setdefault("address", "0.0.0.0")
    server = Server({"/": application}, **chosen)
    server.start()
    show_in_cell(place.find(server.port), secrets.token_hex(16), server)
