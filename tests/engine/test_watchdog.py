"""The thread that sees event loops stand still."""

from __future__ import annotations

import asyncio
import threading

from hyperfocal.engine import Watchdog
from hyperfocal.telemetry import Event, LoopBlocked, Telemetry
from tests.support.engines import threaded


async def test_a_coroutine_that_wakes_by_itself_and_computes_is_noticed() -> None:
    async with threaded(on_host=False) as engine:
        telemetry, told, wakes = Telemetry(), threading.Event(), threading.Event()
        heard: list[LoopBlocked] = []

        def hear(event: Event) -> None:
            if isinstance(event, LoopBlocked):
                heard.append(event)
                told.set()

        async def careless() -> bool:
            await asyncio.sleep(0.3)  # meanwhile no job runs
            wakes.set()
            return told.wait(20)  # where the loop stands still

        telemetry.subscribe(hear)
        watchdog = Watchdog(0.05, engine, telemetry)
        watchdog.start()
        task = asyncio.run_coroutine_threadsafe(careless(), engine.application_loop)
        engine.stirred.set()  # as the job does that starts it
        assert await asyncio.wrap_future(task)
        assert wakes.is_set()
        assert [event.is_io for event in heard] == [False]
        assert "careless" in heard[0].stack
        watchdog.close()
