"""For tests of applications and of servers: a client without a browser, a clock set by hand."""

from hyperfocal.testing.client import WireClient, page_token
from hyperfocal.testing.clock import ManualClock

__all__ = ("ManualClock", "WireClient", "page_token")
