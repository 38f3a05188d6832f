"""The beginning of sessions, where it goes wrong."""

from __future__ import annotations

import asyncio

from bokeh.document import Document

from hyperfocal.contexts import ApplicationContext
from tests.support.applications import application
from tests.support.engines import Gate, threaded


async def test_the_end_of_all_tasks_waits_for_no_build_that_is_stuck() -> None:
    gate = Gate()

    def stuck(document: Document) -> None:
        gate()

    async with threaded() as engine:
        context = ApplicationContext(application(stuck), engine=engine)
        before = asyncio.all_tasks()
        making = asyncio.ensure_future(context.create_session_if_needed("one"))
        await gate.until_begun()
        for task in asyncio.all_tasks() - before:  # as asyncio.run does in the end
            task.cancel()
        done, _ = await asyncio.wait({making}, timeout=5)
        rest = asyncio.all_tasks() - before
        if rest:
            _, rest = await asyncio.wait(rest, timeout=5)
        assert done
        assert not rest
        gate.may_end.set()
