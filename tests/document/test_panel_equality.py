"""Our encoder and acceleration against Bokeh's ways, over Panel's models and documents."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.support.serving import ROOT


def test_panels_models_and_documents_are_encoded_as_bokeh_encodes_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.document.panel_twins"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["different"] == {}
    names = found["names"]
    # Each is compared with and without acceleration.
    assert sorted(names[: len(names) // 2]) == sorted(names[len(names) // 2 :])
    assert sum(name.startswith("panel.models.") for name in names) >= 2 * 45
    assert sum(name.startswith("application: ") for name in names) >= 2 * 12
