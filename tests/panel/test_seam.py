"""The seam to Panel, in processes that import it; see ``inside``."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.serving import ROOT

INSIDE = Path(__file__).with_name("inside.py")
NAMES = [
    node.name
    for node in ast.parse(INSIDE.read_text()).body
    if isinstance(node, ast.AsyncFunctionDef) and node.name not in ("main", "text_of")
]


@pytest.fixture(scope="module")
def results() -> dict[str, str | None]:
    command = [sys.executable, "-m", "tests.panel.inside"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, str | None] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_in_a_process_with_panel(results: dict[str, str | None], name: str) -> None:
    assert results[name] is None, results[name]


def test_panel_that_was_imported_before_is_noticed_too() -> None:
    script = (
        "import panel as pn\n"
        "from hyperfocal.panel import watch\n"
        "watch()\n"
        "print(type(type(pn.state)._thread_id).__module__)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "hyperfocal.panel.replacements"
