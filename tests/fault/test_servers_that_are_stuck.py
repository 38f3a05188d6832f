"""A server whose application hangs must still be possible to end."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.serving import serving


def hanging(folder: Path, hooks: str) -> Path:
    folder.mkdir()
    (folder / "main.py").write_text("")
    (folder / "app_hooks.py").write_text("import asyncio\n" + hooks)
    return folder


def test_a_load_hook_that_hangs_does_not_keep_a_signal_from_ending_the_server(
    tmp_path: Path,
) -> None:
    app = hanging(
        tmp_path / "app",
        "async def on_server_loaded(context):\n"
        "    print('waiting at http://nowhere/ ', flush=True)\n    await asyncio.Event().wait()\n",
    )
    with serving(app, ready=r"waiting at (\S+)") as server:
        assert server.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_of_either_kind_ends_the_server_at_once(
    tmp_path: Path, second: signal.Signals
) -> None:
    app = hanging(
        tmp_path / "app",
        "async def on_session_destroyed(context):\n"
        "    print('hanging', flush=True)\n    await asyncio.Event().wait()\n",
    )
    with serving(app) as server:
        assert httpx.get(f"{server.base}/app").status_code == 200
        server.process.send_signal(signal.SIGINT)
        while "hanging" not in server.text:
            assert server.process.poll() is None
        assert server.stop(second) == -second


def test_a_second_signal_ends_a_server_that_is_stuck_in_plain_code(tmp_path: Path) -> None:
    script = tmp_path / "stuck.py"
    script.write_text(
        "import time\nfrom bokeh.io import curdoc\n"
        "def stuck():\n    print('stuck', flush=True)\n    while True: time.sleep(0.01)\n"
        "curdoc().add_timeout_callback(stuck, 300)\n"
    )
    with serving(script) as server:
        httpx.get(f"{server.base}/stuck")
        while "stuck\n" not in server.log:
            assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)
        assert server.stop(signal.SIGTERM) == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_server_whose_interpreter_is_kept_by_c_code(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = tmp_path / "stuck.py"
    script.write_text(
        "import itertools\nfrom bokeh.io import curdoc\n"
        "def stuck():\n    print('stuck', flush=True)\n    all(itertools.repeat(True))\n"
        "curdoc().add_timeout_callback(stuck, 300)\n"
    )
    with serving(script) as server:
        httpx.get(f"{server.base}/stuck")
        while "stuck\n" not in server.log:
            assert server.process.poll() is None
        server.process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)
        assert server.stop(number) == -number
