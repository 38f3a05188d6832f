"""Jobs in real threads: who has which, what lasts, and what code in them may do."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from hyperfocal.engine import Engine, Mailbox, Owner, ThreadedEngine, ThreadLimits
from hyperfocal.errors import BusyError
from tests.support.engines import Gate, threaded
from tests.support.serving import until


async def test_code_runs_elsewhere_and_what_it_gives_or_raises_comes_back() -> None:
    async with threaded() as engine:
        assert await engine.call(Owner(), threading.get_ident) != threading.get_ident()
        with pytest.raises(KeyError, match="x"):
            await engine.call(Owner(), lambda: dict[str, int]()["x"])
        with pytest.raises(SystemExit):
            await engine.call(Owner(), sys.exit)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await engine.call(Owner(), lambda: next(iter(())))


async def test_quick_jobs_share_one_thread() -> None:
    async with threaded() as engine:
        engine._threads._is_looking = True  # none is overtaken, however busy the machine is
        threads = {await engine.call(Owner(), threading.get_ident) for _ in range(50)}
        assert len(threads) == 1


async def test_a_job_that_lasts_is_overtaken_and_loses_nothing() -> None:
    async with threaded() as engine:
        stuck = [Gate() for _ in range(5)]
        calls = [asyncio.ensure_future(engine.call(Owner(), gate)) for gate in stuck]
        results = await asyncio.gather(
            *(engine.call(Owner(), lambda number=number: number) for number in range(100))  # type: ignore[misc]
        )
        assert results == list(range(100))
        assert not any(call.done() for call in calls)
        for gate in stuck:
            gate.may_end.set()
        await asyncio.gather(*calls)
        assert await engine.call(Owner(), lambda: "goes on") == "goes on"


async def test_forty_of_one_visitor_that_never_return_stop_nobody_else() -> None:
    async with threaded(ThreadLimits(threads=12, per_visitor=4, per_application=8)) as engine:
        gates = [Gate() for _ in range(40)]
        calls = [
            asyncio.ensure_future(engine.call(Owner("somebody", "/a"), gate)) for gate in gates
        ]
        await until(lambda: sum(gate.begun.is_set() for gate in gates) == 4)
        for number in range(20):
            owner = Owner(f"visitor {number}", "/a")
            assert await asyncio.wait_for(engine.call(owner, lambda: "served"), 10) == "served"
        assert sum(gate.begun.is_set() for gate in gates) == 4
        for gate in gates:
            gate.may_end.set()
        await asyncio.gather(*calls)


async def test_one_visitor_never_has_all_threads_however_few_there_are() -> None:
    async with threaded(ThreadLimits(threads=2)) as engine:
        gates = [Gate() for _ in range(5)]
        calls = [
            asyncio.ensure_future(engine.call(Owner("somebody", "/a"), gate)) for gate in gates
        ]
        await until(lambda: any(gate.begun.is_set() for gate in gates))
        assert await asyncio.wait_for(engine.call(Owner("another", "/a"), lambda: 1), 5) == 1
        for gate in gates:
            gate.may_end.set()
        await asyncio.gather(*calls)


async def test_an_application_that_hangs_leaves_threads_to_others() -> None:
    async with threaded(ThreadLimits(threads=6, per_visitor=6, per_application=4)) as engine:
        gates = [Gate() for _ in range(10)]
        calls = [
            asyncio.ensure_future(engine.call(Owner(f"v{number}", "/hangs"), gate))
            for number, gate in enumerate(gates)
        ]
        await until(lambda: sum(gate.begun.is_set() for gate in gates) == 4)
        for _ in range(10):
            assert await asyncio.wait_for(engine.call(Owner("", "/other"), lambda: 1), 10) == 1
        for gate in gates:
            gate.may_end.set()
        await asyncio.gather(*calls)


async def test_the_jobs_of_a_mailbox_keep_their_order_whatever_is_overtaken() -> None:
    async with threaded() as engine:
        mailboxes = [engine.mailbox(Owner("", "/", f"{n}")) for n in range(8)]
        orders: list[list[int]] = [[] for _ in mailboxes]
        inside: set[int] = set()

        def job(number: int, order: int) -> None:
            assert number not in inside
            inside.add(number)
            if order % 10 == 3:
                threading.Event().wait(0.01)
            orders[number].append(order)
            inside.discard(number)
            mailboxes[number].release()

        def post_all(numbers: range) -> None:
            for order in range(60):
                for number in numbers:
                    mailboxes[number].post(lambda n=number, o=order: job(n, o))  # type: ignore[misc]

        other = asyncio.create_task(asyncio.to_thread(post_all, range(4)))
        post_all(range(4, 8))
        await other
        await until(lambda: all(len(order) == 60 for order in orders))
        assert all(order == list(range(60)) for order in orders)


async def test_a_job_that_lasts_is_told_once_and_shown() -> None:
    async with threaded() as engine:
        told: list[str] = []
        mailbox = engine.mailbox(Owner("", "/a", "session x"))
        mailbox.on_lasting = lambda: told.append("lasts")
        gate = Gate()
        call = asyncio.ensure_future(engine.call_in(mailbox, gate))
        await until(lambda: told)
        ((shown, seconds, thread),) = engine.lasting_jobs(0.01)
        assert shown is mailbox
        assert seconds >= 0.05
        assert thread == gate.threads[0]
        gate.may_end.set()
        await call
        assert told == ["lasts"]
        await until(lambda: not engine.lasting_jobs(0.0))


async def test_the_interpreter_changes_hands_quickly_only_while_somebody_is_overtaken() -> None:
    before = sys.getswitchinterval()
    async with threaded() as engine:
        gate = Gate()
        call = asyncio.ensure_future(engine.call(Owner(), gate))
        await gate.until_begun()
        await engine.call(Owner(), lambda: None)
        await until(lambda: sys.getswitchinterval() < before)
        gate.may_end.set()
        await call
        await engine.call(Owner(), lambda: None)
        await until(lambda: sys.getswitchinterval() == before)


# --- threads of their own -----------------------------------------------------------------------


async def test_a_mailbox_can_keep_the_thread_that_it_is_in() -> None:
    async with threaded(ThreadLimits(own=1)) as engine:
        mine, other = engine.mailbox(Owner()), engine.mailbox(Owner())

        def keep(mailbox: Mailbox) -> int:
            engine.keep_thread(mailbox)
            engine.keep_thread(mailbox)  # again is no other
            return threading.get_ident()

        thread = await engine.call_in(mine, lambda: keep(mine))
        for _ in range(5):
            assert await engine.call_in(mine, threading.get_ident) == thread
            assert await engine.call(Owner(), threading.get_ident) != thread
        with pytest.raises(BusyError, match="--own-threads"):
            await engine.call_in(other, lambda: keep(other))
        engine.end_keeping(mine)
        await until(lambda: mine.keeper is None)
        assert await engine.call_in(other, lambda: keep(other)) != thread
        engine.end_keeping(other)


async def test_a_thread_of_its_own_that_is_stuck_stops_its_mailbox_alone() -> None:
    async with threaded() as engine:
        mine = engine.mailbox(Owner())
        await engine.call_in(mine, lambda: engine.keep_thread(mine))
        gate = Gate()
        call = asyncio.ensure_future(engine.call_in(mine, gate))
        await gate.until_begun()
        assert await engine.call(Owner(), lambda: "served") == "served"
        await until(lambda: [one[0] for one in engine.lasting_jobs(0.05)] == [mine])
        gate.may_end.set()
        await call
        engine.end_keeping(mine)


# --- what is written ----------------------------------------------------------------------------


class Socket:
    """What has something to write."""

    def __init__(self, *, can_be_written: bool) -> None:
        self.can_be_written = can_be_written
        self.written: list[int] = []
        self.on_loop: list[int] = []

    def write_collected(self) -> bool:
        if self.can_be_written:
            self.written.append(threading.get_ident())
        return self.can_be_written

    def write_on_loop(self) -> None:
        self.on_loop.append(threading.get_ident())


async def test_what_a_job_collects_is_written_by_its_thread_or_else_by_the_loop() -> None:
    async with threaded() as engine:
        easy, hard = Socket(can_be_written=True), Socket(can_be_written=False)

        def job() -> None:
            engine.collect(easy)
            engine.collect(hard)

        await engine.call(Owner(), job)
        await until(lambda: (easy.written or easy.on_loop) and hard.on_loop)
        here = threading.get_ident()
        # A look may have come first, or a thread that took the queue from one that was kept.
        assert (len(easy.written), easy.on_loop) in ((1, []), (0, [here]))
        assert here not in easy.written
        assert hard.on_loop == [here]


async def test_what_was_collected_does_not_wait_behind_a_job_that_is_stuck() -> None:
    async with threaded() as engine:
        socket, gate = Socket(can_be_written=True), Gate()

        def job() -> None:
            engine.collect(socket)
            gate()

        call = asyncio.ensure_future(engine.call(Owner(), job))
        await until(lambda: socket.written or socket.on_loop)
        assert not call.done()
        gate.may_end.set()
        await call


async def test_what_anybody_else_collects_the_loop_writes() -> None:
    async with threaded() as engine:
        socket = Socket(can_be_written=True)
        await asyncio.to_thread(engine.collect, socket)
        await until(lambda: socket.on_loop)
        engine.collect(socket)
        await until(lambda: len(socket.on_loop) == 2)


# --- the application loop -----------------------------------------------------------------------


async def test_async_code_has_a_loop_of_its_own_which_nothing_ends() -> None:
    async with threaded(on_host=False) as engine:

        async def where() -> tuple[int, Any]:
            return threading.get_ident(), asyncio.get_running_loop()

        thread, loop = await engine.settle(where())
        assert thread != threading.get_ident()
        assert loop is engine.application_loop

        async def leave() -> None:
            loop.stop()
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            await engine.settle(leave())
        loop.call_soon_threadsafe(sys.exit)
        assert (await engine.settle(where()))[0] == thread


async def test_a_coroutine_that_computes_delays_nothing_but_coroutines() -> None:
    async with threaded(on_host=False) as engine:
        gate = Gate()

        async def computes() -> None:
            gate()

        computing = asyncio.ensure_future(engine.settle(computes()))
        await gate.until_begun()
        assert await engine.call(Owner(), lambda: "served") == "served"
        assert not computing.done()
        gate.may_end.set()
        await computing


async def test_on_a_hosts_loop_async_code_runs_there() -> None:
    async with threaded(on_host=True) as engine:

        async def where() -> int:
            return threading.get_ident()

        assert await engine.settle(where()) == threading.get_ident()


def _wait_for_a_coroutine(engine: Engine) -> str:
    async def later() -> str:
        await asyncio.sleep(0)
        return "done"

    loop = asyncio.get_running_loop()
    return asyncio.run_coroutine_threadsafe(later(), loop).result(10)


async def test_plain_code_sees_the_application_loop_as_its_own() -> None:
    async with threaded(on_host=False) as engine:
        assert await engine.call(Owner(), lambda: _wait_for_a_coroutine(engine)) == "done"
        ran: list[str] = []
        tasks: list[asyncio.Task[None]] = []

        async def task() -> None:
            ran.append("task")

        def plain() -> None:
            loop = asyncio.get_event_loop()
            tasks.append(asyncio.create_task(task()))
            loop.call_later(0.0, ran.append, "later")
            loop.call_soon_threadsafe(lambda: loop.create_task(task()))

        await engine.call(Owner(), plain)
        await until(lambda: len(ran) == 3)
        assert sorted(ran) == ["later", "task", "task"]


def test_an_engine_names_its_loops_before_anything_runs() -> None:
    async def main() -> None:
        engine = ThreadedEngine(ThreadLimits())
        assert engine.loop is asyncio.get_running_loop()
        engine.close()

    asyncio.run(main())


async def test_what_was_posted_before_a_thread_of_its_own_ends_is_still_run() -> None:
    async with threaded() as engine:
        mine = engine.mailbox(Owner())
        await engine.call_in(mine, lambda: engine.keep_thread(mine))
        gate = Gate()
        calls = [asyncio.ensure_future(engine.call_in(mine, gate))]
        calls += [asyncio.ensure_future(engine.call_in(mine, lambda: None)) for _ in range(5)]
        await gate.until_begun()
        engine.end_keeping(mine)
        gate.may_end.set()
        async with asyncio.timeout(5):
            await asyncio.gather(*calls)
        await until(lambda: mine.keeper is None)
        assert await asyncio.wait_for(engine.call_in(mine, lambda: "served"), 5) == "served"


async def test_a_job_that_comes_in_the_midst_of_a_look_is_looked_at() -> None:
    async with threaded() as engine:
        await engine.call(Owner(), lambda: None)
        crew = engine._threads._crew
        await until(lambda: not engine._threads._is_looking)
        found, stuck, others = crew.found_lasting, Gate(), engine.mailbox(Owner())
        served = threading.Event()

        def serve() -> None:
            served.set()
            others.release()

        def post() -> None:
            stuck_in = engine.mailbox(Owner())

            def job() -> None:
                stuck()
                stuck_in.release()

            stuck_in.post(job)
            others.post(serve)

        def meanwhile(now: float, seconds: float) -> tuple[list[Mailbox], bool]:
            result = found(now, seconds)
            crew.found_lasting = found  # type: ignore[method-assign]
            thread = threading.Thread(target=post)
            thread.start()
            thread.join()
            return result

        crew.found_lasting = meanwhile  # type: ignore[method-assign]
        engine._threads._is_looking = True
        engine._threads._look()
        await until(served.is_set)
        stuck.may_end.set()


async def test_a_thread_that_cannot_be_started_is_started_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started = threading.Thread.start
    fails = [True] * 5

    def start(thread: threading.Thread) -> None:
        if thread.name == "hyperfocal-turns" and fails:
            fails.pop()
            raise RuntimeError("can't start new thread")
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    async with threaded() as engine:
        assert await asyncio.wait_for(engine.call(Owner(), lambda: "served"), 5) == "served"
        assert not fails
        assert caplog.text.count("can't start new thread") == 1


async def test_coverage_and_debuggers_see_what_threads_run() -> None:
    seen: list[str] = []

    def trace(frame: Any, event: str, argument: Any) -> None:
        seen.append(frame.f_code.co_name)

    def code_of_an_application() -> None: ...

    before = threading.gettrace()
    threading.settrace(trace)
    try:
        async with threaded() as engine:
            await engine.call(Owner(), code_of_an_application)
    finally:
        threading.settrace(before)
    assert "code_of_an_application" in seen


async def test_a_sink_that_fails_takes_no_thread_along(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Socket):
        def write_collected(self) -> bool:
            raise ZeroDivisionError("broken")

        def write_on_loop(self) -> None:
            raise ZeroDivisionError("broken")

    async with threaded() as engine:
        for _ in range(3):
            good = Socket(can_be_written=True)
            await engine.call(Owner(), lambda: engine.collect(Broken(can_be_written=True)))
            await engine.call(Owner(), lambda good=good: engine.collect(good))  # type: ignore[misc]
            await until(lambda good=good: good.written or good.on_loop)  # type: ignore[misc]
        last = Socket(can_be_written=True)
        engine.collect(Broken(can_be_written=True))
        engine.collect(last)
        await until(lambda: last.written or last.on_loop)
    assert "broken" in caplog.text


async def test_two_engines_leave_the_interpreter_as_it_was() -> None:
    before = sys.getswitchinterval()
    async with threaded() as first, threaded() as second:
        for engines in ((first, second), (second, first)):
            gates = [Gate(), Gate()]
            calls = []
            for engine, gate in zip(engines, gates, strict=True):
                calls.append(asyncio.ensure_future(engine.call(Owner(), gate)))
                await gate.until_begun()
                await engine.call(Owner(), lambda: None)
                await until(lambda engine=engine: engine._threads._crew.overtaken)  # type: ignore[misc]
                await until(lambda: sys.getswitchinterval() < before)
            await asyncio.sleep(0.02)
            for engine, gate, call in zip(engines, gates, calls, strict=True):
                gate.may_end.set()
                await call
                await engine.call(Owner(), lambda: None)
            await until(lambda: sys.getswitchinterval() == before)


async def test_a_job_leaves_its_directory_before_the_next_may_run(tmp_path: Path) -> None:
    async with threaded() as engine:
        mailbox = engine.mailbox(Owner())
        home, found = Path.cwd(), []
        done = threading.Event()

        def first() -> None:
            os.chdir(tmp_path)
            mailbox.release()
            found.append(Path.cwd())
            found.append(Path(mailbox.directory or ""))

        def second() -> None:
            found.append(Path.cwd())
            mailbox.release()
            done.set()

        mailbox.post(first)
        mailbox.post(second)
        await until(done.is_set)
        assert found == [home, tmp_path, tmp_path]
        assert Path.cwd() == home


async def test_threads_of_an_engine_that_is_closed_end() -> None:
    before = set(threading.enumerate())  # those that others have left may end at any moment

    def turn_threads() -> int:
        new = set(threading.enumerate()) - before
        return sum(thread.name.startswith("hyperfocal-") for thread in new)

    async with threaded() as engine:
        gate = Gate()
        busy = asyncio.ensure_future(engine.call(Owner(), gate))
        await gate.until_begun()
        assert await engine.call(Owner(), lambda: 1) == 1
        assert turn_threads() > 1
    await until(lambda: turn_threads() == 1)  # the one that is in a job
    late = asyncio.ensure_future(engine.call(Owner(), lambda: 2))  # nobody is in its way
    gate.may_end.set()
    await busy
    assert await asyncio.wait_for(late, 5) == 2
    await until(lambda: turn_threads() == 0)
