"""Working directories: each mailbox has its own, although threads are shared.

Each thread of the engine has a working directory of its own where the system has such (Linux). What
a job does with ``os.chdir`` is undone when the job ends, and done again before the next job of the
same mailbox.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from functools import wraps
from typing import Any

from hyperfocal.engine.crew import Worker
from hyperfocal.engine.mailbox import Mailbox, moved

__all__ = ("Directories",)

_CLONE_FS = 0x200


def _noticed(change: Any) -> Any:
    @wraps(change)
    def noticing(path: Any) -> None:
        change(path)
        worker: Worker | None = getattr(_local, "worker", None)
        if worker is not None:
            moved.mailbox = worker.mailbox

    return noticing


_local = threading.local()
_chdir = os.chdir
os.chdir = _noticed(os.chdir)
if hasattr(os, "fchdir"):
    os.fchdir = _noticed(os.fchdir)


class Directories:
    """The working directory of one thread, which is to be made in that thread.

    Without unshare(2), which some containers forbid, a directory would be the whole process's:
    then it is left alone.

    Args:
        worker: says of which mailbox the thread runs a job.
    """

    def __init__(self, worker: Worker) -> None:
        _local.worker = worker
        moved.take_back = self.leave
        self._is_own = _part_with_others()
        self._home = ""
        if self._is_own:
            with contextlib.suppress(OSError):
                self._home = os.getcwd()

    def enter(self, mailbox: Mailbox) -> None:
        """A job of this mailbox begins. Its directory may be gone; then it begins at home."""
        if mailbox.directory is not None and self._home:
            with contextlib.suppress(OSError):
                _chdir(mailbox.directory)
                moved.mailbox = mailbox

    def leave(self, mailbox: Mailbox) -> None:
        """It has ended, and has changed the directory."""
        moved.mailbox = None
        if not self._home:
            return
        with contextlib.suppress(OSError):
            now = os.getcwd()
            mailbox.directory = now if now != self._home else None
        with contextlib.suppress(OSError):
            _chdir(self._home)


def _part_with_others() -> bool:
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).unshare(_CLONE_FS) == 0)
    return False
