from __future__ import annotations

import asyncio

import pytest

from hyperfocal.engine import Builds
from hyperfocal.errors import BusyError
from hyperfocal.testing.clock import settle
from tests.support.serving import until


class Build:
    """One document that is built until it may end."""

    def __init__(self, builds: Builds, url: str, session_id: str, visitor: str = "") -> None:
        self.runs = False
        self.may_end = asyncio.Event()
        self._builds, self._url, self._id, self._visitor = builds, url, session_id, visitor
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._builds.slot(self._url, self._id, self._visitor):
            self.runs = True
            await self.may_end.wait()
            self.runs = False


async def started(builds: Builds, *names: str) -> list[Build]:
    made = [Build(builds, name[0], name) for name in names]
    await settle()
    return made


async def test_a_few_are_built_at_once_and_the_others_have_a_place_in_line() -> None:
    builds = Builds(2, 10)
    made = await started(builds, "a1", "a2", "a3", "a4")
    assert [one.runs for one in made] == [True, True, False, False]
    assert [builds.place(name) for name in ("a1", "a2", "a3", "a4")] == [0, 0, 1, 2]
    made[0].may_end.set()
    await settle()
    assert [one.runs for one in made] == [False, True, True, False]
    assert builds.place("a4") == 1
    for one in made:
        one.may_end.set()
    await asyncio.gather(*(one.task for one in made))


async def test_builds_that_hang_stop_no_other_application() -> None:
    builds = Builds(2, 10)
    hanging = await started(builds, "a1", "a2", "a3", "a4")
    (other, another) = await started(builds, "b1", "b2")
    assert other.runs
    assert not another.runs  # it is one at a time, as long as all places are taken
    for one in (*hanging, other, another):
        one.may_end.set()
    await asyncio.gather(*(one.task for one in (*hanging, other, another)))


async def test_one_visitor_has_half_of_the_places() -> None:
    builds = Builds(4, 10)
    theirs = [Build(builds, "a", f"a{number}", "somebody") for number in range(4)]
    await settle()
    assert [one.runs for one in theirs] == [True, True, False, False]
    assert builds.place("a3") == 2
    others = [Build(builds, "a", f"b{number}", f"other {number}") for number in range(3)]
    await settle()
    assert [one.runs for one in others] == [True, True, False]
    theirs[0].may_end.set()  # the first in line, and theirs again
    await settle()
    assert [one.runs for one in theirs] == [False, True, True, False]
    others[0].may_end.set()  # the first in line has its share
    await settle()
    assert others[2].runs
    for one in (*theirs, *others):
        one.may_end.set()
    await asyncio.gather(*(one.task for one in (*theirs, *others)))


async def test_nobody_in_particular_may_have_all_places() -> None:
    builds = Builds(4, 10)
    made = await started(builds, "a1", "a2", "a3", "a4", "a5")
    assert [one.runs for one in made] == [True, True, True, True, False]
    for one in made:
        one.may_end.set()
    await asyncio.gather(*(one.task for one in made))


async def test_a_build_that_lasts_makes_room_for_others() -> None:
    builds = Builds(1, 10, patience_s=0.05)
    first, second = await started(builds, "a1", "a2")
    assert not second.runs
    await until(lambda: second.runs)
    assert first.runs
    first.may_end.set()
    second.may_end.set()
    await asyncio.gather(first.task, second.task)
    (third,) = await started(builds, "a3")  # and nobody has left too much
    (fourth,) = await started(builds, "a4")
    assert (third.runs, fourth.runs) == (True, False)
    third.may_end.set()
    fourth.may_end.set()
    await asyncio.gather(third.task, fourth.task)


async def test_too_many_that_wait_are_refused() -> None:
    builds = Builds(1, 1)
    made = await started(builds, "a1", "a2")
    with pytest.raises(BusyError, match="1 documents wait") as caught:
        await Build(builds, "a", "a3").task
    assert caught.value.retry_after_s > 0
    for one in made:
        one.may_end.set()
    await asyncio.gather(*(one.task for one in made))


@pytest.mark.parametrize("in_the_moment_it_is_given", [False, True])
async def test_who_does_not_wait_any_more_keeps_no_place(in_the_moment_it_is_given: bool) -> None:
    builds = Builds(1, 10)
    first, gone, last = await started(builds, "a1", "a2", "a3")
    if in_the_moment_it_is_given:
        first.may_end.set()
        while first.runs:
            await asyncio.sleep(0)
    gone.task.cancel()
    await settle()
    first.may_end.set()
    await settle()
    assert not gone.runs
    assert last.runs
    last.may_end.set()
    await last.task


async def test_who_is_cancelled_in_the_moment_in_which_a_slot_is_free_has_none_to_give() -> None:
    builds = Builds(1, 10)
    first, second = await started(builds, "a1", "a2")
    first.task.cancel()
    await settle()
    assert second.runs
    (third,) = await started(builds, "a3")
    third.task.cancel()  # it waits, and has not heard of that when the slot is free
    second.task.cancel()
    results = await asyncio.gather(second.task, third.task, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    (fourth, fifth) = await started(builds, "a4", "a5")
    assert [fourth.runs, fifth.runs] == [True, False]
    for one in (fourth, fifth):
        one.may_end.set()
    await asyncio.gather(fourth.task, fifth.task)
