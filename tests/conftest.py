"""What tests in several folders need."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from hyperfocal.config import WebSocketTransport
from tests.support import serving

#: The files that take longest, roughly in that order.
LONGEST = (
    "browser/test_sessions.py",
    "simulation/test_simulation.py",
    "document/test_encoding_equality.py",
    "browser/test_panel.py",
    "fuzz/test_fuzz.py",
    "cli/test_serve.py",
    "cluster/test_num_procs.py",
    "web/test_transports.py",
    "browser/test_examples.py",
    "browser/test_embedding.py",
    "fault/test_hostile_messages.py",
    "fault/test_nothing_is_left.py",
    "browser/test_development.py",
)
# In a shell's background SIGINT is ignored, and behind nohup SIGHUP. So they would be in the
# servers that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

_PLACES = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that no process is left alone with one of them."""
    items.sort(key=lambda item: _PLACES.get(item.path, len(_PLACES)))


@pytest.fixture(params=[WebSocketTransport.NATIVE, WebSocketTransport.ASGI], ids=str)
def either_transport(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> WebSocketTransport:
    """Runs the test once over each transport: servers of ``tests.support.serving`` use it."""
    chosen: WebSocketTransport = request.param
    monkeypatch.setattr(serving, "transport", chosen)
    return chosen
