"""What is left of visitors who have gone, whichever way they went."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from hyperfocal.testing import page_token
from hyperfocal.wire import Kind, dump_json, encode
from tests.support.applications import tiny
from tests.support.serving import Running, running, until

pytestmark = pytest.mark.usefixtures("either_transport")

#: Classes of which a visitor has some, by name: uvicorn's and Bokeh's are not ours to import here.
OF_A_VISITOR = frozenset(
    {
        *("Session", "Turn", "Progress", "Timers", "Presence", "SessionCallbacks"),
        *("BokehSessionContext", "Connection", "Outbox", "Decoder", "FrameReader"),
        *("NativeTransport", "AsgiTransport", "HttpProtocol", "WebSocketProtocol"),
        *("NativeWebSocketProtocol", "RequestResponseCycle", "SessionRequest"),
        *("Document", "DocumentModelManager", "RecordingCallbackManager", "Slider", "Div"),
    }
)


def counted() -> Counter[str]:
    """Objects, tasks, threads and file descriptors, by what they are."""
    for _ in range(3):
        gc.collect()
    found = Counter(
        name for thing in gc.get_objects() if (name := type(thing).__name__) in OF_A_VISITOR
    )
    found["tasks"] = len(asyncio.all_tasks())
    found["threads of sessions"] = sum(
        thread.name.startswith("hyperfocal-callback ") for thread in threading.enumerate()
    )
    found["file descriptors"] = len(os.listdir("/proc/self/fd"))
    return found


def grown(before: Counter[str]) -> dict[str, tuple[int, int]]:
    """What there is more of than before."""
    return {name: (before[name], now) for name, now in counted().items() if now > before[name]}


def opened() -> list[str]:
    """What the file descriptors are of."""
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return found


async def visit(server: Running, way: str) -> None:
    """Open a page, connect, move the slider, and go."""
    response = await server.http.get(server.base + "/")
    if way == "page only":
        return
    token = page_token(response.text)
    url = f"{server.ws}/ws"
    protocols = [Subprotocol("bokeh"), Subprotocol(token)]
    socket = await connect(url, subprotocols=protocols, max_size=None)
    await socket.recv()
    for frame in encode(Kind.PULL_DOC_REQ, "{}", msgid="1"):
        await socket.send(frame)
    document: Any = None
    while document is None:
        frame = await socket.recv()
        if isinstance(frame, str) and '"doc"' in frame:
            document = frame
    if way == "in the middle of a message":
        await socket.send(encode(Kind.PATCH_DOC, "{}", msgid="2")[0])
    elif way == "with a mistake":
        await socket.send("no JSON")
    elif way == "while a reply is on its way":
        for _ in range(20):
            for frame in encode(Kind.PULL_DOC_REQ, dump_json({}), msgid="3"):
                await socket.send(frame)
    if way == "politely":
        await socket.close()
    else:
        socket.transport.abort()
        await socket.wait_closed()


WAYS = (
    "page only",
    "politely",
    "at once",
    "in the middle of a message",
    "with a mistake",
    "while a reply is on its way",
)


async def all_visit(server: Running, times: int) -> None:
    for _ in range(times):
        await asyncio.gather(*(visit(server, way) for way in WAYS))


async def all_gone(server: Running) -> None:
    """Let everybody be seen to have gone, and their sessions end."""
    context = server.context()
    await until(lambda: all(session.connection_count == 0 for session in context.sessions))
    for session in context.sessions:
        await context.discard(session, "the test is over")
    await server.http.aclose()
    await until(lambda: not server.uvicorn.server_state.connections)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts file descriptors of Linux")
async def test_nothing_is_left_of_visitors_who_have_gone() -> None:
    async with running(tiny, prewarm=0) as server:
        first = server.http
        await all_visit(server, 2)  # what is made once is made
        await all_gone(server)
        before = counted()
        for _ in range(2):
            server.http = type(first)(verify=False)
            await all_visit(server, 8)
            assert len(server.context().sessions) == 8 * len(WAYS)
            await all_gone(server)
        # Tasks end and sockets close in the next turns of the loop, on both sides of a connection.
        try:
            await until(lambda: not grown(before))
        except TimeoutError:
            assert grown(before) == {}, opened()
