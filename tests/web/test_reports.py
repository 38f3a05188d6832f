"""What the server says of itself at intervals."""

from __future__ import annotations

from hyperfocal.telemetry import MemoryUsage, Statistics
from hyperfocal.telemetry.memory import resident_bytes, virtual_bytes
from tests.support.applications import tiny
from tests.support.serving import running, until


async def test_sessions_and_clients_are_counted_at_intervals() -> None:
    async with running({"/a": tiny, "/b": tiny}, stats_log_frequency_ms=10) as server:
        await server.token("/a")
        async with server.client("/a"), server.client("/b"):
            expected = Statistics(2, {"/a": (2, 1), "/b": (1, 0)})
            await until(lambda: expected in server.events.of(Statistics))
        assert not server.events.of(MemoryUsage)


async def test_memory_is_told_at_intervals() -> None:
    async with running(tiny, mem_log_frequency_ms=10, stats_log_frequency_ms=0) as server:
        await until(lambda: len(server.events.of(MemoryUsage)) > 1)
        assert not server.events.of(Statistics)
    usage = server.events.of(MemoryUsage)[-1]
    assert 0 < usage.resident < usage.virtual
    assert resident_bytes() > 2**20
    assert virtual_bytes() > resident_bytes()
