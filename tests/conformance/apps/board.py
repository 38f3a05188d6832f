"""A board of models that does what its command line says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import (
    Button,
    Div,
    MultiChoice,
    Slider,
    Spinner,
    Switch,
    TextInput,
)

doc = curdoc()
doc.title = "Board"

slider = Slider(name="slider", start=0, end=100, value=0)
label = Div(name="label", text="untouched")
spinner = Spinner(name="spinner", low=0, high=1000, value=1)
switch = Switch(name="switch", active=False)
choice = MultiChoice(name="choice", options=["a", "b", "c"])
button = Button(name="button", label="Press")
release = Button(name="release", label="Let go")
command = TextInput(name="command")
source = ColumnDataSource(
    name="source", data={"x": np.arange(4, dtype=np.float64), "y": np.zeros(4, dtype=np.int32)}
)
extra: list[Div] = []
beats: list[int] = []
timers: list[Any] = []


def on_slider(attr: str, old: Any, new: Any) -> None:
    label.text = f"slider is {new}"


def on_spinner(attr: str, old: Any, new: Any) -> None:
    if new > 10:
        spinner.value = 10


def on_switch(attr: str, old: Any, new: Any) -> None:
    raise ValueError("the switch is broken")


def on_button() -> None:
    label.text = f"{label.text}, pressed"


def on_data(attr: str, old: Any, new: Any) -> None:
    label.text = f"x adds up to {float(np.sum(source.data['x']))}"


def stream() -> None:
    source.stream({"x": [4.0, 5.0], "y": [4, 5]}, rollover=5)


def patch() -> None:
    source.patch({"x": [(1, 11.0), (slice(2, 4), [12.0, 13.0])]})


def assign() -> None:
    source.data = {"x": np.full(3, 2.5), "z": np.array([1, 2, 3], dtype=np.int32)}


def several() -> None:
    for number in range(5):
        label.text = f"step {number}"
    slider.end = 200


def title() -> None:
    doc.title = "Another title"


def add_root() -> None:
    extra.append(Div(name="extra", text="I am new"))
    doc.add_root(extra[-1])


def change_extra() -> None:
    extra[-1].text = "I have changed"


def remove_root() -> None:
    doc.remove_root(extra.pop())


def hold() -> None:
    doc.hold("combine")
    label.text = "held 1"
    label.text = "held 2"


def next_tick() -> None:
    def tick() -> None:
        label.text = "ticked"

    doc.add_next_tick_callback(tick)
    label.text = "before the tick"


def timeout() -> None:
    def late() -> None:
        label.text = "time is up"

    doc.add_timeout_callback(late, 20)


def periodic() -> None:
    def beat() -> None:
        beats.append(1)
        label.text = f"beat {len(beats)}"
        if len(beats) == 3:
            doc.remove_periodic_callback(timers.pop())

    timers.append(doc.add_periodic_callback(beat, 20))


def async_tick() -> None:
    async def tick() -> None:
        label.text = "ticked without waiting"

    # Typed for plain callbacks only.
    doc.add_next_tick_callback(cast(Callable[[], None], tick))


argv = list(sys.argv[1:])


def say_argv() -> None:
    label.text = " ".join(argv)


def whose() -> None:
    label.text = str(curdoc() is doc)


commands: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        stream,
        patch,
        assign,
        several,
        title,
        add_root,
        change_extra,
        remove_root,
        hold,
        next_tick,
        timeout,
        periodic,
        async_tick,
        say_argv,
        whose,
    )
}


def on_command(attr: str, old: Any, new: str) -> None:
    commands[new]()


slider.on_change("value", on_slider)
spinner.on_change("value", on_spinner)
switch.on_change("active", on_switch)
button.on_click(on_button)
release.on_click(doc.unhold)
command.on_change("value", on_command)
source.on_change("data", on_data)
for model in (slider, label, spinner, switch, choice, button, release, command, source):
    doc.add_root(model)
