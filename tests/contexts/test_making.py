"""The beginning of sessions, where it goes wrong."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from bokeh.document import Document

from hyperfocal.contexts import ApplicationContext, making
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


async def test_an_end_that_fails_takes_the_session_and_its_seat_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(document: Document) -> None:
        raise ZeroDivisionError("settling")

    monkeypatch.setattr(making, "settle", fail)
    freed: list[str] = []
    async with threaded() as engine:
        context = ApplicationContext(application(lambda document: None), engine=engine)
        session = await context.create_session_if_needed("one")

        class Place:
            def free(self) -> None:
                freed.append("one")

        session.seat = Place()  # type: ignore[assignment]
        with contextlib.suppress(ZeroDivisionError):
            await context.discard(session, "a test")
        assert session.destroyed
        assert freed == ["one"]
