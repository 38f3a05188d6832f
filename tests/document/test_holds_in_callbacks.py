"""``hold()`` and callbacks: those that start a hold, and those that end badly when one ends."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models.sources import ColumnDataSource
from bokeh.models.widgets.sliders import Slider

from tests.document.replica import Desk, Replica


@pytest.mark.parametrize("listened_to", [False, True])
@pytest.mark.parametrize("policy", ["collect", "combine"])
def test_rows_whose_callback_starts_a_hold_are_said_once(policy: Any, listened_to: bool) -> None:
    source = ColumnDataSource(data={"x": [1]})
    desk = Desk(source)
    client = Replica.of(desk.document)
    if listened_to:
        desk.document.on_change(lambda event: None)
    source.on_change("data", lambda attr, old, new: desk.document.hold(policy))

    source.stream({"x": [2]})
    client.apply(desk.end_turn()[1])
    desk.document.unhold()
    client.apply(desk.end_turn()[1])

    assert client.state() == Replica.of(desk.document).state()
    assert [event[0] for event in client.heard] == ["ColumnsStreamed"]


def test_listeners_hear_once_of_a_change_whose_callback_starts_a_hold() -> None:
    source = ColumnDataSource(data={"x": [1]})
    desk = Desk(source)
    heard: list[Any] = []
    desk.document.on_change(heard.append)
    source.on_change("data", lambda attr, old, new: desk.document.hold("collect"))

    source.stream({"x": [2]})
    desk.document.unhold()

    assert len(heard) == 1


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_whatever_a_callback_raises_at_the_end_of_a_hold_the_rest_is_said(
    error: type[BaseException],
) -> None:
    first, second = Slider(start=0, end=9, value=1), Slider(start=0, end=9, value=1)
    desk = Desk(first, second)
    client = Replica.of(desk.document)

    def broken(attr: str, old: Any, new: Any) -> None:
        raise error

    first.on_change("value", broken)
    desk.document.hold()
    first.value, second.value = 5, 6
    with pytest.raises(error):
        desk.document.unhold()

    client.apply(desk.end_turn()[1])
    assert client.state() == Replica.of(desk.document).state()
    assert client.reachable()[second.id].attributes["value"] == 6
