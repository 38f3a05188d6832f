"""``show(application)`` in the cells of a real kernel, and its output in a browser."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.browser.conftest import Tab
from tests.support.serving import ROOT, bound

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FIRST = """
import hyperfocal
from bokeh.io import output_notebook, show
from bokeh.models import Div, Slider
from bokeh.resources import INLINE

heard = []

def app(doc):
    slider, div = Slider(start=0, end=9, value=0, name="slider"), Div(text="", name="div")

    def changed(attr, old, new):
        heard.append(new)
        div.text = f"the kernel has heard {new}"

    slider.on_change("value", changed)
    doc.add_root(slider)
    doc.add_root(div)

hyperfocal.use_in_notebooks()
output_notebook(INLINE, hide_banner=True)
"""


class Kernel:
    """A kernel, and what its cells have put out."""

    def __init__(self, client: AsyncKernelClient) -> None:
        self._client = client

    async def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell. Gives what it shows, with what it prints as ``printed``."""
        shown: list[dict[str, Any]] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "display_data":
                shown.append(content["data"])
            elif message["msg_type"] == "stream":
                shown.append({"printed": content["text"]})

        reply = await self._client.execute_interactive(code, output_hook=hook, timeout=30)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
        return shown


@pytest_asyncio.fixture(loop_scope="module")
async def kernel(tmp_path: Path) -> AsyncGenerator[Kernel]:
    manager = AsyncKernelManager(transport="ipc", ip=str(tmp_path / "kernel"))
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv[0] = sys.executable
    await manager.start_kernel(
        cwd=str(ROOT), env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    )
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=30)
        yield Kernel(client)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("way", ["string", "function"])
async def test_an_application_in_a_cell_talks_to_the_kernel(
    kernel: Kernel, tab: Tab, way: str
) -> None:
    outputs: list[dict[str, Any]] = []

    async def notebook(request: Request) -> HTMLResponse:
        cells = ""
        for number, data in enumerate(outputs):
            cells += data.get("text/html", "")
            if "application/javascript" in data:
                cells += f"<script src='/scripts/{number}'></script>"
        return HTMLResponse(f"<!doctype html><link rel=icon href='data:,'><h1>N</h1>{cells}")

    async def script(request: Request) -> Response:
        text = outputs[request.path_params["number"]]["application/javascript"]
        return Response(text, media_type="text/javascript")

    page = Starlette(routes=[Route("/notebook", notebook), Route("/scripts/{number:int}", script)])
    async with bound(uvicorn.Config(page, log_config=None, lifespan="off", ws="none")) as port:
        outputs += await kernel.run(FIRST)
        url = f"'http://localhost:{port}'"
        if way == "function":
            url = f"lambda at: 'http://127.0.0.1:%d' % at if at else 'localhost:{port}'"
        outputs += await kernel.run(f"show(app, notebook_url={url})")
        await tab.open(f"http://localhost:{port}/notebook")
        await tab.js("doc.get_model_by_name('slider').value = 7")
        await tab.until("return doc.get_model_by_name('div').text == 'the kernel has heard 7'")
        ((printed),) = await kernel.run("print(heard)")
        assert json.loads(printed["printed"]) == [7]
        assert tab.problems == []
