"""The time in six cities, as the columns of a data source: one row for each clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

ZONES = {
    "Vancouver": ZoneInfo("America/Vancouver"),
    "São Paulo": ZoneInfo("America/Sao_Paulo"),
    "Lisbon": ZoneInfo("Europe/Lisbon"),
    "Nairobi": ZoneInfo("Africa/Nairobi"),
    "Kathmandu": ZoneInfo("Asia/Kathmandu"),
    "Tokyo": ZoneInfo("Asia/Tokyo"),
}
DAY, NIGHT = ("#fffbeb", "#b45309", "#1f2937"), ("#1e293b", "#64748b", "#f1f5f9")


def clock_hands() -> dict[str, list]:
    """Where the hands of every clock are now, what it says, and its colors."""
    now = datetime.now().astimezone()
    times = [now.astimezone(zone) for zone in ZONES.values()]
    seconds = np.array([t.second for t in times])
    minutes = np.array([t.minute for t in times]) + seconds / 60
    hours = np.array([t.hour for t in times]) + minutes / 60
    columns: dict[str, list] = {
        "city": list(ZONES),
        "label": [t.strftime("%A %H:%M:%S") for t in times],
    }
    for hand, turns, length in (
        ("hour", hours / 12, 0.5),
        ("minute", minutes / 60, 0.72),
        ("second", seconds / 60, 0.82),
    ):
        columns[f"{hand}_x"] = (length * np.sin(2 * np.pi * turns)).tolist()
        columns[f"{hand}_y"] = (length * np.cos(2 * np.pi * turns)).tolist()
    colors = [DAY if 6 <= t.hour < 18 else NIGHT for t in times]
    columns["face"], columns["rim"], columns["ink"] = map(list, zip(*colors, strict=True))
    return columns
