"""A timer that plain code in a worker thread had set could not be cancelled under uvloop."""

from __future__ import annotations

import asyncio

import pytest

from hyperfocal.engine import Owner, ThreadedEngine, ThreadLimits

uvloop = pytest.importorskip("uvloop")


def test_a_timer_of_a_thread_is_cancelled() -> None:
    called: list[str] = []

    async def main() -> None:
        engine = ThreadedEngine(ThreadLimits())
        engine.start()

        def work() -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(0.001, called.append, "cancelled").cancel()
            loop.call_later(0.002, called.append, "kept")

        await engine.call(Owner(), work)
        async with asyncio.timeout(10):
            while not called:
                await asyncio.sleep(0.001)
        engine.close()

    uvloop.run(main())
    assert called == ["kept"]
