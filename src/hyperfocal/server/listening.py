"""The sockets on which a server listens."""

from __future__ import annotations

import contextlib
import os
import socket
import stat

from hyperfocal.config import Settings
from hyperfocal.errors import UsageError

__all__ = ("ListenError", "bind")


class ListenError(UsageError, OSError):
    """It is not possible to listen there.

    Attributes:
        where: an address and port, or the path of a Unix socket.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"cannot listen on {where}: {reason}")
        self.where = where


def bind(settings: Settings) -> list[socket.socket]:
    """Sockets to listen on: localhost by IPv4 and IPv6 unless an address or path is set.

    They are the caller's to close.

    Raises:
        ListenError: the port is in use, may not be used, or there is no such address.
    """
    if settings.unix_socket is not None:
        return [_listen_locally(settings.unix_socket, settings.unix_socket_mode)]
    if settings.address is not None:
        return [_listen(settings.address, settings.port)]
    first = _listen("127.0.0.1", settings.port)
    try:
        return [first, _listen("::1", first.getsockname()[1])]
    except ListenError:
        return [first]  # no IPv6 here, or somebody else's: browsers fall back to IPv4


def _listen(address: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol left at 0, as socket.create_server leaves it, asyncio does not see TCP
        # in the connections that are accepted and does not turn Nagle's algorithm off: each
        # small write then waits some 40 ms for the peer's delayed acknowledgement.
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(where)
            listening.listen(2048)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise ListenError(f"{address} port {port}", error.strerror or str(error)) from error
    listening.setblocking(False)
    return listening


class _LocalSocket(socket.socket):
    """A Unix socket. When the process that has bound it closes it, its file goes."""

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path: str | None = None
        self._inode = 0
        self._owner = os.getpid()  # its forks close it, too

    def bind_to(self, path: str, mode: int) -> None:
        """Bind it; never, not even for a moment, is it open to others than the mode says."""
        before = os.umask(0o777 & ~mode)
        try:
            self.bind(path)
        finally:
            os.umask(before)
        self._path, self._inode = path, os.lstat(path).st_ino

    def close(self) -> None:
        """Close it, and remove its file unless another server has put its own there."""
        path, self._path = self._path, None
        if path is not None and os.getpid() == self._owner:
            with contextlib.suppress(OSError):
                if os.lstat(path).st_ino == self._inode:
                    os.unlink(path)
        super().close()


def _listen_locally(path: str, mode: int) -> socket.socket:
    """A Unix socket; takes the place of one on which nobody listens any more."""
    listening = _LocalSocket()
    try:
        if os.path.lexists(path):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OSError("there is a file of this name that is no socket")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                if other.connect_ex(path) == 0:
                    raise OSError("a server listens there")
            os.unlink(path)
        listening.bind_to(path, mode)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ListenError(path, error.strerror or str(error)) from error
    listening.setblocking(False)
    return listening
