"""What tests in several folders need."""

from __future__ import annotations

import pytest

from hyperfocal.config import WebSocketTransport
from tests.support import serving


@pytest.fixture(params=[WebSocketTransport.NATIVE, WebSocketTransport.ASGI], ids=str)
def either_transport(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> WebSocketTransport:
    """Runs the test once over each transport: servers of ``tests.support.serving`` use it."""
    chosen: WebSocketTransport = request.param
    monkeypatch.setattr(serving, "transport", chosen)
    return chosen
