"""The command line and its help follow from the table of options."""

from __future__ import annotations

import tomllib
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hyperfocal.cli.hints import HINTS
from hyperfocal.cli.main import main
from hyperfocal.cli.serve import show
from hyperfocal.config import OPTIONS


@pytest.fixture(autouse=True)
def _nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environ)


def config(*arguments: str, **environ: str) -> dict[str, Any]:
    """The settings in force, as ``hyperfocal config`` shows them."""
    done = run("config", *arguments, **environ)
    assert done.exit_code == 0, done.output
    return tomllib.loads(done.stdout)


def test_help_names_every_option_under_the_heading_of_its_group() -> None:
    """Those that many need come first."""
    text = run("serve", "--help").stdout
    at = 0
    for heading in ("Common options", *dict.fromkeys(entry.group for entry in OPTIONS)):
        at = text.index(f"\n{heading}:", at)
        rest = text[at:].partition("\n\n")[0]
        for entry in OPTIONS:
            place = "Common options" if entry.common else entry.group
            if place == heading and entry.on_command_line:
                assert f"\n  {entry.flag}" in rest
                assert text.count(f"\n  {entry.flag} ") <= 1


@pytest.mark.parametrize("name", HINTS)
def test_what_users_of_other_servers_type_is_answered_with_what_it_is_called_here(
    name: str,
) -> None:
    assert name not in {entry.name for entry in OPTIONS}
    done = run("serve", f"--{name}", "x")
    assert done.exit_code == 2
    assert f"there is no --{name}; here it is {HINTS[name]}" in " ".join(done.stderr.split())
    for word in HINTS[name].replace(",", " ").split():
        if word.startswith("--"):
            assert word[2:] in {entry.name for entry in OPTIONS}


def test_help_says_what_is_by_default() -> None:
    words = " ".join(run("serve", "--help").stdout.split())
    for entry in OPTIONS:
        if entry.on_command_line and entry.default_text:
            assert f"[default: {entry.default_text}]" in words
    assert "--accelerate / --no-accelerate" in words
    assert "--no-show" not in words


def test_config_shows_what_is_in_force_and_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "hyperfocal.toml").write_text("prefix = 'x'\nshow = true\n")
    done = run(
        "config", "a.py", "--port", "1", "--no-show", "--args", "--port", "2",
        HYPERFOCAL_ADDRESS="::", HYPERFOCAL_MAX_SESIONS="3", BOKEH_SECRET_KEY="hidden",
        HYPERFOCAL_SSL_PASSWORD="hidden",
    )  # fmt: skip
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert 'applications = ["a.py"] # PATH' in lines
    assert 'args = ["--port", "2"] # --args' in lines
    assert "port = 1 # --port" in lines
    assert "show = false # --no-show" in lines
    assert 'address = "::" # HYPERFOCAL_ADDRESS' in lines
    assert 'prefix = "/x" # prefix in hyperfocal.toml' in lines
    assert "dev = false # default" in lines
    assert "# secret-key = (not shown) # BOKEH_SECRET_KEY" in lines
    assert "# ssl-password = (not shown) # HYPERFOCAL_SSL_PASSWORD" in lines
    assert "hidden" not in done.output
    assert "HYPERFOCAL_MAX_SESIONS sets nothing; did you mean HYPERFOCAL_MAX_SESSIONS?" in (
        done.stderr
    )


def test_what_config_shows_is_a_file_of_settings(tmp_path: Path) -> None:
    shown = run("config", "--unix-socket", "s", "--allow-websocket-origin", "a", "x.py").stdout
    (tmp_path / "hyperfocal.toml").write_text(shown)
    assert config() == tomllib.loads(shown)
    assert config()["allow-websocket-origin"] == ["a"]
    assert config()["unix-socket"] == "s"


def test_an_option_given_twice_is_a_list_or_the_last_value() -> None:
    shown = config(
        "--port", "1", "--port", "2", "--allow-websocket-origin", "a", "--allow-websocket-origin=b"
    )
    assert shown["port"] == 2
    assert shown["allow-websocket-origin"] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "many"], "--port: got 'many', expected a whole number from 0 to 65535"),
        (
            ["--prewarm", "many"],
            "--prewarm: got 'many', expected a whole number from 0 to 1000, or",
        ),
        (["--prot", "1"], "--prot"),
        (["--config", "x.toml"], "x.toml: No such file"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], words: str) -> None:
    done = run("config", *arguments)
    assert done.exit_code != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1
    assert words in errors[0]


def test_some_options_take_all_values_that_follow() -> None:
    shown = config(
        "a.py", "--exclude-headers", "A", "B", "--exclude-cookies=c", "--exclude-cookies", "d", "e",
        "--port", "1",
    )  # fmt: skip
    assert shown["exclude-headers"] == ["A", "B"]
    assert shown["exclude-cookies"] == ["c", "d", "e"]
    assert shown["applications"] == ["a.py"]
    assert shown["port"] == 1


class _Browser:
    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        return True


def test_the_browser_that_is_shown_is_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    browser = _Browser()
    known = {"mine": browser}

    def get(name: str) -> _Browser:
        if name not in known:
            raise webbrowser.Error("could not locate runnable browser")
        return known[name]

    monkeypatch.setattr(webbrowser, "get", get)
    show(["http://a/"], "mine")
    show(["http://b/"], "none")
    assert browser.opened == ["http://a/"]
    show(["http://c/"], "nobodys")
    assert "cannot open http://c/: could not locate runnable browser" in caplog.text


def test_files_behind_dev_are_watched_where_applications_come_before(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("")
    behind = ["config", str(app), "--dev", "one.csv", "two", "--port", "0"]
    shown = CliRunner().invoke(main, behind).output
    assert "dev = true" in shown
    assert 'dev-watch = ["one.csv", "two"]' in shown
    shown = CliRunner().invoke(main, ["config", "--dev", str(app)]).output
    assert "dev = true" in shown
    assert f'applications = ["{app}"]' in shown
