"""``hyperfocal serve``. What it needs is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from hyperfocal.cli.logs import start_log
from hyperfocal.cli.options import effective, with_settings
from hyperfocal.errors import HyperfocalError, UsageError

if TYPE_CHECKING:
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
        if found.files:
            _log.info("Settings come from %s", ", ".join(found.files))
        for warning in found.warnings:
            _log.warning("%s", warning)
        _serve(found.settings)
    except HyperfocalError as error:
        raise click.ClickException(str(error)) from None


def _serve(settings: Settings) -> None:
    with _loading():
        import_module("hyperfocal.document")  # first: it has its own way to load Bokeh's models
        from hyperfocal.application import load_all, load_bokeh_settings
        from hyperfocal.server import asgi_app, bind, run, with_actual_port
        from hyperfocal.telemetry import LogSubscriber, Telemetry

        # Applications import what lies beside the place where the server was started.
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, "")
        if settings.use_config is not None:
            load_bokeh_settings(settings.use_config)
        loaded = load_all(_paths(settings), settings.arguments, dev=settings.dev)
        sockets = bind(settings)
        settings = with_actual_port(settings, sockets)
        served: dict[str, Any] = {**loaded} or {"/": _nothing}
        several = settings.isolate or settings.num_procs != 1
        app = None if several else asgi_app(served, settings, telemetry=Telemetry(LogSubscriber()))

    def ready() -> None:
        base, urls = _urls(settings, loaded)
        _log.info("Serving at %s (stop with Ctrl-C)", base)
        for url in urls:
            _log.info("  %s", url)
        if settings.dev:
            _log.warning(
                "Development mode: pages follow the files, and tracebacks are shown to visitors"
            )
        if settings.show:
            show(urls, settings.browser)

    try:
        if several:
            from hyperfocal.cluster import serve_with_workers

            sys.exit(serve_with_workers(served, sockets, settings, ready=ready))
        run(app, sockets, settings, ready=ready)
    finally:
        for listening in sockets:
            listening.close()
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


def _urls(settings: Settings, paths: Iterable[str]) -> tuple[str, list[str]]:
    """Where the server is, and where each application is."""
    from hyperfocal.server import base_url

    base = base_url(settings)
    if settings.unix_socket is not None:
        return base, []
    return f"{base}/", [base + path for path in paths]


def _nothing(document: object) -> None:
    """An application for those who bring their own document, with push_session."""
