"""Sessions: one document each, its lock, its timers, its clients and its lifetime."""

from hyperfocal.session.admission import Admission, AdmissionLimits, Seat
from hyperfocal.session.execution import Execution
from hyperfocal.session.expiry import ExpiryRules
from hyperfocal.session.habits import Habit, Thresholds
from hyperfocal.session.lifetime import Lifetime
from hyperfocal.session.lock import TurnLock
from hyperfocal.session.presence import Client
from hyperfocal.session.registry import SessionRegistry
from hyperfocal.session.request import SessionRequest
from hyperfocal.session.session import Session
from hyperfocal.session.timers import Timer, TimerKind, Timers
from hyperfocal.session.turn import Turn, current_turn
from hyperfocal.session.watchdog import Watchdog

__all__ = (
    "Admission",
    "AdmissionLimits",
    "Client",
    "Execution",
    "ExpiryRules",
    "Habit",
    "Lifetime",
    "Seat",
    "Session",
    "SessionRegistry",
    "SessionRequest",
    "Thresholds",
    "Timer",
    "TimerKind",
    "Timers",
    "Turn",
    "TurnLock",
    "Watchdog",
    "current_turn",
)
