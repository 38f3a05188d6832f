"""Several processes behind one port: workers, placement, and passing connections on."""

from hyperfocal.cluster.roster import Member, Roster
from hyperfocal.cluster.serving import serve_with_workers

__all__ = ("Member", "Roster", "serve_with_workers")
