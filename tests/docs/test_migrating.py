"""docs/migrating.md has a row for all that ``bokeh serve`` has, and tests behind it."""

from __future__ import annotations

import re
import subprocess
import sys

from bokeh.settings import PrioritizedSetting, settings

from hyperfocal.config import OPTIONS
from tests.support.serving import ROOT

PAGE = (ROOT / "docs" / "migrating.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]


def test_every_option_of_bokeh_serve_has_a_row_and_is_an_option_here() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bokeh", "serve", "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    options = set(re.findall(r"^  (--[\w-]+)", told.stdout, re.MULTILINE))
    assert len(options) > 35
    ours = {entry.flag for entry in OPTIONS}
    for option in options:
        (row,) = [line for line in ROWS if line.startswith(f"| `{option}` |")]
        assert option in ours or "| to come |" in row, option
        assert "| to come |" in row or "::test_" in row, option


def test_every_variable_of_bokeh_is_named() -> None:
    found = [one for one in vars(type(settings)).values() if isinstance(one, PrioritizedSetting)]
    assert len(found) > 25
    for setting in found:
        assert f"`{setting.env_var}`" in PAGE


def test_the_tests_that_are_named_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 50
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
