from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperfocal.errors import BusyError
from hyperfocal.session import Admission, AdmissionLimits, Seat
from hyperfocal.testing import ManualClock


def admission(memory: Any = lambda: 0, **limits: int) -> tuple[Admission, ManualClock]:
    clock = ManualClock()
    return Admission(AdmissionLimits(**limits), clock, memory), clock


def refusal(asked: Admission, url: str = "/a", address: str = "1.2.3.4") -> BusyError:
    before = asked.seats
    with pytest.raises(BusyError) as caught:
        asked.admit(url, address)
    assert asked.seats == before
    assert caught.value.retry_after_s > 0
    return caught.value


def test_without_limits_everybody_is_admitted() -> None:
    asked, _ = admission()
    seats = [asked.admit("/a", "1.2.3.4") for _ in range(1000)]
    assert asked.seats == len(seats)


@pytest.mark.parametrize(
    ("limit", "others"),
    [
        ("sessions", []),
        ("per_application", [("/b", "1.2.3.4")]),
        ("per_address", [("/a", "5.6.7.8"), ("/a", "")]),
    ],
)
def test_each_limit_is_about_its_own_kind(limit: str, others: list[tuple[str, str]]) -> None:
    asked, _ = admission(**{limit: 2})
    seats = [asked.admit("/a", "1.2.3.4") for _ in range(2)]
    refusal(asked)
    for url, address in others:
        asked.admit(url, address).free()
    seats[0].free()
    asked.admit("/a", "1.2.3.4")
    refusal(asked)


def test_a_seat_is_freed_once() -> None:
    asked, _ = admission(sessions=1)
    seat = asked.admit("/a", "")
    seat.free()
    seat.free()
    assert asked.seats == 0


def test_an_address_may_open_so_many_in_a_minute_and_some_at_once() -> None:
    asked, clock = admission(per_minute=60)
    for _ in range(10):  # ten seconds' worth
        asked.admit("/a", "1.2.3.4")
    assert refusal(asked).retry_after_s == 2
    asked.admit("/a", "5.6.7.8")
    asked.admit("/a", "")  # a Unix socket has no address
    clock.set(clock.monotonic() + 1.0)
    asked.admit("/a", "1.2.3.4")
    refusal(asked)
    clock.set(clock.monotonic() + 3600)
    for _ in range(10):
        asked.admit("/a", "1.2.3.4")
    refusal(asked)


def test_a_low_rate_lets_one_through_at_a_time() -> None:
    asked, clock = admission(per_minute=1)
    asked.admit("/a", "1.2.3.4")
    wait = refusal(asked).retry_after_s
    assert 60 <= wait <= 61
    clock.set(clock.monotonic() + wait)
    asked.admit("/a", "1.2.3.4")


def test_refusals_do_not_prolong_the_wait() -> None:
    asked, clock = admission(per_minute=60)
    for _ in range(10):
        asked.admit("/a", "1.2.3.4")
    for _ in range(100):
        refusal(asked)
    clock.set(clock.monotonic() + 1.01)
    asked.admit("/a", "1.2.3.4")


def test_the_addresses_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hyperfocal.session.admission._MAX_ADDRESSES", 3)
    asked, _ = admission(per_minute=6)
    for number in range(5):
        asked.admit("/a", f"1.2.3.{number}")
    assert len(asked._allowances) == 3
    refusal(asked, address="1.2.3.4")
    asked.admit("/a", "1.2.3.0")  # forgotten


def test_while_memory_is_short_nobody_is_admitted_and_room_is_made() -> None:
    used = 100
    asked, _ = admission(lambda: used, memory_bytes=100)
    rooms: list[int] = []
    asked.make_room = lambda: rooms.append(1)
    asked.admit("/a", "")
    used = 101
    assert "memory" in refusal(asked).reason
    assert rooms == [1]
    used = 90
    asked.admit("/a", "")


@given(
    st.lists(
        st.tuples(st.sampled_from(["/a", "/b"]), st.sampled_from(["", "1", "2"]), st.booleans())
    )
)
def test_no_limit_is_ever_exceeded_and_nothing_is_lost(steps: list[tuple[str, str, bool]]) -> None:
    asked, _ = admission(sessions=5, per_application=3, per_address=2)
    seats: list[Seat] = []
    for url, address, leaves in steps:
        if leaves and seats:
            seats.pop(0).free()
            continue
        fits = (
            len(seats) < 5
            and sum(seat.url == url for seat in seats) < 3
            and (not address or sum(seat.address == address for seat in seats) < 2)
        )
        try:
            seats.append(asked.admit(url, address))
        except BusyError:
            assert not fits
        else:
            assert fits
        assert asked.seats == len(seats)
    for seat in seats:
        seat.free()
    assert asked.seats == 0
    assert not asked._by_url
    assert not asked._by_address
