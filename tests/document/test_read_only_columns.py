"""Columns that cannot be written to: a client's patch must not pull the copies apart."""

from __future__ import annotations

import numpy as np
import pytest
from bokeh.models.sources import ColumnDataSource

from hyperfocal.errors import PatchError
from tests.document.replica import Desk, Replica


@pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehUserWarning")
def test_a_patch_of_a_read_only_column_leaves_everybody_equal() -> None:
    column = np.arange(3.0)
    column.flags.writeable = False
    source = ColumnDataSource(data={"x": column})
    desk = Desk(source)
    watcher = Replica.of(desk.document)
    event = {
        "kind": "ColumnsPatched",
        "model": {"id": source.id},
        "attr": "data",
        "patches": {"type": "map", "entries": [["x", [[1, 77.0]]]]},
    }
    try:
        _, others, _ = desk.receive(object(), {"events": [event]})
    except PatchError:
        others = None
    watcher.apply(others)
    assert watcher.state() == Replica.of(desk.document).state()
