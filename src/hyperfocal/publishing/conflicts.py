"""Clients whose changes may have crossed the server's, and who are told again how things stand.

A client sets a property while the server's own change of it is still on the way to that client. The
server takes the client's value, being the later; the client takes the server's, for the same
reason; and both are left with the other's. BokehJS acknowledges nothing that it is told, so the
server cannot know which change a client had seen. It can know which changes *may* have crossed:
those of a property that somebody else has changed a short while ago. When the client has let
go of such a property, it is told once more what the server holds.

The argument: let the last change of a property that the server takes be that of client C. Everybody
else is told of it, in order, after all changes before. C is not, and ends with another value
only if it was told of somebody else's change after it had made its own, so a change that the server
had let out less than the time of a journey before it took C's. Then C is told again, after
everything before; and its value is the server's, unless C has changed it since, which begins the
argument anew. If the last change is somebody else's, C is told of it after all its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from hyperfocal.clock import TimerHandle
from hyperfocal.document import Change, subject_of
from hyperfocal.publishing.subscribers import Client

__all__ = ("QUIET_S", "Conflicts")

#: Seconds that a change may be on its way to a client, and the client's answer back.
JOURNEY_S = 30.0
#: Seconds after a client's last change of a property when it is told again.
QUIET_S = 1.0
#: Properties that are remembered before the old ones are forgotten.
_MAX_SUBJECTS = 200


class Conflicts:
    """Who may have crossed whom, in one session. Used by whoever has the session's mailbox.

    Args:
        now: tells the time, in seconds.
        look_at: has ``due`` called at a time, by somebody who has the mailbox.
    """

    def __init__(
        self,
        now: Callable[[], float],
        look_at: Callable[[float], TimerHandle],
    ) -> None:
        self._now = now
        self._look_at = look_at
        #: Subject -> who has changed it (``None``: the application, or somebody who has gone),
        #: and when they did so last.
        self._changed: dict[object, dict[object, float]] = {}
        #: By client and subject: when to tell it again, the earliest first.
        self._crossed: OrderedDict[tuple[object, object], tuple[float, Change]] = OrderedDict()
        self._forget_past = _MAX_SUBJECTS
        self._timer: TimerHandle | None = None

    def note(self, changes: Iterable[Change]) -> None:
        """These changes have been let out."""
        now = self._now()
        for change in changes:
            subject = subject_of(change)
            if subject is None:
                continue
            changed = self._changed.get(subject)
            if changed is None:
                changed = self._changed[subject] = {}
                if len(self._changed) > self._forget_past:
                    self._forget_old(now)
            for setter in change.setters:
                changed[setter] = now
            if len(changed) > 1:
                for setter in change.setters:
                    if setter is not None and self._may_cross(setter, changed, now):
                        self._cross(setter, subject, change, now)

    def note_plain(self, events: Iterable[Any]) -> None:
        """The same for events that are each about another property of a model."""
        now = self._now()
        known = self._changed
        for event in events:
            subject, setter = (event.model.id, event.attr), event.setter
            changed = known.get(subject)
            if changed is None:
                changed = known[subject] = {}
                if len(known) > self._forget_past:
                    self._forget_old(now)
                    known = self._changed
            changed[setter] = now
            if len(changed) > 1 and setter is not None and self._may_cross(setter, changed, now):
                self._cross(setter, subject, Change(event, (setter,)), now)

    @staticmethod
    def _may_cross(client: object, changed: dict[object, float], now: float) -> bool:
        """Whether a change of somebody else may have been on its way to the client."""
        return any(
            setter is not client and now - when <= JOURNEY_S for setter, when in changed.items()
        )

    def told_again(self, changes: Iterable[Change]) -> None:
        """Clients have been told of these properties once more, which they may cross as well."""
        now = self._now()
        for change in changes:
            changed = self._changed.get(subject_of(change))
            if changed is not None:
                changed[None] = now

    def _forget_old(self, now: float) -> None:
        self._changed = {
            subject: changed
            for subject, changed in self._changed.items()
            if not changed or now - max(changed.values()) <= JOURNEY_S
        }
        # What is left is young; looking again for each that comes would take for ever.
        self._forget_past = max(_MAX_SUBJECTS, 2 * len(self._changed))

    def _cross(self, client: object, subject: object, change: Change, now: float) -> None:
        self._crossed[client, subject] = (now + QUIET_S, change)
        self._crossed.move_to_end((client, subject))
        if self._timer is None:
            self._timer = self._look_at(now + QUIET_S)

    def due(self) -> dict[Client, list[Change]]:
        """The time has come: what clients have to be told again, by client."""
        self._timer = None
        now = self._now()
        due: dict[Client, list[Change]] = {}
        while self._crossed:
            key, (when, change) = next(iter(self._crossed.items()))
            if when > now:
                self._timer = self._look_at(when)
                break
            del self._crossed[key]
            due.setdefault(key[0], []).append(change)  # type: ignore[arg-type]
        return due

    def forget(self, client: object) -> None:
        """The client gets the whole document."""
        for key in [key for key in self._crossed if key[0] is client]:
            del self._crossed[key]

    def gone(self, client: object) -> None:
        """The client has gone for good; its latest changes may still cross those of others."""
        self.forget(client)
        for changed in self._changed.values():
            when = changed.pop(client, None)
            if when is not None:
                changed[None] = max(when, changed.get(None, when))

    def close(self) -> None:
        """Settle nothing more."""
        self._crossed.clear()
        self._changed.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
