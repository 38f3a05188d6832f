"""What the system tells of a thread."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from hyperfocal.session.effort import Effort, own_seconds, thread_effort


@pytest.mark.parametrize(
    ("before", "after", "own_s"),
    [
        (None, None, 2.0),
        (Effort(1.0, 5), Effort(1.5, 5), 0.5),
        (Effort(1.0, 5), Effort(1.5, 6), 2.0),
        (Effort(1.0, 5), Effort(9.0, 5), 2.0),  # the clocks need not agree
    ],
)
def test_own_seconds(before: Effort | None, after: Effort | None, own_s: float) -> None:
    assert own_seconds(2.0, before, after) == own_s


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_the_effort_of_a_thread_is_its_own() -> None:
    def burn() -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    before = thread_effort()
    other = threading.Thread(target=burn)
    other.start()
    other.join()
    after = thread_effort()
    assert before is not None
    assert after is not None
    assert after.cpu_s - before.cpu_s < 0.05
    assert after.waits > before.waits
    burn()
    last = thread_effort()
    assert last is not None
    assert last.cpu_s - after.cpu_s >= 0.04
