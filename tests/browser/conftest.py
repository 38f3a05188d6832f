"""Stock BokehJS in a real Chromium.

The tests of a file share one Chromium, and so one event loop: each file here says
``pytest.mark.asyncio(loop_scope="module")``. Every test has a profile of its own in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("HYPERFOCAL_CHROMIUM") or next(
        filter(None, map(shutil.which, names)), None
    )
    if found is None:
        pytest.fail("no Chromium found: run `make chromium`, or set HYPERFOCAL_CHROMIUM")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """A page whose console is watched."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("requestfailed", self._request_failed)

    def _console(self, message: Any) -> None:
        if "GPU stall due to ReadPixels" in message.text:
            return  # the driver's word on WebGL without a graphics card
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _request_failed(self, request: Any) -> None:
        self.problems.append(f"failed: {request.url}")

    async def open(self, url: str) -> None:
        """Open an application and wait until its document is shown and idle."""
        await self.page.goto(url)
        await self.page.wait_for_function(
            "() => window.Bokeh?.documents?.length > 0 && Bokeh.documents.every(doc => doc.is_idle)"
        )

    async def js(self, body: str, argument: Any = None) -> Any:
        """Run the body of a function of (doc, arg)."""
        return await self.page.evaluate(
            f"arg => {{ const doc = window.Bokeh?.documents[0]; {body} }}", argument
        )

    async def until(self, body: str, argument: Any = None, timeout_s: float = 20) -> None:
        """Wait until the body of a function of (doc, arg) returns something true."""
        await self.page.wait_for_function(
            f"arg => {{ const doc = window.Bokeh?.documents[0]; {body} }}",
            arg=argument,
            timeout=timeout_s * 1000,
        )


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncGenerator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 1200, "height": 900})
    try:
        yield context
    finally:
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def tab(context: BrowserContext) -> Tab:
    return Tab(await context.new_page())
