"""Where code runs: mailboxes, and the threads and loops that work through them.

Knows nothing of Bokeh. ``docs/architecture.md`` has the plan.
"""

from hyperfocal.engine.builds import Builds
from hyperfocal.engine.crew import Crew, ThreadLimits, Worker
from hyperfocal.engine.engine import Coroutines, Engine, InlineEngine, Outcome, ThreadedEngine
from hyperfocal.engine.mailbox import Job, Mailbox, Owner, Scheduler
from hyperfocal.engine.sinks import Sink
from hyperfocal.engine.stacks import describe, frame_of
from hyperfocal.engine.threadloop import ThreadLoop
from hyperfocal.engine.watchdog import Watchdog

__all__ = (
    "Builds",
    "Coroutines",
    "Crew",
    "Engine",
    "InlineEngine",
    "Job",
    "Mailbox",
    "Outcome",
    "Owner",
    "Scheduler",
    "Sink",
    "ThreadLimits",
    "ThreadLoop",
    "ThreadedEngine",
    "Watchdog",
    "Worker",
    "describe",
    "frame_of",
)
