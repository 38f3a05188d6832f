"""The table of options, second part: what is served, and how it runs."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hyperfocal.config.choices import AsyncLoop, LogLevel
from hyperfocal.config.kinds import (
    Choice,
    File,
    Flag,
    Icon,
    LogFormat,
    Many,
    Text,
    Whole,
    Words,
)
from hyperfocal.config.options import Bokeh, option

__all__ = ("Applications", "Execution", "Files", "Limits", "Logging", "Pages", "Sessions")

_MIB = 1024 * 1024
_MILLISECONDS = Whole(0, unit="MILLISECONDS")
_LEVELS = MappingProxyType({"warn": "warning", "fatal": "critical", "none": None})


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Applications:
    """What is served."""

    applications: tuple[str, ...] = option(
        "applications",
        Many("PATH"),
        (),
        "The scripts, notebooks and directories to serve.",
        on_command_line=False,  # where they need no name
    )
    arguments: tuple[str, ...] = option(
        "args",
        Words("ARGUMENT..."),
        (),
        "What the applications find in sys.argv: everything that follows on the command line.",
        on_command_line=False,  # where it ends the options
    )
    glob: bool = option(
        "glob", Flag(), False, "Take each PATH for a pattern, such as apps/*.py, quoted."
    )
    dev: bool = option(
        "dev",
        Flag(),
        False,
        "Development mode: pages follow the files of their applications, and show what fails in "
        "them with tracebacks. Files and folders that come behind it are watched, too. Not for "
        "production.",
        common=True,
    )
    dev_watch: tuple[str, ...] = option(
        "dev-watch",
        Many("PATH"),
        (),
        "With --dev, a further file or folder whose changes reload all pages.",
    )
    show: bool = option("show", Flag(), False, "Open the applications in a browser.")
    browser: str | None = option(
        "browser",
        Text("NAME"),
        None,
        "With --show, which one, by a name that Python's webbrowser knows; none: no browser.",
        shown="the desktop's",
        bokeh=Bokeh.of("browser"),
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Pages:
    """What the server itself shows."""

    index: str | None = option(
        "index",
        File(),
        None,
        "A Jinja2 template for the start page, in place of ours.",
    )
    disable_index: bool = option(
        "disable-index", Flag(), False, "Show no start page, and lead nowhere from there."
    )
    disable_index_redirect: bool = option(
        "disable-index-redirect",
        Flag(),
        False,
        "Show the start page also when there is a single application, to which it leads otherwise.",
    )
    ico_path: str = option(
        "ico-path",
        Icon(),
        "default",
        "An .ico file for browsers to show in tabs; none: there is none; default: ours.",
        bokeh=Bokeh.of("ico_path", MappingProxyType({"default-dev": "default"})),
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Sessions:
    """How long sessions live, and which are built ahead."""

    unused_session_lifetime_ms: int = option(
        "unused-session-lifetime",
        Whole(1, unit="MILLISECONDS"),
        15_000,
        "How long a session lives after its page was closed.",
    )
    lost_session_lifetime_ms: int = option(
        "lost-session-lifetime",
        Whole(1, unit="MILLISECONDS"),
        600_000,
        "How long a session waits for a client whose connection was lost.",
    )
    check_unused_sessions_ms: int = option(
        "check-unused-sessions",
        Whole(1, unit="MILLISECONDS"),
        17_000,
        "How often to look for sessions to discard.",
    )
    prewarm: int | Literal["auto"] = option(
        "prewarm",
        Whole(0, 1000, word="auto"),
        0,
        "Sessions of each application to build ahead, so that visitors get one that is ready; "
        "auto learns from arrivals. Applications that look at the request are not built ahead.",
        common=True,
    )
    prewarm_max_bytes: int = option(
        "prewarm-max-bytes",
        Whole(0, unit="BYTES"),
        256 * _MIB,
        "With --prewarm auto, the memory for an application's sessions that wait.",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Limits:
    """How much there may be; visitors beyond are asked to come back later."""

    max_sessions: int = option(
        "max-sessions",
        Whole(0),
        10_000,
        "Sessions in all; further visitors are asked to come back later. 0 sets no limit.",
        common=True,
    )
    max_sessions_per_application: int = option(
        "max-sessions-per-application", Whole(0), 0, "The same for one application."
    )
    max_sessions_per_address: int = option(
        "max-sessions-per-address",
        Whole(0),
        0,
        "The same for one client address. Mind that people behind one proxy may share theirs.",
    )
    max_sessions_per_user: int = option(
        "max-sessions-per-user",
        Whole(0),
        0,
        "The same for one user, where visitors log in.",
    )
    max_new_sessions_per_minute: int = option(
        "max-new-sessions-per-minute",
        Whole(0),
        0,
        "Sessions that one client address may open in a minute; 0 sets no limit.",
    )
    max_connections_per_session: int = option(
        "max-connections-per-session",
        Whole(1),
        1_000,
        "Connections, usually tabs, that may share one session.",
    )
    max_memory_bytes: int = option(
        "max-memory",
        Whole(0, unit="BYTES"),
        0,
        "Memory of the process past which no session is made, and those that nobody has open end; "
        "0 sets no limit.",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Execution:
    """Where the code of applications runs."""

    num_procs: int = option(
        "num-procs",
        Whole(0, 1000),
        1,
        "Processes that serve, on one port; with --isolate, for each application. 0: as many as "
        "there are cores. Limits, such as --max-sessions, are those of each process.",
        common=True,
    )
    isolate: bool = option(
        "isolate",
        Flag(),
        False,
        "Give each application processes of its own, so that one that crashes or runs out of "
        "memory takes down nothing else.",
    )
    threads: int = option(
        "threads",
        Whole(1, 10_000),
        64,
        "Threads for the code of applications, so that a slow callback delays nobody. One works at "
        "a time, unless code lasts.",
    )
    threads_per_visitor: int = option(
        "threads-per-visitor",
        Whole(1, 10_000),
        8,
        "Threads that the code of one visitor may keep busy at once. A visitor is a user, or else "
        "an address; see --use-xheaders for those behind a proxy.",
    )
    threads_per_app: int = option(
        "threads-per-app",
        Whole(1, 10_000),
        32,
        "Threads that the code of one application may keep busy at once, where there are several.",
    )
    own_threads: int = option(
        "own-threads",
        Whole(0, 100_000),
        256,
        "Sessions that may have a thread of their own. Those get one whose script holds what is "
        "bound to its thread: a connection of sqlite3 or a threading.local.",
    )
    thread_per_session: bool = option(
        "thread-per-session",
        Flag(),
        False,
        "Give every session a thread of its own, up to --own-threads, for applications that mind "
        "in which thread they run.",
    )
    async_loop: AsyncLoop = option(
        "async-loop",
        Choice(AsyncLoop),
        AsyncLoop.AUTO,
        "The event loop of async callbacks: own is one in a thread, so that one that computes "
        "delays no more than its like; host is the one that serves; auto is host for an asgi_app "
        "that is mounted in another application, and else own.",
    )
    build_threads: int = option(
        "build-threads",
        Whole(1, 1000),
        4,
        "Documents that may be built at once.",
    )
    build_timeout_ms: int = option(
        "build-timeout",
        _MILLISECONDS,
        120_000,
        "How long building a document may take; 0 sets no limit.",
    )
    build_queue: int = option(
        "build-queue",
        Whole(0),
        100,
        "Documents that may wait to be built; further visitors are asked to come back later.",
    )
    warn_blocked_ms: int = option(
        "warn-blocked",
        _MILLISECONDS,
        1_000,
        "Log code that blocks an event loop for so long: that of async callbacks, or, where a host "
        "lends its own, the one that serves everybody; 0 never does.",
    )
    stuck_after_ms: int = option(
        "stuck-after",
        _MILLISECONDS,
        30_000,
        "With --num-procs and --isolate, end and replace a process that has not answered for so "
        "long, as when C code keeps its interpreter; 0 never does.",
    )
    warn_long_turn_ms: int = option(
        "warn-long-turn",
        _MILLISECONDS,
        10_000,
        "Log callbacks that hold their session's document for so long; 0 never does.",
    )
    accelerate: bool = option(
        "accelerate",
        Flag(),
        True,
        "Build documents faster, by replacing methods of Bokeh that compute for every model what "
        "is the same for every model of a class. For the whole process.",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Logging:
    """What is told of it."""

    log_level: LogLevel = option(
        "log-level",
        Choice(LogLevel),
        LogLevel.INFO,
        "How much to log.",
        bokeh=Bokeh.of("py_log_level", _LEVELS),
        common=True,
    )
    log_format: str = option(
        "log-format",
        LogFormat(),
        "%(asctime)s %(levelname)-7s %(message)s",
        "How a line of the log is made: a format of Python's logging.",
    )
    log_file: str | None = option(
        "log-file",
        Text("FILE"),
        None,
        "Where to write the log, behind what is there.",
        shown="standard error",
    )
    stats_log_frequency_ms: int = option(
        "stats-log-frequency",
        _MILLISECONDS,
        15_000,
        "How often to log, at level debug, how many sessions and clients there are; 0 never does.",
    )
    mem_log_frequency_ms: int = option(
        "mem-log-frequency",
        _MILLISECONDS,
        0,
        "How often to log what the process has in memory; 0 never does.",
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Files:
    """Where further settings are."""

    config: str | None = option(
        "config",
        Text("FILE"),
        None,
        "A file of settings, in TOML.",
        shown="hyperfocal.toml, if it is in the working directory",
        in_file=False,
    )
    use_config: str | None = option(
        "use-config",
        Text("FILE"),
        None,
        "A file of Bokeh's settings, in YAML. They go before environment variables.",
        in_file=False,
    )
