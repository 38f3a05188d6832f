"""The options of ``hyperfocal serve``, in the order in which its help shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ("serve_options",)

_LEVELS = ("trace", "debug", "info", "warning", "error", "critical")

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--port",
        type=int,
        default=5006,
        show_default=True,
        help="Port to listen on; 0 takes a free one.",
    ),
    click.option(
        "--address",
        metavar="ADDRESS",
        help="Address to listen on, 0.0.0.0 for all of this machine's.  [default: localhost]",
    ),
    click.option(
        "--allow-websocket-origin",
        "origins",
        metavar="HOST[:PORT]",
        multiple=True,
        help="A host whose pages may connect, * as wild card. May be given several times. "
        "[default: localhost, and --address, at the port]",
    ),
    click.option(
        "--prefix", metavar="PATH", default="", help="URL path to serve everything under."
    ),
    click.option("--show", is_flag=True, help="Open the applications in a browser."),
    click.option(
        "--dev",
        is_flag=True,
        help="Development mode: show tracebacks in the browser. Not for production.",
    ),
    click.option(
        "--num-procs",
        type=int,
        default=1,
        show_default=True,
        metavar="NUMBER",
        help="Processes that serve, on one port; with --isolate, for each application. 0: as many "
        "as there are cores. Limits, such as --max-sessions, are those of each process.",
    ),
    click.option(
        "--isolate",
        is_flag=True,
        help="Give each application a process of its own, so that one that crashes or runs out of "
        "memory takes down nothing else.",
    ),
    click.option(
        "--session-ids",
        type=click.Choice(["auto", "unsigned", "signed", "external-signed"]),
        default="auto",
        show_default=True,
        help="Who may choose session ids. auto: clients of this machine, unless "
        "BOKEH_SECRET_KEY is set; unsigned: anybody; signed: the server, or whoever "
        "signs with BOKEH_SECRET_KEY; external-signed: only the latter.",
    ),
    click.option(
        "--allow-push-doc/--no-allow-push-doc",
        default=None,
        help="Whether clients may replace the whole document, as push_session of bokeh.client "
        "does, and set JavaScript callbacks.  [default: clients of this machine, unless "
        "BOKEH_SECRET_KEY is set]",
    ),
    click.option(
        "--session-token-expiration",
        type=int,
        default=300,
        show_default=True,
        metavar="SECONDS",
        help="How long a page's token may make a new session.",
    ),
    click.option(
        "--unused-session-lifetime",
        type=int,
        default=15_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="How long a session lives after its page was closed.",
    ),
    click.option(
        "--lost-session-lifetime",
        type=int,
        default=600_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="How long a session waits for a client whose connection was lost.",
    ),
    click.option(
        "--check-unused-sessions",
        type=int,
        default=17_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="How often to look for sessions to discard.",
    ),
    click.option(
        "--keep-alive",
        type=int,
        default=37_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="How often to ping clients; 0 never does.",
    ),
    click.option(
        "--http-max-header-size",
        type=int,
        default=64 * 1024,
        show_default=True,
        metavar="BYTES",
        help="Largest headers of a request, cookies included; what is larger is answered with 431.",
    ),
    click.option(
        "--http-request-timeout",
        type=int,
        default=30_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="How long a request may take to come; what takes longer is answered with 408.",
    ),
    click.option(
        "--websocket-transport",
        type=click.Choice(["auto", "native", "asgi"]),
        default="auto",
        show_default=True,
        help="What moves the frames of websockets: native: picows, the fast one; asgi: uvicorn's "
        "own; auto: native where picows is installed.",
    ),
    click.option(
        "--websocket-max-message-size",
        type=int,
        default=20 * 1024 * 1024,
        show_default=True,
        metavar="BYTES",
        help="Largest message a client may send.",
    ),
    click.option(
        "--websocket-max-buffers",
        type=int,
        default=10_000,
        show_default=True,
        metavar="NUMBER",
        help="Binary buffers that one message of a client may have.",
    ),
    click.option(
        "--outbox-max-bytes",
        type=int,
        default=64 * 1024 * 1024,
        show_default=True,
        metavar="BYTES",
        help="What may wait for a client that does not read before it is disconnected.",
    ),
    click.option(
        "--max-sessions",
        type=int,
        default=10_000,
        show_default=True,
        metavar="NUMBER",
        help="Sessions in all; further visitors are asked to come back later. 0 sets no limit.",
    ),
    click.option(
        "--max-sessions-per-application",
        type=int,
        default=0,
        show_default=True,
        metavar="NUMBER",
        help="The same for one application.",
    ),
    click.option(
        "--max-sessions-per-address",
        type=int,
        default=0,
        show_default=True,
        metavar="NUMBER",
        help="The same for one client address. Mind that people behind one proxy may share theirs.",
    ),
    click.option(
        "--max-new-sessions-per-minute",
        type=int,
        default=0,
        show_default=True,
        metavar="NUMBER",
        help="Sessions that one client address may open in a minute; 0 sets no limit.",
    ),
    click.option(
        "--max-connections-per-session",
        type=int,
        default=1_000,
        show_default=True,
        metavar="NUMBER",
        help="Connections, usually tabs, that may share one session.",
    ),
    click.option(
        "--max-memory",
        type=int,
        default=0,
        show_default=True,
        metavar="BYTES",
        help="Memory of the process past which no session is made, and those that nobody has open "
        "end; 0 sets no limit.",
    ),
    click.option(
        "--callback-threads",
        type=int,
        default=32,
        show_default=True,
        metavar="NUMBER",
        help="Callbacks that may run in worker threads at once, so that a slow one delays nobody; "
        "0 runs all on the event loop.",
    ),
    click.option(
        "--build-threads",
        type=int,
        default=4,
        show_default=True,
        metavar="NUMBER",
        help="Documents that may be built in worker threads at once; 0 builds all on the event "
        "loop.",
    ),
    click.option(
        "--quick-callback",
        type=int,
        default=10,
        show_default=True,
        metavar="MILLISECONDS",
        help="Callbacks that take no longer, three times in a row, run on the event loop.",
    ),
    click.option(
        "--quick-build",
        type=int,
        default=25,
        show_default=True,
        metavar="MILLISECONDS",
        help="Applications whose documents take no longer to build, three times in a row, are "
        "built on the event loop.",
    ),
    click.option(
        "--build-timeout",
        type=int,
        default=120_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="How long building a document may take; 0 sets no limit.",
    ),
    click.option(
        "--build-queue",
        type=int,
        default=100,
        show_default=True,
        metavar="NUMBER",
        help="Documents that may wait for a thread; further visitors are asked to come back later.",
    ),
    click.option(
        "--warn-blocked",
        type=int,
        default=1_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="Log code that blocks the event loop, and so everybody, for so long; 0 never does.",
    ),
    click.option(
        "--warn-long-turn",
        type=int,
        default=10_000,
        show_default=True,
        metavar="MILLISECONDS",
        help="Log callbacks that hold their session's document for so long; 0 never does.",
    ),
    click.option(
        "--prewarm",
        metavar="NUMBER|auto",
        default="0",
        show_default=True,
        help="Sessions of each application to build ahead, so that visitors get one that is ready; "
        "auto learns from arrivals. Applications that look at the request are not built ahead.",
    ),
    click.option(
        "--prewarm-max-bytes",
        type=int,
        default=256 * 1024 * 1024,
        show_default=True,
        metavar="BYTES",
        help="With --prewarm auto, the memory for an application's sessions that wait.",
    ),
    click.option(
        "--accelerate/--no-accelerate",
        default=True,
        show_default=True,
        help="Build documents faster, by replacing methods of Bokeh that compute for every model "
        "what is the same for every model of a class.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(_LEVELS),
        default="info",
        show_default=True,
        help="How much to log.",
    ),
)


def serve_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command's function the options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
