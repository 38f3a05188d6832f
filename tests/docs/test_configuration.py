"""docs/configuration.md says what the table of options says."""

from __future__ import annotations

import re
import tomllib

from hyperfocal.config import OPTIONS, Settings
from tests.support.option_tables import PAGE, filled


def test_the_tables_are_those_of_the_options() -> None:
    page = PAGE.read_text()
    assert "<!-- options -->" in page
    assert page == filled(page), "run `python -m tests.support.option_tables`"
    for entry in OPTIONS:
        assert entry.name in page


def test_the_example_of_a_file_is_one() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    entries = {entry.name: entry for entry in OPTIONS}
    loaded = {
        entries[key].attribute: entries[key].kind.load(value)
        for key, value in tomllib.loads(example).items()
    }
    assert Settings(**loaded) != Settings()
