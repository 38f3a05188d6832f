"""Every test starts and ends with nobody's document as the current one."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from hyperfocal.document import no_document


@pytest.fixture(autouse=True)
def _no_current_document() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    with no_document():
        yield
