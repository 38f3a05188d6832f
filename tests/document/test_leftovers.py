"""What others leave on the stack of current documents hurts nobody."""

from __future__ import annotations

import gc
from contextvars import copy_context
from pathlib import Path

import pytest
from bokeh.io.doc import patch_curdoc
from bokeh.models.widgets import Div

from hyperfocal.document import new_document


def test_a_document_that_is_gone_from_the_stack_keeps_no_other_from_changing() -> None:
    document = new_document()
    div = Div()
    document.add_root(div)
    seen: list[str] = []
    div.on_change("text", lambda attr, old, new: seen.append(new))

    def work() -> None:
        manager = patch_curdoc(new_document())
        manager.__enter__()
        gc.collect()
        div.text = "changed"

    copy_context().run(work)
    assert seen == ["changed"]


def test_a_script_that_exits_leaves_nothing_on_the_stack(tmp_path: Path) -> None:
    import bokeh.io.doc
    from bokeh.application import Application
    from bokeh.application.handlers import ScriptHandler

    from hyperfocal.application import build_document
    from hyperfocal.errors import BuildError

    script = tmp_path / "app.py"
    script.write_text("import sys\nsys.exit(1)\n")
    before = len(bokeh.io.doc._PATCHED_CURDOCS)
    with pytest.raises(BuildError):
        build_document(Application(ScriptHandler(filename=str(script))), new_document(), "/a")
    assert len(bokeh.io.doc._PATCHED_CURDOCS) == before
