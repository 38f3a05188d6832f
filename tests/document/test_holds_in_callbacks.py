"""A callback that calls ``hold()`` while the change that caused it is still being told."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models.sources import ColumnDataSource

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
