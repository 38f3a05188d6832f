"""``hyperfocal serve`` as a person runs it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from hyperfocal.testing import page_token
from tests.support.serving import serving

APP = """
from bokeh.io import curdoc
from bokeh.models import Div
import sys
curdoc().add_root(Div(text=" ".join(sys.argv[1:])))
curdoc().title = "argv: " + " ".join(sys.argv[1:])
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "hello.py"
    path.write_text(APP)
    return path


def fail(*arguments: str | Path) -> str:
    """Run a command that has to fail with one line; gives that line."""
    done = subprocess.run(
        [sys.executable, "-m", "hyperfocal", "serve", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_startup_prints_the_urls_and_they_answer(app: Path) -> None:
    with serving(app) as server:
        assert server.base.startswith("http://localhost:")
        assert httpx.get(f"{server.base}/hello").status_code == 200
        server.stop()
    assert f"{server.base}/hello\n" in server.text


def test_arguments_behind_args_are_the_applications(app: Path) -> None:
    with serving(app, "--args", "--port", "7", "word") as server:
        assert "<title>argv: --port 7 word</title>" in httpx.get(f"{server.base}/hello").text


def test_prefix_and_address(app: Path) -> None:
    with serving("--prefix", "inner", "--address", "127.0.0.1", app) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/inner", server.base)
        assert httpx.get(f"{server.base}/hello").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_sessions_with_their_hooks_and_exits_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Regression: at SIGTERM today's server runs unload hooks, but not those of sessions."""
    folder = tmp_path / "hooked"
    folder.mkdir()
    (folder / "main.py").write_text(
        "from bokeh.io import curdoc\n"
        "curdoc().on_session_destroyed(lambda context: print('document destroyed', flush=True))\n"
    )
    (folder / "app_hooks.py").write_text(
        "async def on_session_destroyed(context): print('session destroyed', flush=True)\n"
        "def on_server_unloaded(context): print('unloaded', flush=True)\n"
    )
    with serving(folder) as server:
        assert httpx.get(f"{server.base}/hooked").status_code == 200
        assert server.stop(number) == 0
    said = re.findall("session destroyed|document destroyed|unloaded", server.text)
    assert said == ["session destroyed", "document destroyed", "unloaded"]


def test_a_port_in_use_is_one_clear_line(app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = fail(app, "--port", str(port))
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    assert "nowhere.py: no such file" in fail(tmp_path / "nowhere.py")


def test_a_syntax_error_is_one_clear_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("x = 1\ndef broken(:\n    pass\n")
    line = fail(bad)
    assert "bad.py: Invalid syntax in 'bad.py' on line 2: def broken(:" in line


def test_what_is_no_application_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    assert "expected a .py script" in fail(tmp_path / "notes.txt")
    (tmp_path / "empty").mkdir()
    assert "main.py" in fail(tmp_path / "empty")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--port", "70000", "--port: got 70000, expected a whole number from 0 to 65535"),
        ("--keep-alive", "-1", "--keep-alive: got -1"),
        ("--unused-session-lifetime", "0", "--unused-session-lifetime: got 0"),
        ("--check-unused-sessions", "0", "--check-unused-sessions: got 0"),
        ("--prefix", "a/../b", "--prefix"),
        ("--websocket-max-buffers", "-1", "--websocket-max-buffers: got -1"),
        ("--http-max-header-size", "8191", "--http-max-header-size: got 8191"),
        ("--http-request-timeout", "0", "--http-request-timeout: got 0"),
        ("--outbox-max-bytes", "5", "--outbox-max-bytes: got 5"),
        ("--allow-websocket-origin", "http://x.example", "HOST or HOST:PORT without a scheme"),
        ("--port", "many", "--port: got 'many', expected a whole number"),
        ("--log-level", "loud", "--log-level: got 'loud', expected one of trace, debug, info"),
        ("--session-ids", "mine", "--session-ids: got 'mine', expected one of auto, unsigned"),
        ("--no-such-option", "1", "--no-such-option"),
    ],
)
def test_a_value_out_of_range_names_the_option(
    app: Path, option: str, value: str, words: str
) -> None:
    assert words in fail(app, option, value)


def test_log_level_decides_what_is_said(app: Path) -> None:
    with serving(app, "--log-level", "debug") as server:
        httpx.get(f"{server.base}/hello")
        assert server.stop() == 0
    assert "created in" in server.text
    with serving(app) as server:
        httpx.get(f"{server.base}/hello")
        assert server.stop() == 0
    assert "created in" not in server.text


def test_trace_tells_the_frames_of_websockets_and_debug_does_not(app: Path) -> None:
    for level, told in (("trace", True), ("debug", False)):
        with serving(app, "--log-level", level) as server:
            page = httpx.get(f"{server.base}/hello")
            with connect(
                f"{server.base.replace('http', 'ws')}/hello/ws",
                subprotocols=[Subprotocol("bokeh"), Subprotocol(page_token(page.text))],
            ) as socket:
                assert '"ACK"' in str(socket.recv())
            server.stop()
        assert ("> TEXT" in server.text) is told


def test_show_opens_a_browser_on_each_application(app: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    opener = tmp_path / "xdg-open"
    opener.symlink_to(browser)
    import os

    with serving(app, "--show", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}) as server:
        httpx.get(f"{server.base}/hello")
        server.stop()
    assert opened.read_text().split() == [f"{server.base}/hello"]


def test_the_secret_comes_from_bokehs_variable(app: Path) -> None:
    with serving(app, env={"BOKEH_SECRET_KEY": "configured"}) as server:
        page = httpx.get(f"{server.base}/hello?bokeh-session-id=mine")
        assert page.status_code == 403


@pytest.mark.parametrize(
    ("option", "expected"), [("--accelerate", True), ("--no-accelerate", False)]
)
def test_bokeh_is_accelerated_unless_told_not_to(
    tmp_path: Path, option: str, expected: bool
) -> None:
    script = tmp_path / "asks.py"
    script.write_text(
        "from bokeh.io import curdoc\n"
        "from hyperfocal.document import acceleration\n"
        "curdoc().title = f'accelerated: {acceleration.installed()}'\n"
    )
    with serving(script, option) as server:
        assert f"accelerated: {expected}" in httpx.get(f"{server.base}/asks").text


@pytest.mark.parametrize(("options", "times"), [((), 1), (("--dev",), 2)])
def test_mistakes_in_documents_are_logged_for_the_first_session_or_all_with_dev(
    tmp_path: Path, options: tuple[str, ...], times: int
) -> None:
    script = tmp_path / "bare.py"
    script.write_text(
        "from bokeh.io import curdoc\n"
        "from bokeh.plotting import figure\n"
        "curdoc().add_root(figure())\n"
    )
    with serving(script, *options) as server:
        for _ in range(2):
            assert httpx.get(f"{server.base}/bare").status_code == 200
        server.stop()
    assert server.text.count("MISSING_RENDERERS") == times


def test_a_failing_script_is_logged_with_its_traceback_and_shown_in_dev(tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text("raise LookupError('what went wrong')\n")
    with serving(script, "--dev") as server:
        page = httpx.get(f"{server.base}/fails")
        assert page.status_code == 500
        assert "what went wrong" in page.text
        server.stop()
    assert "what went wrong" in server.text
    assert "fails.py" in server.text


def test_starting_does_not_import_what_belongs_to_bokehs_server(app: Path) -> None:
    code = (
        "import sys, hyperfocal.server, hyperfocal.contexts\n"
        "print([m for m in sys.modules if m == 'tornado' or m.startswith(('tornado.', "
        "'bokeh.server'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
