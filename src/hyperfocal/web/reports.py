"""What the server says of itself at intervals: its sessions and clients, and its memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Protocol

from hyperfocal.config import Settings
from hyperfocal.contexts import ApplicationContext
from hyperfocal.telemetry import Event, MemoryUsage, Statistics, Telemetry
from hyperfocal.telemetry.memory import resident_bytes, virtual_bytes

__all__ = ("reporting",)


class _Served(Protocol):
    @property
    def url(self) -> str: ...
    @property
    def context(self) -> ApplicationContext: ...


@contextlib.asynccontextmanager
async def reporting(
    settings: Settings, served: Iterable[_Served], telemetry: Telemetry
) -> AsyncGenerator[None]:
    """Emit reports until the end of the block.

    Args:
        settings: how often, in milliseconds; 0: never.
        served: the applications.
        telemetry: hears of it.
    """
    applications = tuple(served)
    due: list[tuple[int, Callable[[], Event]]] = [
        (settings.stats_log_frequency_ms, lambda: _statistics(applications)),
        (settings.mem_log_frequency_ms, lambda: MemoryUsage(resident_bytes(), virtual_bytes())),
    ]
    tasks = [
        asyncio.create_task(_repeat(every_ms / 1000, report, telemetry), name="hyperfocal-report")
        for every_ms, report in due
        if every_ms
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(every_s: float, report: Callable[[], Event], telemetry: Telemetry) -> None:
    while True:
        await asyncio.sleep(every_s)
        telemetry.emit(report())


def _statistics(served: Iterable[_Served]) -> Statistics:
    connections = 0
    sessions: dict[str, tuple[int, int]] = {}
    for one in served:
        counts = [session.connection_count for session in one.context.sessions]
        connections += sum(counts)
        sessions[one.url] = len(counts), counts.count(0)
    return Statistics(connections, sessions)
