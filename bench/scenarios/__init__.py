"""What is measured, by name."""

from bench import Scenario
from bench.scenarios import (
    broadcast,
    busy,
    echo,
    encoding,
    idle,
    isolation,
    opening,
    processes,
    reading,
    roundtrip,
    startup,
    streaming,
)

__all__ = ("SCENARIOS",)

_PARTS = (
    roundtrip,
    opening,
    encoding,
    idle,
    streaming,
    broadcast,
    isolation,
    busy,
    reading,
    echo,
    startup,
    processes,
)

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for part in _PARTS for scenario in part.SCENARIOS
}
