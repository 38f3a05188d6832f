"""What happened in a session's turns, and who is told of it."""

from hyperfocal.publishing.conflicts import Conflicts
from hyperfocal.publishing.progress import Progress
from hyperfocal.publishing.publisher import Publisher, Said
from hyperfocal.publishing.subscribers import Client, Subscribers

__all__ = ("Client", "Conflicts", "Progress", "Publisher", "Said", "Subscribers")
