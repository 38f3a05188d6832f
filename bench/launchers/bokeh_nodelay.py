"""``bokeh serve`` with Nagle's algorithm off, for a comparison that is not about TCP alone.

Takes the arguments of ``bokeh``. Tornado turns the algorithm on again after each HTTP response,
so that setting the option when a connection is accepted is not enough.
"""

from __future__ import annotations

import runpy
import socket
from typing import Any

from tornado import tcpserver
from tornado.iostream import IOStream


def _accepting(add: Any) -> Any:
    def add_accept_handler(sock: socket.socket, callback: Any) -> Any:
        def accepted(connection: socket.socket, address: Any) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            callback(connection, address)

        return add(sock, accepted)

    return add_accept_handler


def _keep_nodelay(stream: IOStream, value: bool) -> None:
    """It is on already, and stays on."""


if __name__ == "__main__":
    tcpserver.add_accept_handler = _accepting(  # type: ignore[attr-defined]
        tcpserver.add_accept_handler  # type: ignore[attr-defined]
    )
    IOStream.set_nodelay = _keep_nodelay  # type: ignore[assignment,method-assign]
    runpy.run_module("bokeh", run_name="__main__")
