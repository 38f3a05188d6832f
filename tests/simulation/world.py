"""One run of a server in a world that a seed decides."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from bokeh.io import curdoc

from hyperfocal import ApplicationContext
from hyperfocal.config import Settings
from hyperfocal.document import acceleration
from hyperfocal.engine import Builds
from hyperfocal.errors import TurnReentryError
from hyperfocal.session import Admission, AdmissionLimits
from hyperfocal.telemetry import BuildFailed, CallbackFailed, Event, HookFailed, Telemetry
from tests.simulation.application import Books, Planned, application
from tests.simulation.loop import SimulatedClock, SimulatedLoop, VirtualThreads
from tests.simulation.people import Person

__all__ = ("failures", "simulate")

_SETTINGS = Settings(unused_session_lifetime_ms=15_000, lost_session_lifetime_ms=40_000)
#: Seconds that pass before it gets calm, and until everybody has heard everything.
_BUSY_S = 15.0
_CALM_S = 35.0


class World:
    """The server, the people, and whoever else has a hand in it."""

    def __init__(self, seed: int, loop: SimulatedLoop) -> None:
        self.rng = random.Random(seed)
        self.loop = loop
        self.books = Books()
        clock = SimulatedClock(loop)
        telemetry = Telemetry(self._hear)
        engine = VirtualThreads(loop, self.rng)
        self.admission = Admission(AdmissionLimits(sessions=3), clock, lambda: 0)
        self.app = ApplicationContext(
            application(loop, self.rng, self.books),
            loop,
            "/",
            settings=_SETTINGS,
            telemetry=telemetry,
            clock=clock,
            engine=engine,
            builds=Builds(4, 3),
            admission=self.admission,
        )
        count = self.rng.randrange(1, 5)
        self.people = [Person(f"p{n}", self.app, self.books, self.rng) for n in range(count)]
        #: What the server told of, and when.
        self.heard: list[str] = []
        self._asked = 0
        self._got: dict[int, int] = {}  # session -> the last in line who had its turn
        self._discarded: set[int] = set()

    def _hear(self, event: Event) -> None:
        self.heard.append(f"{self.loop.time():.3f} {type(event).__name__}")
        if isinstance(event, CallbackFailed | BuildFailed):
            error: Any = event.error
            planned = isinstance(error, Planned) or "Planned" in str(error)
            self.books.expect(planned, f"{event}")
        elif isinstance(event, HookFailed):
            self.books.expect(False, f"{event}")

    async def run(self) -> None:
        loop, books = self.loop, self.books
        loop.set_exception_handler(lambda _, context: books.expect(False, f"{context}"))
        tasks = [asyncio.ensure_future(person.live()) for person in self.people]
        tasks += [
            asyncio.ensure_future(one()) for one in (self._sweep, self._meddle, self._discard)
        ]
        await asyncio.sleep(_BUSY_S)
        books.calm = True
        await asyncio.sleep(_CALM_S)
        for person in self.people:
            person.check()
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.wait(tasks)
        await self._end()

    async def _end(self) -> None:
        books = self.books
        # People are gone without a word; their sessions have to follow.
        await asyncio.sleep(60)
        for _ in range(20):  # some are in the middle of a turn when they are looked at
            await asyncio.sleep(0.7)
            await self.app.expire()
        books.expect(not self.app.sessions, f"{len(self.app.sessions)} sessions stay for ever")
        await self.app.close()
        books.expect(self.admission.seats == 0, f"{self.admission.seats} seats stay taken")
        for context in books.created:
            books.expect(context.destroyed, "a session context is not destroyed at the end")
            books.expect(context in books.destroyed, "nobody was told of a session's end")
        mine = asyncio.current_task()
        for _ in range(20):
            await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() if task is not mine]
        books.expect(not left, f"tasks stay behind: {left}")

    async def _sweep(self) -> None:
        """Look for unused sessions, more often than servers do."""
        while True:
            await asyncio.sleep(self.rng.choice([1.0, 5.0, 17.0]))
            wanted = [one.session for one in self.people if one.session is not None]
            present = [one for one in wanted if one.connection_count]
            await self.app.expire()
            for session in present:
                if id(session) not in self._discarded:
                    self.books.expect(not session.destroyed, "a session went that was in use")

    async def _meddle(self) -> None:
        """Other code of the server asks for documents: they get them in the order of asking."""
        rng = self.rng
        while not self.books.calm:
            await asyncio.sleep(rng.choice([0.0, 0.2, 2.0]))
            for context in self.app.server_context.sessions:
                for _ in range(rng.randrange(3)):
                    task = asyncio.ensure_future(self._ask(context))
                    if rng.random() < 0.1:
                        self.loop.call_later(rng.choice([0.0, 0.1]), task.cancel)

    async def _ask(self, context: Any) -> None:
        rng, books = self.rng, self.books
        self._asked += 1
        place, key = self._asked, id(context)

        async def work(document: Any) -> str:
            with books.alone(document):
                books.expect(self._got.get(key, 0) < place, "somebody overtook in line")
                self._got[key] = place
                await asyncio.sleep(rng.choice([0.0, 0.0, 0.1]))
                slider: Any = document.get_model_by_name("two")
                if slider is not None:
                    slider.value = rng.randrange(100)
                if rng.random() < 0.05:
                    try:
                        await context.with_locked_document(lambda _: None)
                        books.expect(False, "waiting for one's own turn was let pass")
                    except TurnReentryError:
                        pass
            return "done"

        current = curdoc()
        result = await context.with_locked_document(work)
        books.expect(curdoc() is current, "curdoc() is what it was in a turn that is over")
        books.expect(result in ("done", None), f"with_locked_document gave {result!r}")
        books.expect(result == "done" or context.destroyed, "a session that lives did not answer")

    async def _discard(self) -> None:
        """Somebody ends sessions, be they in use or not."""
        while not self.books.calm:
            await asyncio.sleep(self.rng.choice([5.0, 20.0, 100.0]))
            sessions = self.app.sessions
            if sessions and not self.books.calm:
                session = self.rng.choice(sessions)
                self._discarded.add(id(session))
                self.books.keep.append(session)
                times = self.rng.choice([1, 2])
                await asyncio.gather(*(self.app.discard(session, "so be it") for _ in range(times)))


def simulate(seed: int, *, trace: bool = False) -> list[str]:
    """Live through the world of this seed.

    Returns:
        What was wrong in it; with ``trace`` also all that the server told of.
    """
    loop = SimulatedLoop()
    asyncio.set_event_loop(loop)
    world = World(seed, loop)
    try:
        loop.run_until_complete(world.run())
    except Exception as error:
        world.books.expect(False, f"{type(error).__name__}: {error}")
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        asyncio.set_event_loop(None)
        loop.close()
    return [*world.books.wrong, *world.heard] if trace else world.books.wrong


def failures(begin: int, end: int) -> dict[int, list[str]]:
    """The seeds of this range in whose worlds something was wrong, and what."""
    acceleration.install()
    return {seed: wrong for seed in range(begin, end) if (wrong := simulate(seed))}
