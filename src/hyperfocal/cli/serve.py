"""``hyperfocal serve``. What it needs is imported when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from hyperfocal.cli.options import serve_options

if TYPE_CHECKING:
    import socket

    from hyperfocal.application import Loaded
    from hyperfocal.config import Settings

__all__ = ("serve",)

_log = logging.getLogger("hyperfocal")


class _Command(click.Command):
    """Takes everything behind ``--args`` for the applications, as ``bokeh serve`` does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--args" in args:
            at = args.index("--args")
            ctx.meta["hyperfocal.argv"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(
    cls=_Command,
    short_help="Serve applications.",
    epilog="Everything after --args is left to the applications, as sys.argv.",
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@serve_options
@click.pass_context
def serve(ctx: click.Context, /, paths: tuple[str, ...], **options: Any) -> None:
    """Serve applications: .py scripts, .ipynb notebooks, or directories with main.py.

    Each is served under its name. With several, the start page lists them; with a single one,
    the start page leads to it.
    """
    _start_log(options["log_level"])
    from hyperfocal.errors import HyperfocalError

    try:
        _serve(paths, ctx.meta.get("hyperfocal.argv", ()), options)
    except HyperfocalError as error:
        raise click.ClickException(str(error)) from None


def _serve(paths: Sequence[str], argv: Sequence[str], options: dict[str, Any]) -> None:
    with _loading():
        import_module("hyperfocal.document")  # first: it has its own way to load Bokeh's models
        from hyperfocal.application import load_all
        from hyperfocal.server import asgi_app, bind, run
        from hyperfocal.telemetry import LogSubscriber, Telemetry

        settings = _settings(options)
        # Applications import what lies beside the place where the server was started.
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, "")
        loaded = load_all(paths, argv)
        sockets = bind(settings)
        settings = _with_actual_port(settings, sockets)
        several = settings.isolate or settings.num_procs != 1
        app = None if several else asgi_app(loaded, settings, telemetry=Telemetry(LogSubscriber()))

    def ready() -> None:
        base, urls = _urls(settings, loaded.values())
        _log.info("Serving at %s (stop with Ctrl-C)", base)
        for url in urls:
            _log.info("  %s", url)
        if settings.dev:
            _log.warning("Development mode: tracebacks are shown to clients")
        if options["show"]:
            for url in urls:
                click.launch(url)

    if several:
        from hyperfocal.cluster import serve_with_workers

        sys.exit(serve_with_workers(loaded, sockets, settings, ready=ready))
    run(app, sockets, settings, ready=ready)
    _log.info("Stopped")


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


def _settings(options: dict[str, Any]) -> Settings:
    from hyperfocal.config import SessionIds, Settings, WebSocketTransport

    secret = os.environ.get("BOKEH_SECRET_KEY")
    return Settings(
        address=options["address"],
        port=options["port"],
        prefix=options["prefix"],
        websocket_origins=tuple(options["origins"]),
        session_ids=SessionIds(options["session_ids"]),
        secret_key=secret.encode() if secret else None,
        allow_push_doc=options["allow_push_doc"],
        token_expiration_s=options["session_token_expiration"],
        unused_session_lifetime_ms=options["unused_session_lifetime"],
        lost_session_lifetime_ms=options["lost_session_lifetime"],
        check_unused_sessions_ms=options["check_unused_sessions"],
        keep_alive_ms=options["keep_alive"],
        http_max_header_bytes=options["http_max_header_size"],
        http_request_timeout_ms=options["http_request_timeout"],
        websocket_transport=WebSocketTransport(options["websocket_transport"]),
        websocket_max_message_bytes=options["websocket_max_message_size"],
        websocket_max_buffers=options["websocket_max_buffers"],
        outbox_max_bytes=options["outbox_max_bytes"],
        max_sessions=options["max_sessions"],
        max_sessions_per_application=options["max_sessions_per_application"],
        max_sessions_per_address=options["max_sessions_per_address"],
        max_new_sessions_per_minute=options["max_new_sessions_per_minute"],
        max_connections_per_session=options["max_connections_per_session"],
        max_memory_bytes=options["max_memory"],
        callback_threads=options["callback_threads"],
        build_threads=options["build_threads"],
        quick_callback_ms=options["quick_callback"],
        quick_build_ms=options["quick_build"],
        build_timeout_ms=options["build_timeout"],
        build_queue=options["build_queue"],
        warn_blocked_ms=options["warn_blocked"],
        warn_long_turn_ms=options["warn_long_turn"],
        prewarm=_prewarm(options["prewarm"]),
        prewarm_max_bytes=options["prewarm_max_bytes"],
        num_procs=options["num_procs"],
        isolate=options["isolate"],
        accelerate=options["accelerate"],
        dev=options["dev"],
    )


def _prewarm(text: str) -> Any:
    """A number, where it is one; the settings say what is wrong with anything else."""
    return int(text) if text.isdecimal() else text


def _with_actual_port(settings: Settings, sockets: Sequence[socket.socket]) -> Settings:
    """The port that was bound, and the origins that follow from it when none were given."""
    from dataclasses import replace

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


def _urls(settings: Settings, loaded: Any) -> tuple[str, list[str]]:
    applications: list[Loaded] = list(loaded)
    base = f"http://{_host(settings)}:{settings.port}{settings.prefix}"
    return f"{base}/", [base + one.url for one in applications]


def _start_log(level: str) -> None:
    logging.basicConfig(
        level="DEBUG" if level == "trace" else level.upper(),
        format="%(asctime)s %(levelname)-7s %(message)s",
        stream=sys.stderr,
    )
    if level == "trace":
        return
    # What remains tells the bytes of every frame and the server's own steps.
    logging.getLogger("asyncio").setLevel(logging.INFO)
    logging.getLogger("hyperfocal.frames").setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
