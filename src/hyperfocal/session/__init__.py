"""Sessions: one document each, its turns, its timers, its clients and its lifetime."""

from hyperfocal.publishing import Client
from hyperfocal.session.admission import Admission, AdmissionLimits, Seat
from hyperfocal.session.callbacks import is_coroutine
from hyperfocal.session.expiry import ExpiryRules
from hyperfocal.session.lifetime import Lifetime
from hyperfocal.session.registry import SessionRegistry
from hyperfocal.session.request import SessionRequest
from hyperfocal.session.session import Session
from hyperfocal.session.timers import Ended, Timer, TimerKind, Timers, callback_name
from hyperfocal.session.turn import Turn, current_turn
from hyperfocal.session.turns import Turns

__all__ = (
    "Admission",
    "AdmissionLimits",
    "Client",
    "Ended",
    "ExpiryRules",
    "Lifetime",
    "Seat",
    "Session",
    "SessionRegistry",
    "SessionRequest",
    "Timer",
    "TimerKind",
    "Timers",
    "Turn",
    "Turns",
    "callback_name",
    "current_turn",
    "is_coroutine",
)
