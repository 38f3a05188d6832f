"""SIGHUP: a terminal that is closed, or an operator who has moved the file of the log."""

from __future__ import annotations

import logging
import os
import signal

__all__ = ("HANGUP", "ends_with_terminal", "say_that_it_goes_on")

_log = logging.getLogger("hyperfocal")


def _heeded() -> tuple[int, ...]:
    number = getattr(signal, "SIGHUP", None)
    # nohup(1) has it ignored, and knows why.
    return () if number is None or signal.getsignal(number) is signal.SIG_IGN else (int(number),)


#: The signal, where there is such a one and it is not ignored.
HANGUP = _heeded()


def ends_with_terminal() -> bool:
    """Whether SIGHUP will say that the terminal is gone in which the server was started.

    To be asked before that: what is gone is no terminal any more.
    """
    return os.isatty(0) or os.isatty(2)


def say_that_it_goes_on() -> None:
    """In the log, whose file is opened anew by that if it was moved."""
    _log.info("SIGHUP: the log is open, sessions go on; SIGTERM ends the server")
