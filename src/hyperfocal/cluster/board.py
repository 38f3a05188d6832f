"""What all processes of a server know of each other, in memory that they share.

One row for each, written by its own process, and by whoever watches over them while there is
none. Numbers are read and written whole; they need not fit together to the moment.
"""

from __future__ import annotations

import mmap
import struct
from enum import IntEnum
from pathlib import Path

import orjson

__all__ = ("Board", "State")

_FIELD = struct.Struct("=I")
_ROW_BYTES = 64
#: For folders of extensions: as JSON, its length first.
_FOLDERS_BYTES = 16 * 1024

_STATE, _PID, _SESSIONS, _CONNECTIONS, _STARTS, _PASSED_ON, _FOLDERS, _ANSWERS, _USED = range(9)
#: Numbers begin again at 0 after the highest.
_MOST = 2**32


class State(IntEnum):
    """What has become of a process."""

    #: There is none, and there will be one after some time: it has died again and again.
    DOWN = 0
    #: It does not take connections yet; what is sent to it waits.
    STARTING = 1
    READY = 2
    #: It ends.
    ENDING = 3


class Board:
    """The rows. To be made before processes are forked.

    Args:
        slots: how many processes there are.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._memory = mmap.mmap(-1, slots * (_ROW_BYTES + _FOLDERS_BYTES))
        self._published: dict[str, str] = {}

    def _get(self, slot: int, field: int) -> int:
        number: int = _FIELD.unpack_from(self._memory, slot * _ROW_BYTES + 4 * field)[0]
        return number

    def _set(self, slot: int, field: int, value: int) -> None:
        _FIELD.pack_into(self._memory, slot * _ROW_BYTES + 4 * field, value)

    # --- a process's life ------------------------------------------------------------------------

    def state(self, slot: int) -> State:
        """What has become of it."""
        return State(self._get(slot, _STATE))

    def set_state(self, slot: int, state: State) -> None:
        """Say what has become of it."""
        self._set(slot, _STATE, state)

    def begins(self, slot: int) -> None:
        """A process is about to be made."""
        for field in (_PID, _SESSIONS, _CONNECTIONS, _PASSED_ON, _ANSWERS, _USED):
            self._set(slot, field, 0)
        self._set(slot, _STARTS, self._get(slot, _STARTS) + 1)
        self.set_state(slot, State.STARTING)

    def ready(self, slot: int, pid: int) -> None:
        """It takes connections."""
        self._set(slot, _PID, pid)
        self.set_state(slot, State.READY)

    def pid(self, slot: int) -> int:
        """Its process id; 0 while there is none that takes connections."""
        return self._get(slot, _PID)

    def starts(self, slot: int) -> int:
        """How often it has been started."""
        return self._get(slot, _STARTS)

    # --- whether it lives ------------------------------------------------------------------------

    def answer(self, slot: int, used: int) -> None:
        """Its event loop runs: it has taken something that it was sent.

        Args:
            slot: its slot.
            used: how long it has computed so far.
        """
        self._set(slot, _USED, used % _MOST)
        self._set(slot, _ANSWERS, (self.answers(slot) + 1) % _MOST)

    def answers(self, slot: int) -> int:
        """How often it has answered."""
        return self._get(slot, _ANSWERS)

    def used_since(self, slot: int, used: int) -> int:
        """How long it has computed since its last answer, if it is so long so far."""
        return (used - self._get(slot, _USED)) % _MOST

    # --- what it has to do -----------------------------------------------------------------------

    def report(self, slot: int, sessions: int, connections: int) -> None:
        """Say how much it has to do."""
        self._set(slot, _SESSIONS, sessions)
        self._set(slot, _CONNECTIONS, connections)

    def expect_session(self, slot: int) -> None:
        """It is about to have one more, of which it does not know yet."""
        self._set(slot, _SESSIONS, self.sessions(slot) + 1)

    def sessions(self, slot: int) -> int:
        """How many sessions it has."""
        return self._get(slot, _SESSIONS)

    def connections(self, slot: int) -> int:
        """How many websockets it has."""
        return self._get(slot, _CONNECTIONS)

    def passes_on(self, slot: int) -> None:
        """It has sent a connection to another process."""
        self._set(slot, _PASSED_ON, self.passed_on(slot) + 1)

    def passed_on(self, slot: int) -> int:
        """How many connections it has sent to other processes."""
        return self._get(slot, _PASSED_ON)

    # --- folders of extensions -------------------------------------------------------------------

    def publish_folder(self, slot: int, name: str, path: Path) -> None:
        """Let all processes know where the files of an extension lie."""
        if self._published.get(name) == str(path):
            return
        self._published[name] = str(path)
        data = orjson.dumps(self._published)
        if len(data) > _FOLDERS_BYTES:
            return  # the files are found by the process whose page asks for them
        begin = self._folders_at(slot)
        # Readers that come in between see text that is no JSON, and look again at the next request.
        self._set(slot, _FOLDERS, 0)
        self._memory[begin : begin + len(data)] = data
        self._set(slot, _FOLDERS, len(data))

    def find_folder(self, name: str) -> Path | None:
        """Where the files of an extension lie, if any process knows."""
        for slot in range(self._slots):
            size, begin = self._get(slot, _FOLDERS), self._folders_at(slot)
            try:
                found = orjson.loads(self._memory[begin : begin + size]).get(name)
            except ValueError:
                continue
            if found is not None:
                return Path(found)
        return None

    def _folders_at(self, slot: int) -> int:
        return self._slots * _ROW_BYTES + slot * _FOLDERS_BYTES
