"""The websocket library under Hyperfocal, bare: every frame comes back.

That library is picows where it is installed, and otherwise uvicorn's own transport, told to do
the same. Argument: the port.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
import uvloop


async def _asgi_echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "bokeh"})
    while (event := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": event["text"]})


async def _picows_echo(picows: Any, port: int) -> None:
    class Listener(picows.WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == picows.WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            else:
                transport.send(frame.msg_type, frame.get_payload_as_bytes())

    server = await picows.ws_create_server(lambda request: Listener(), "127.0.0.1", port)
    await server.serve_forever()


def _main(port: int) -> None:
    try:
        import picows  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        uvicorn.run(
            _asgi_echo,
            host="127.0.0.1",
            port=port,
            loop="uvloop",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            log_level="warning",
        )
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_picows_echo(picows, port))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
