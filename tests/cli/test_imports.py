"""What is imported, and what is not until somebody needs it: start-up is made of imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.serving import serving

#: What a line of help does without.
HEAVY = {
    "asyncio",
    "bokeh",
    "cryptography",
    "jinja2",
    "numpy",
    "orjson",
    "pandas",
    "ssl",
    "starlette",
    "uvicorn",
    "websockets",
}
#: What only some applications need; those import it.
SOME = {
    "IPython",
    "PIL",
    "bokeh.client",
    "bokeh.plotting",
    "bokeh.sampledata",
    "nbconvert",
    "nbformat",
    "pandas",
    "panel",
    "scipy",
}
#: What Hyperfocal does without altogether.
NEVER = {"bokeh.server", "tornado"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["serve", "--help"], ["config", "--help"], ["--version"]]
)
def test_help_is_given_without_anything_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from hyperfocal.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "print('modules:', *sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    imported = set(run.stdout.rpartition("modules:")[2].split())
    assert "click" in imported
    assert imported & HEAVY == set()


def test_public_names_are_imported_when_they_are_used() -> None:
    script = (
        "import sys, hyperfocal\n"
        "assert 'bokeh' not in sys.modules\n"
        "from hyperfocal import asgi_app, ApplicationContext\n"
        "assert callable(asgi_app)\n"
        "assert all(hasattr(hyperfocal, name) for name in hyperfocal.__all__)\n"
        "assert not hasattr(hyperfocal, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_serving_imports_nothing_that_only_some_applications_need(tmp_path: Path) -> None:
    """What the first run of an application finds is what was loaded before anybody came."""
    app = tmp_path / "modules.py"
    app.write_text(
        "import sys\n"
        "found = ' '.join(sys.modules)\n"
        "from bokeh.io import curdoc\n"
        "curdoc().title = f'modules: {found} .'\n"
    )
    with serving(app) as server:
        page = httpx.get(f"{server.base}/modules").text
    found = set(page.partition("modules:")[2].partition(" .")[0].split())
    assert {"bokeh.models", "starlette", "uvicorn"} <= found
    assert found & (SOME | NEVER) == set()
