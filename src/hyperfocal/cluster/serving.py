"""Serve with several processes: what ``hyperfocal serve`` does when it is told to."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from hyperfocal.cluster.board import Board
from hyperfocal.cluster.channel import Channel
from hyperfocal.cluster.exchange import WorkerExchange
from hyperfocal.cluster.roster import Member, Roster, number_of_processes
from hyperfocal.cluster.supervisor import GRACE_S, Supervisor
from hyperfocal.config import Settings
from hyperfocal.errors import UsageError
from hyperfocal.server import asgi_app, run, uvicorn_config
from hyperfocal.telemetry import LogSubscriber, Telemetry
from hyperfocal.web.exchange import Adopt

__all__ = ("serve_with_workers",)

_log = logging.getLogger("hyperfocal")


def serve_with_workers(
    applications: Mapping[str, Any],
    sockets: Sequence[socket.socket],
    settings: Settings,
    *,
    ready: Callable[[], None],
) -> int:
    """Serve until SIGINT or SIGTERM, with the processes that the settings ask for.

    It returns in all of these processes.

    Args:
        applications: what to serve, by URL path, as for ``asgi_app``.
        sockets: what ``bind`` gave.
        settings: the settings.
        ready: called once, when all processes take connections, or have tried.

    Returns:
        the exit status.

    Raises:
        UsageError: this system has no fork, or the settings ask for something impossible.
    """
    if not hasattr(os, "fork"):
        raise UsageError("--num-procs and --isolate need a system that can fork, such as Linux")
    processes = number_of_processes(settings.num_procs)
    roster = Roster.of(list(applications), processes, isolate=settings.isolate)
    board = Board(len(roster.members))
    channels = [Channel() for _ in roster.members]
    secret = secrets.token_bytes(32)

    def exchange_of(member: Member) -> _Exchange:
        return _Exchange(roster, member, board, channels, settings.prefix, secret)

    # What is wrong is found here, once, and not again and again in every process.
    asgi_app(applications, settings, telemetry=Telemetry(), place=exchange_of(roster.members[0]))
    _load_ahead(settings)
    supervisor = Supervisor(
        roster, board, channels, ready, sockets, stuck_after_s=settings.stuck_after_ms / 1000
    )
    outcome = supervisor.run()
    if isinstance(outcome, int):
        _log.info("Stopped")
        return outcome
    exchange = exchange_of(outcome)
    exchange.supervisor = supervisor
    _work(applications, sockets, settings, outcome, exchange)
    return 0


class _Exchange(WorkerExchange):
    """One that tells its supervisor, and ends when there is none any more."""

    supervisor: Supervisor

    def open(self, adopt: Adopt) -> None:
        super().open(adopt)
        # A thread, because the event loop may be stuck.
        threading.Thread(target=self._outlive, name="hyperfocal-lifeline", daemon=True).start()
        self.supervisor.tell()

    def _outlive(self) -> None:
        """Wait for the supervisor's end, and not much longer than that."""
        os.read(self.supervisor.lifeline, 1)
        _log.error("The process that watched over this one is gone; ending")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(1)


def _load_ahead(settings: Settings) -> None:
    """Load what every process needs, so that they share the memory for it and start at once."""
    for name in ("hyperfocal.web.moving", "hyperfocal.engine.watchdog"):
        import_module(name)
    uvicorn_config(None, settings).get_loop_factory()
    gc.collect()
    gc.freeze()
    others = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
    if others:
        _log.warning(
            "An application started threads while it was loaded (%s). They are not there in the "
            "processes that serve it: start them in on_server_loaded instead",
            ", ".join(others),
        )


def _work(
    applications: Mapping[str, Any],
    sockets: Sequence[socket.socket],
    settings: Settings,
    member: Member,
    exchange: WorkerExchange,
) -> None:
    """Be one of the processes, until the end."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_Named(member.name))
    faulthandler.enable()  # says in whose code a process crashed, or was stuck
    _reseed()
    telemetry = Telemetry(LogSubscriber(), exchange)
    app = asgi_app(applications, settings, telemetry=telemetry, place=exchange)
    exchange.count(lambda: app.state.site.admission.seats)
    if not member.accepts:
        for one in sockets:
            one.close()
        sockets = ()
    run(app, sockets, settings, exchange=exchange)


def _reseed() -> None:
    """Processes that share their past must not share their chance. Python sees to its own."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


class _Named(logging.Filter):
    """Says in each record which process it is from."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._prefix = f"[{name}] ".replace("%", "%%")

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "of_worker", None) is None:
            record.of_worker = self._prefix
            # Without arguments a message is not a template.
            plain = self._prefix if record.args else self._prefix.replace("%%", "%")
            record.msg = f"{plain}{record.msg}"
        return True
