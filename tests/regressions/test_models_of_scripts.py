"""A script that defines models must not spoil the pages that come after it."""

from __future__ import annotations

import gc
from pathlib import Path

from bokeh.application import Application
from bokeh.application.handlers import ScriptHandler
from bokeh.model import Model

from tests.support.serving import running

SCRIPT = """
from bokeh.core.properties import Int
from bokeh.io import curdoc
from bokeh.model import DataModel
class Point(DataModel):
    x = Int(default=3)
curdoc().add_root(Point())
"""


async def test_models_that_a_script_defines_go_with_its_session(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(SCRIPT)
    known = set(Model.model_class_reverse_map)
    async with running({"/a": Application(ScriptHandler(filename=str(path)))}) as server:
        context = server.context("/a")
        for _ in range(3):
            async with server.client("/a") as client:
                doc = await client.pull()
            names = [one["name"].rpartition(".")[2] for one in doc["defs"]]
            assert names.count("Point") == 1  # other tests may have defined models of their own
            await context.discard(context.sessions[0], "test")
        gc.collect()
    assert set(Model.model_class_reverse_map) == known
