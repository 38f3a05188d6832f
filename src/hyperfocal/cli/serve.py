"""``hyperfocal serve``. What it needs is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from hyperfocal.cli.logs import start_log
from hyperfocal.cli.options import effective, with_settings
from hyperfocal.errors import HyperfocalError, UsageError

if TYPE_CHECKING:
    import socket

    from hyperfocal.config import Settings

__all__ = ("serve", "show")

_log = logging.getLogger("hyperfocal")


@with_settings
@click.pass_context
def serve(ctx: click.Context, /, paths: tuple[str, ...], **options: Any) -> None:
    """Serve applications: .py scripts, .ipynb notebooks, or directories with main.py.

    Each is served under its name. With several, the start page lists them; with a single one,
    the start page leads to it. With none, an empty document is served.
    """
    found = effective(ctx, paths, options)
    try:
        start_log(found.settings)
        for warning in found.warnings:
            _log.warning("%s", warning)
        _serve(found.settings)
    except HyperfocalError as error:
        raise click.ClickException(str(error)) from None


def _serve(settings: Settings) -> None:
    with _loading():
        import_module("hyperfocal.document")  # first: it has its own way to load Bokeh's models
        from hyperfocal.application import load_all, load_bokeh_settings
        from hyperfocal.server import asgi_app, bind, run
        from hyperfocal.telemetry import LogSubscriber, Telemetry

        # Applications import what lies beside the place where the server was started.
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, "")
        if settings.use_config is not None:
            load_bokeh_settings(settings.use_config)
        loaded = load_all(_paths(settings), settings.arguments)
        sockets = bind(settings)
        settings = _with_actual_port(settings, sockets)
        served: dict[str, Any] = {**loaded} or {"/": _nothing}
        app = asgi_app(served, settings, telemetry=Telemetry(LogSubscriber()))

    def ready() -> None:
        base, urls = _urls(settings, loaded)
        _log.info("Serving at %s (stop with Ctrl-C)", base)
        for url in urls:
            _log.info("  %s", url)
        if settings.dev:
            _log.warning("Development mode: tracebacks are shown to clients")
        if settings.show:
            show(urls, settings.browser)

    run(app, sockets, settings, ready=ready)
    _log.info("Stopped")


def _paths(settings: Settings) -> list[str]:
    """The applications, with ``--glob`` those that the patterns match.

    Raises:
        UsageError: they match nothing.
    """
    if not settings.glob:
        return list(settings.applications)
    from glob import glob

    paths: list[str] = []
    for pattern in settings.applications:
        matches = sorted(glob(pattern, recursive=True))
        if not matches:
            _log.warning("--glob: nothing matches %s", pattern)
        paths += matches
    if settings.applications and not paths:
        raise UsageError(f"--glob: nothing matches {' '.join(settings.applications)}")
    return list(dict.fromkeys(paths))


def show(urls: Iterable[str], browser: str | None) -> None:
    """Open the applications in a browser."""
    if browser == "none":
        return
    import webbrowser

    for url in urls:
        try:
            if browser is None:
                click.launch(url)
            else:
                webbrowser.get(browser).open(url)
        except webbrowser.Error as error:
            _log.warning("--show: cannot open %s: %s", url, error)


@contextmanager
def _loading() -> Generator[None]:
    """Keep the garbage collector from what is loaded, while it is loaded and afterwards.

    What is loaded is more than a hundred thousand objects that live as long as the process.
    Looking through them in vain takes a tenth of the time to load them, and later some 60 ms,
    in which nobody is served, of every full collection.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _with_actual_port(settings: Settings, sockets: Sequence[socket.socket]) -> Settings:
    """The port that was bound, and the origins that follow from it when none were given."""
    from dataclasses import replace

    if settings.unix_socket is not None:
        return settings
    port = sockets[0].getsockname()[1]
    origins = settings.websocket_origins
    if not origins:
        hosts = ["localhost", "127.0.0.1", "[::1]", _host(settings)]
        origins = tuple(dict.fromkeys(f"{host}:{port}" for host in hosts))
    return replace(settings, port=port, websocket_origins=origins)


def _host(settings: Settings) -> str:
    """What a browser on this machine calls the address that is listened on."""
    if settings.address in (None, "0.0.0.0", "::"):
        return "localhost"
    return f"[{settings.address}]" if ":" in str(settings.address) else str(settings.address)


def _urls(settings: Settings, paths: Iterable[str]) -> tuple[str, list[str]]:
    """Where the server is, and where each application is."""
    if settings.unix_socket is not None:
        return f"unix:{settings.unix_socket}", []
    scheme = "https" if settings.ssl_certfile is not None else "http"
    base = f"{scheme}://{_host(settings)}:{settings.port}{settings.prefix}"
    return f"{base}/", [base + path for path in paths]


def _nothing(document: object) -> None:
    """An application for those who bring their own document, with push_session."""
