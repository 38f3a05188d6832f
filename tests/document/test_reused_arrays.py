"""Applications fill one array again and again; the document and its clients stay equal."""

from __future__ import annotations

import numpy as np
import pytest
from bokeh.models.sources import ColumnDataSource

from tests.document.replica import Desk, Replica


@pytest.mark.parametrize("before", [{"x": []}, {"x": [0.0]}, {"x": np.array([])}, {}])
@pytest.mark.parametrize("held", [False, True])
def test_an_array_that_was_streamed_may_be_filled_again(
    before: dict[str, list[float]], held: bool
) -> None:
    source = ColumnDataSource(data={name: column[:] for name, column in before.items()})
    desk = Desk(source)
    client = Replica.of(desk.document)
    rows = np.empty(2)

    if held:
        desk.document.hold("collect")
    for turn in range(3):
        rows[:] = turn
        source.stream({"x": rows})
    rows[:] = -1
    desk.document.unhold()
    client.apply(desk.end_turn()[1])

    assert client.state() == Replica.of(desk.document).state()
    assert list(source.data["x"])[-6:] == [0, 0, 1, 1, 2, 2]


def test_an_array_that_was_patched_in_may_be_filled_again() -> None:
    source = ColumnDataSource(data={"x": np.zeros(4)})
    desk = Desk(source)
    client = Replica.of(desk.document)
    rows = np.ones(2)

    source.patch({"x": [(slice(1, 3), rows)]})
    rows[:] = -1
    client.apply(desk.end_turn()[1])

    assert client.state() == Replica.of(desk.document).state()
    assert list(source.data["x"]) == [0, 1, 1, 0]
