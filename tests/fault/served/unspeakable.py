"""Raises exceptions that cannot be put into words, everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from bokeh.core.properties import Any as AnyValue
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Model
from bokeh.models.widgets import Button, Div, Slider

HUGE = 50_000_000


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Leaves(Exception):
    def __str__(self) -> str:  # noqa: PLE0307
        sys.exit(3)

    __repr__ = __str__


class Endless(Exception):
    def __str__(self) -> str:
        return f"{self} and {self}"

    __repr__ = __str__


class NoText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307

    __repr__ = __str__


def silent() -> Exception:
    return Silent("a", "b")


def leaves() -> Exception:
    return Leaves()


def endless() -> Exception:
    return Endless()


def no_text() -> Exception:
    return NoText()


def huge() -> Exception:
    return ValueError("x" * HUGE)


def huge_key() -> Exception:
    return KeyError("\n" * (HUGE // 10))


def many() -> Exception:
    return ExceptionGroup("many", [ValueError("y" * 10_000)] * 10_000)


def nested() -> Exception:
    error: Any = ValueError("innermost")
    for _ in range(2_000):
        error = ExceptionGroup("outer", [error])
    innermost_last: Exception = error
    return innermost_last


def chained() -> Exception:
    error: Exception | None = None
    for number in range(20_000):
        link = ValueError(f"link {number}")
        link.__cause__ = error
        error = link
    assert error is not None
    return error


def noted() -> Exception:
    error = ValueError("noted")
    for _ in range(1_000):
        error.add_note("z" * 10_000)
    return error


KINDS: tuple[Callable[[], Exception], ...] = (
    silent,
    leaves,
    endless,
    no_text,
    huge,
    huge_key,
    many,
    nested,
    chained,
    noted,
)


def deep(number: int) -> None:
    if number == 0:
        raise ValueError("deep down")
    deep(number - 1)


def dive() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    try:
        deep(100_000)
    finally:
        sys.setrecursionlimit(limit)


def raises(make: Callable[[], Exception]) -> Any:
    def callback() -> None:
        raise make()

    return callback


def ticks(make: Callable[[], Exception]) -> Any:
    return lambda: document.add_next_tick_callback(raises(make))


def changes(make: Callable[[], Exception]) -> Any:
    def callback(attr: str, old: object, new: object) -> None:
        raise make()

    return callback


def ends(make: Callable[[], Exception]) -> Any:
    def callback(context: object) -> None:
        raise make()

    return callback


class Speechless(Model):
    value = AnyValue()


class Unwritable:
    """Nothing encodes it, and it has no words either."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


document: Any = curdoc()
arguments = document.session_context.request.arguments
shown = Div(name="shown", text="began")
kinds = {make.__name__: make for make in KINDS}
if b"building" in arguments.get("where", ()):
    raise kinds[arguments["kind"][0].decode()]()
if b"ending" in arguments.get("where", ()):
    document.on_session_destroyed(ends(kinds[arguments["kind"][0].decode()]))

alive = Button(name="alive")


def live() -> None:
    shown.text = "alive"


alive.on_click(live)
roots: list[Any] = [shown, alive]
for name, make in kinds.items():
    click = Button(name=f"click {name}")
    click.on_click(raises(make))
    soon = Button(name=f"soon {name}")
    soon.on_click(ticks(make))
    slider = Slider(name=f"slide {name}", start=0, end=9, value=0)
    slider.on_change("value", changes(make))
    roots += [click, soon, slider]
button = Button(name="dive")
button.on_click(dive)
speechless: Any = Speechless(name="speechless")


def set_unwritable() -> None:
    speechless.value = Unwritable()


unwritable = Button(name="unwritable")
unwritable.on_click(set_unwritable)
document.add_root(column(*roots, button, unwritable))
document.add_root(speechless)
