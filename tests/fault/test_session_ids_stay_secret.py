"""Whoever has a session's id may join it: logs and reports tell of sessions by their labels."""

from __future__ import annotations

import json
import re
import signal
import time
from base64 import urlsafe_b64decode
from pathlib import Path

import httpx
import pytest

from hyperfocal.labels import session_label
from hyperfocal.testing import WireClient, page_token
from hyperfocal.wire import Kind
from tests.support.serving import serving

APP = """
import time
from bokeh.io import curdoc
from bokeh.models import Slider, Spinner
def change(attr, old, new):
    if new == 1:
        raise ValueError("no")
    if new == 2:
        time.sleep(0.3)
    if new == 3:
        spinner.tags = [object()]
spinner = Spinner(name="spinner", value=0)
spinner.on_change("value", change)
def late(): raise ValueError("late")
curdoc().add_timeout_callback(late, 1)
def destroyed(context): raise ValueError("at the end")
curdoc().on_session_destroyed(destroyed)
curdoc().add_root(spinner)
"""


def id_of(token: str) -> str:
    payload = token.split(".", maxsplit=1)[0]
    found: str = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["session_id"]
    return found


@pytest.mark.parametrize("options", [(), ("--num-procs", "2")], ids=["one", "two"])
async def test_no_log_and_no_report_holds_the_id_of_a_session(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    script = tmp_path / "app.py"
    script.write_text(APP)
    quick = ("--warn-long-turn", "100", "--log-level", "debug", *options)
    with serving(script, *quick) as server:
        ids: list[str] = []
        reports: list[str] = []
        async with httpx.AsyncClient() as http:
            for _ in range(2):
                token = page_token((await http.get(f"{server.base}/app")).text)
                ids.append(id_of(token))
                url = f"ws{server.base.removeprefix('http')}/app/ws"
                async with WireClient.connect(url, token) as client:
                    doc = json.dumps(await client.pull())
                    (spinner,) = re.findall(r'"name": "Spinner", "id": "([^"]+)"', doc)
                    kinds = [(await client.set(spinner, "value", n)).kind for n in (1, 2, 3)]
                    assert kinds == [Kind.ERROR, Kind.OK, Kind.OK]
                    refused = await client.set(spinner, "value", "text")
                    assert refused.kind is Kind.ERROR
                    reports.append((await http.get(f"{server.base}/health")).text)
                    await client.expect(lambda message: True)
        while server.text.count("late") < 2:
            time.sleep(0.01)
        assert server.stop(signal.SIGTERM) == 0
    told = server.text + "".join(reports)
    for one in ids:
        assert one not in told
        assert one[:16] not in told
        assert told.count(session_label(one)) >= 6
