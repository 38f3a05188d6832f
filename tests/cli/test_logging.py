"""Where the log goes, how its lines are made, and what is told at intervals."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest

from hyperfocal.config import Settings
from hyperfocal.errors import ConfigError
from tests.support.serving import ROOT, serving


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "hello.py"
    path.write_text("from bokeh.io import curdoc\ncurdoc().title = 'hello'\n")
    return path


def test_the_log_goes_to_a_file_in_the_format_that_is_set(app: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("what was there\n")
    hooks = app.with_name("folder")
    hooks.mkdir()
    (hooks / "main.py").write_text(app.read_text())
    (hooks / "app_hooks.py").write_text(
        # What follows is in the file, so this says that the server starts.
        "def on_server_loaded(context): print('Serving at http://loaded/ ', flush=True)\n"
    )
    options = ["--log-file", str(log), "--log-format", "%(levelname)s|%(name)s|%(message)s"]
    with serving(hooks, *options, "--log-level", "debug", "--mem-log-frequency", "20",
                 "--stats-log-frequency", "20") as server:  # fmt: skip
        deadline = time.monotonic() + 20
        while "unused" not in log.read_text() or "Memory" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        assert server.stop() == 0
    text = log.read_text()
    assert text.startswith("what was there\n")
    assert re.search(r"^INFO\|hyperfocal\|Serving at http://localhost:\d+/ ", text, re.M)
    assert re.search(r"^INFO\|hyperfocal\|\[pid \d+\] Memory usage: [1-9][\d.]+ MB", text, re.M)
    assert re.search(
        r"^DEBUG\|hyperfocal\|\[pid \d+\] 0 clients connected\n  /folder has", text, re.M
    )
    assert "hyperfocal|" not in server.text


def test_a_file_that_cannot_be_written_is_named(app: Path) -> None:
    with (
        pytest.raises(AssertionError, match=r"--log-file: got '/nowhere/x', .* \(No such file"),
        serving(app, "--log-file", "/nowhere/x"),
    ):
        pass


@pytest.mark.parametrize(
    "text", ["%(asctime)s %(nothing)s", "%(message)", "no record at all", "%d"]
)
def test_a_format_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--log-format: got .*, expected a format such as"):
        Settings(log_format=text)


def test_bokehs_file_of_settings_is_ours_and_bokehs(app: Path, tmp_path: Path) -> None:
    config = tmp_path / "bokeh.yaml"
    config.write_text("resources: cdn\npy_log_level: debug\nallowed_ws_origin: [a.example]\n")
    with serving(app, "--use-config", config, env={"BOKEH_RESOURCES": "inline"}) as server:
        page = httpx.get(f"{server.base}/hello").text
        assert "https://cdn.bokeh.org/bokeh/release/" in page
        assert len(page) < 20_000
        assert f"Settings come from {config}\n" in server.text
        server.stop()
    assert "created in" in server.text  # said at level debug


@pytest.mark.parametrize(
    ("options", "served", "said"),
    [
        (["--glob", "*.py", "nothing*"], ["/one", "/two"], "--glob: nothing matches nothing*"),
        (["--glob", "t*.py", "two.*"], ["/two"], ""),
        ([], [""], ""),
    ],
)
def test_patterns_of_paths_are_filled_in_and_with_no_path_an_empty_document_is_served(
    tmp_path: Path, options: list[str], served: list[str], said: str
) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("from bokeh.io import curdoc\ncurdoc().title = 'x'\n")
    path = f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}"
    with serving(*options, cwd=tmp_path, env={"PYTHONPATH": path}) as server:
        for url in served:
            assert httpx.get(f"{server.base}{url or '/'}").status_code == 200
        server.stop()
    urls = re.findall(r"  http://localhost:\d+(/\w+)", server.text)
    assert urls == [url for url in served if url]
    assert said in server.text


@pytest.mark.parametrize("options", [(), ("--num-procs", "2")], ids=["one", "two"])
def test_a_log_that_was_moved_is_opened_anew_and_sighup_ends_nothing(
    app: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Regression: SIGHUP ended the server, without hooks and without a word."""
    log = tmp_path / "server.log"
    hooks = app.with_name("folder")
    hooks.mkdir()
    (hooks / "main.py").write_text("print('a page')\n1 / 0\n")
    (hooks / "app_hooks.py").write_text(
        "def on_server_loaded(context): print('Serving at http://loaded/ ', flush=True)\n"
    )
    with serving(hooks, "--log-file", str(log), *options) as server:
        (base,) = re.findall(r"Serving at (http://\S+)/ ", waited(log, "Serving at"))
        log.rename(tmp_path / "old.log")
        server.process.send_signal(signal.SIGHUP)
        assert "sessions go on" in waited(log, "SIGHUP")
        assert httpx.get(f"{base}/folder").status_code == 500
        waited(log, "ZeroDivisionError")  # of a worker, where there are several
        assert "ZeroDivisionError" not in (tmp_path / "old.log").read_text()
        assert server.stop(signal.SIGTERM) == 0
    assert "Stopped" in log.read_text()


def waited(log: Path, what: str) -> str:
    deadline = time.monotonic() + 20
    while not log.exists() or what not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return log.read_text()


@pytest.mark.parametrize("options", [(), ("--num-procs", "2")], ids=["one", "two"])
def test_a_terminal_that_is_closed_ends_the_server_with_its_hooks(
    app: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = tmp_path / "done"
    hooks = app.with_name("folder")
    hooks.mkdir()
    (hooks / "main.py").write_text("")
    (hooks / "app_hooks.py").write_text(
        f"def on_server_unloaded(context): open({str(done)!r}, 'a').write('unloaded')\n"
    )
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "hyperfocal", "serve", "--port", "0", "--log-file", str(log)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], [*command, *options, str(hooks)])
    waited(log, "Serving at")
    os.close(terminal)
    # A server that goes on would be waited for until the test has taken too long.
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert done.read_text() == "unloaded" * (2 if options else 1)


def test_health_says_that_the_server_ends_before_it_does(app: Path) -> None:
    with serving(app, "--shutdown-delay", "20s") as server:
        assert httpx.get(f"{server.base}/health").json()["status"] == "ok"
        server.process.send_signal(signal.SIGTERM)
        answer = httpx.get(f"{server.base}/health")
        while answer.status_code == 200:
            answer = httpx.get(f"{server.base}/health")
        assert answer.status_code == 503
        assert answer.json()["status"] == "stopping"
        assert httpx.get(f"{server.base}/hello").status_code == 200  # it goes on
        assert httpx.get(f"{server.base}/health").status_code == 503
        assert httpx.get(f"{server.base}/health").status_code == 503
        assert server.process.wait(15) == 0  # that was enough


@pytest.mark.parametrize("options", [(), ("--num-procs", "2")], ids=["one", "two"])
def test_who_presses_ctrl_c_need_not_wait_for_that(app: Path, options: tuple[str, ...]) -> None:
    with serving(app, "--shutdown-delay", "20s", *options) as server:
        for _ in range(20):  # one of several processes answers
            assert httpx.get(f"{server.base}/health").json()["status"] == "ok"
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 0
