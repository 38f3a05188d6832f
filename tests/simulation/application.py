"""What the simulated server serves: an application that does a bit of everything, and fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler, Handler
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.models import Column
from bokeh.models.widgets import Div, Slider, TextInput

from tests.simulation.loop import SimulatedLoop

__all__ = ("Books", "Planned", "application")

#: The piece of code, among those that look after themselves, in which the caller runs.
_within: ContextVar[object] = ContextVar("simulated_code", default=None)


class Planned(Exception):
    """What the application raises on purpose."""


class Books:
    """What must hold, as the application sees it.

    Attributes:
        calm: the application does nothing any more.
        wrong: what has not held.
        built: documents that were begun.
        created: session contexts whose hook has run.
        destroyed: those whose end has been told.
        failures: why people did not get sessions.
    """

    def __init__(self) -> None:
        self.calm = False
        self.wrong: list[str] = []
        self.created: list[Any] = []
        self.destroyed: list[Any] = []
        self.documents_ended = 0
        self.failures: list[Exception] = []
        #: Sessions whose identity is noted somewhere: nobody else may get it.
        self.keep: list[Any] = []
        self._inside: dict[int, object] = {}

    def expect(self, condition: object, otherwise: str) -> None:
        if not condition:
            self.wrong.append(otherwise)

    @contextmanager
    def alone(self, document: Document) -> Generator[None]:
        """Code that has the document to itself, or is called by code that has."""
        key = id(document)
        holder = self._inside.get(key)
        if holder is not None and holder is _within.get():
            yield
            return
        self.expect(holder is None, "two pieces of code have one document at the same time")
        self.expect(curdoc() is document, "curdoc() is not the document of the turn")
        mark = object()
        self._inside[key] = mark
        token = _within.set(mark)
        try:
            yield
        finally:
            self.expect(self._inside.get(key) is mark, "somebody came in between")
            self._inside.pop(key, None)
            _within.reset(token)


class _Hooks(Handler):
    def __init__(self, books: Books, rng: random.Random) -> None:
        super().__init__()
        self._books = books
        self._rng = rng

    def modify_document(self, doc: Document) -> None: ...

    async def on_session_created(self, session_context: Any) -> None:
        self._books.created.append(session_context)
        await asyncio.sleep(0.01)

    async def on_session_destroyed(self, session_context: Any) -> None:
        books = self._books
        books.expect(session_context in books.created, "an end without a beginning")
        books.expect(session_context not in books.destroyed, "a session ended twice")
        books.destroyed.append(session_context)
        await asyncio.sleep(self._rng.choice([0.0, 0.5, 2.0]))


def application(loop: SimulatedLoop, rng: random.Random, books: Books) -> Application:
    """The application."""

    def fails(share: float) -> None:
        if rng.random() < share:
            raise Planned

    def modify(document: Document) -> None:
        number = rng.randrange(1000)
        one = Slider(start=0, end=100, value=number % 60, name="one")
        two = Slider(start=0, end=100, value=0, name="two")
        text = TextInput(value="", name="text")
        note = Div(text="", name="note")
        box = Column(children=[Div(text="first")])

        context = document.session_context

        def corrects(attr: str, old: Any, new: Any) -> None:
            with books.alone(document):
                loop.pass_time(rng.choice([0.0, 0.0, 0.1]))
                note.text = f"{new}"
                if new > 60:
                    one.value = 60
                fails(0.1)

        def extends(attr: str, old: Any, new: Any) -> None:
            with books.alone(document):
                child = Column(children=[Div(text=new)])
                box.children = [*box.children, child][-3:]
                if not books.calm:
                    document.add_next_tick_callback(later)

        async def _later() -> None:
            with books.alone(document):
                for _ in range(rng.randrange(3)):
                    await asyncio.sleep(rng.choice([0.0, 0.01, 0.3]))
                    two.value = rng.randrange(100)
                fails(0.2)

        later: Any = _later  # Bokeh's types know plain callbacks only

        def ticks() -> None:
            with books.alone(document):
                books.expect(context not in books.destroyed, "a timer goes on after the end")
                if books.calm:
                    return
                loop.pass_time(rng.choice([0.0, 0.02]))
                one.value = rng.randrange(100)
                fails(0.1)

        def ended(session_context: Any) -> None:
            with books.alone(document):
                books.documents_ended += 1
                books.expect(one.document is document, "the document has been taken apart too soon")

        with books.alone(document):
            one.on_change("value", corrects)
            text.on_change("value", extends)
            document.on_session_destroyed(ended)
            document.add_periodic_callback(ticks, rng.choice([300, 700, 5000]))
            document.add_timeout_callback(later, rng.choice([0, 100, 2000]))
            document.add_root(Column(children=[one, two, text, note, box]))
            fails(0.1)

    return Application(_Hooks(books, rng), FunctionHandler(modify))
