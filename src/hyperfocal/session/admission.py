"""Who may have a session. Decided in one place, before anything is built."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hyperfocal.clock import Clock
from hyperfocal.config import Settings
from hyperfocal.errors import BusyError

__all__ = ("Admission", "AdmissionLimits", "Seat")

#: Addresses whose rate is remembered. The ones that have been quiet for longest are forgotten.
_MAX_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many sessions there may be, those being built included; 0 is no limit.

    Attributes:
        sessions: in all.
        per_application: of one application.
        per_address: of one client address.
        per_user: of one user.
        per_minute: new ones of one client address, on average; ten seconds' worth at once.
        memory_bytes: no new ones while the process has more in memory.
    """

    sessions: int = 0
    per_application: int = 0
    per_address: int = 0
    per_user: int = 0
    per_minute: int = 0
    memory_bytes: int = 0

    @classmethod
    def of(cls, settings: Settings) -> AdmissionLimits:
        """As the settings say."""
        return cls(
            sessions=settings.max_sessions,
            per_application=settings.max_sessions_per_application,
            per_address=settings.max_sessions_per_address,
            per_user=settings.max_sessions_per_user,
            per_minute=settings.max_new_sessions_per_minute,
            memory_bytes=settings.max_memory_bytes,
        )


class Seat:
    """The right to one session, from before it is built until it has ended."""

    __slots__ = ("_admission", "address", "url", "user")

    def __init__(self, admission: Admission, url: str, address: str, user: str) -> None:
        self._admission: Admission | None = admission
        self.url = url
        self.address = address
        self.user = user

    def free(self) -> None:
        """The session has ended, or was never built. Does nothing the second time."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.freed(self)


class Admission:
    """Counts the sessions of a server and refuses what would be too many.

    Args:
        limits: what is too many.
        clock: tells the time.
        memory: how much the process has in memory, in bytes; 0 where that is not known.
        make_room: called when memory is short; may end sessions that nobody uses.
    """

    def __init__(
        self,
        limits: AdmissionLimits,
        clock: Clock,
        memory: Callable[[], int],
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._memory = memory
        self.make_room = make_room
        self._seats = 0
        self._by_url: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()
        self._by_user: Counter[str] = Counter()
        #: Address -> how many it may still have at once, and when that was so.
        self._allowances: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @property
    def seats(self) -> int:
        """How many are taken."""
        return self._seats

    def admit(self, url: str, address: str, user: str = "") -> Seat:
        """A seat for a session of the application at this URL path.

        Args:
            url: the application's URL path.
            address: the client's address; empty where there is none, as on a Unix socket.
            user: the name of who asks; empty where nobody knows.

        Raises:
            BusyError: a limit is reached. Nothing has been taken.
        """
        limits = self._limits
        if limits.sessions and self._seats >= limits.sessions:
            raise BusyError(f"it has {self._seats} sessions, as many as it may", 30)
        if limits.per_application and self._by_url[url] >= limits.per_application:
            raise BusyError("this application has as many sessions as it may", 30)
        if limits.per_address and address and self._by_address[address] >= limits.per_address:
            raise BusyError("your address has as many sessions as it may; close some pages", 30)
        if limits.per_user and user and self._by_user[user] >= limits.per_user:
            raise BusyError("you have as many sessions as you may; close some pages", 30)
        if limits.memory_bytes and self._memory() > limits.memory_bytes:
            self.make_room()
            raise BusyError("its memory is short", 30)
        if limits.per_minute and address:
            self._spend(address)
        self._seats += 1
        self._by_url[url] += 1
        if address:
            self._by_address[address] += 1
        if user:
            self._by_user[user] += 1
        return Seat(self, url, address, user)

    def _spend(self, address: str) -> None:
        """Take one from the address's allowance, a token bucket.

        Raises:
            BusyError: it has none.
        """
        per_second = self._limits.per_minute / 60
        most = max(1.0, 10 * per_second)
        now = self._clock.monotonic()
        left, then = self._allowances.pop(address, (most, now))
        left = min(most, left + (now - then) * per_second)
        self._allowances[address] = (max(left - 1.0, 0.0) if left >= 1.0 else left, now)
        if len(self._allowances) > _MAX_ADDRESSES:
            self._allowances.popitem(last=False)
        if left < 1.0:
            wait_s = int((1.0 - left) / per_second) + 1
            raise BusyError("your address opens sessions too fast", wait_s)

    def freed(self, seat: Seat) -> None:
        """A seat is free again. Called by ``Seat.free``."""
        self._seats -= 1
        for counter, key in (
            (self._by_url, seat.url),
            (self._by_address, seat.address),
            (self._by_user, seat.user),
        ):
            if key in counter:
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
