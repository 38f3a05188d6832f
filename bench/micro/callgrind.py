"""Telling Callgrind what to count, from within the program that it runs.

Valgrind's "client requests" are a sequence of instructions that does nothing on the processor and
that Valgrind recognises (``valgrind.h``, ``callgrind.h``). There is a C header for them; this
spells the one function that is needed in machine code.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import shutil

__all__ = ("Callgrind", "unavailable")

_TOOL = 0x43540000  # 'C', 'T'
_ZERO_STATS, _DUMP_STATS_AT, _START, _STOP = _TOOL + 1, _TOOL + 3, _TOOL + 4, _TOOL + 5

#: long request(long *arguments): arguments to rax, the default answer 0 to rdx, the mark, the
#: answer from rdx.
_REQUEST = bytes.fromhex(
    "4889f8 31d2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3".replace(" ", "")
)


def unavailable() -> str | None:
    """Why instructions cannot be counted here, if so."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        return f"requests to Callgrind are written for x86-64, this is {platform.machine()}"
    if shutil.which("valgrind") is None:
        return "there is no valgrind (on Debian: apt-get install valgrind)"
    return None


class Callgrind:
    """The Callgrind that runs this program; without one, requests do nothing."""

    def __init__(self) -> None:
        self._code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._code.write(_REQUEST)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        self._call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)

    def _request(self, number: int, argument: int = 0) -> None:
        arguments = (ctypes.c_uint64 * 6)(number, argument)
        self._call(ctypes.addressof(arguments))

    def start(self) -> None:
        """Count from zero, from now on. The program is some fifty times slower meanwhile."""
        self._request(_START)
        self._request(_ZERO_STATS)

    def stop(self, name: str) -> None:
        """Write what was counted to a file that says ``Trigger: Client Request: <name>``."""
        text = ctypes.create_string_buffer(name.encode())
        self._request(_DUMP_STATS_AT, ctypes.addressof(text))
        self._request(_STOP)
