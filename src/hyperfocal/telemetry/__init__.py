"""What happened: events that code emits, and subscribers that log and count them."""

from hyperfocal.telemetry.events import (
    ApplicationLoaded,
    ApplicationUnloaded,
    BuildFailed,
    CallbackFailed,
    CodeMoved,
    ConnectionClosed,
    ConnectionOpened,
    ConnectionRefused,
    Event,
    HookFailed,
    LoopBlocked,
    OutboxOverflowed,
    PatchRefused,
    PrewarmingStopped,
    SessionCreated,
    SessionDestroyed,
    TimerLate,
    TurnLong,
)
from hyperfocal.telemetry.subscribers import Counters, LogSubscriber
from hyperfocal.telemetry.telemetry import Telemetry

__all__ = (
    "ApplicationLoaded",
    "ApplicationUnloaded",
    "BuildFailed",
    "CallbackFailed",
    "CodeMoved",
    "ConnectionClosed",
    "ConnectionOpened",
    "ConnectionRefused",
    "Counters",
    "Event",
    "HookFailed",
    "LogSubscriber",
    "LoopBlocked",
    "OutboxOverflowed",
    "PatchRefused",
    "PrewarmingStopped",
    "SessionCreated",
    "SessionDestroyed",
    "Telemetry",
    "TimerLate",
    "TurnLong",
)
