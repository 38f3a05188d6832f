"""Where values are found, and which goes before which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hyperfocal.config import OPTIONS, LogLevel, SessionIds, named_settings
from hyperfocal.config.kinds import (
    Choice,
    File,
    FileMode,
    Flag,
    Icon,
    LogFormat,
    Many,
    Secret,
    Whole,
)
from hyperfocal.config.settings import REMOVED
from hyperfocal.config.sources import DEFAULT, Effective, resolve
from hyperfocal.errors import ConfigError, UsageError

Resolve = Callable[..., Effective]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """What is in force, in an empty directory, for a user who has no files."""
    monkeypatch.chdir(tmp_path)

    def look(command: dict[str, Any] | None = None, **environ: str) -> Effective:
        return resolve(command or {}, environ, home=tmp_path / "home")

    return look


def test_with_nothing_said_all_is_by_default(found: Resolve) -> None:
    result = found()
    assert set(result.origins.values()) == {DEFAULT}
    assert result.settings.port == 5006
    assert result.warnings == ()


def test_each_source_goes_before_those_below_it(found: Resolve, tmp_path: Path) -> None:
    home = tmp_path / "home" / ".bokeh"
    home.mkdir(parents=True)
    (home / "bokeh.yaml").write_text("default_server_port: 1\n")
    asked = tmp_path / "asked.yaml"
    asked.write_text("default_server_port: 5\n")

    def port(command: dict[str, Any], **environ: str) -> tuple[int, str]:
        result = found(command, **environ)
        return result.settings.port, result.origins["port"]

    assert port({}) == (1, f"default_server_port in {home / 'bokeh.yaml'}")
    (tmp_path / "hyperfocal.toml").write_text("port = 2\n")
    assert port({}) == (2, "port in hyperfocal.toml")
    environ = {"BOKEH_DEFAULT_SERVER_PORT": "3"}
    assert port({}, **environ) == (3, "BOKEH_DEFAULT_SERVER_PORT")
    environ["HYPERFOCAL_PORT"] = "4"
    assert port({}, **environ) == (4, "HYPERFOCAL_PORT")
    command = {"use_config": str(asked)}
    assert port(command, **environ) == (5, f"default_server_port in {asked}")
    assert port({**command, "port": "6"}, **environ) == (6, "--port")
    files = (str(asked), "hyperfocal.toml", str(home / "bokeh.yaml"))
    assert found(command).files == files


def test_a_file_of_settings_may_be_elsewhere(found: Resolve, tmp_path: Path) -> None:
    (tmp_path / "hyperfocal.toml").write_text("port = 2\n")
    (tmp_path / "other.toml").write_text("address = '::'\nlog_level = 'debug'\n")
    result = found({"config": "other.toml"})
    assert result.settings.port == 5006
    assert result.settings.address == "::"
    assert result.settings.log_level is LogLevel.DEBUG
    assert found(HYPERFOCAL_CONFIG="other.toml").settings == result.settings


@pytest.mark.parametrize("entry", OPTIONS, ids=lambda entry: entry.name)
def test_every_option_has_a_variable_and_most_have_a_key(
    entry: Any, found: Resolve, tmp_path: Path
) -> None:
    value, text = _example(entry)
    more = {"HYPERFOCAL_SSL_CERTFILE": __file__} if entry.name == "ssl-keyfile" else {}
    if entry.attribute in ("config", "use_config"):
        (tmp_path / text).write_text("")
    result = found(**{entry.variable: text, **more})
    assert getattr(result.settings, entry.attribute) == value != entry.default
    assert result.origins[entry.attribute] == entry.variable
    if entry.in_file:
        written = '["a", "b"]' if isinstance(entry.kind, Many) else f'"{text}"'
        if isinstance(entry.kind, Flag | Whole):
            written = str(value).lower()
        (tmp_path / "hyperfocal.toml").write_text(f"{entry.name} = {written}\n")
        result = found(**more)
        assert getattr(result.settings, entry.attribute) == value
        assert result.origins[entry.attribute] == f"{entry.name} in hyperfocal.toml"


def _example(entry: Any) -> tuple[Any, str]:
    """A value that is not the default, and how it is written in a variable."""
    kind = entry.kind
    if isinstance(kind, Flag):
        return not entry.default, str(not entry.default)
    if isinstance(kind, Whole):
        number = kind.low if entry.default != kind.low else kind.low + 1
        return number, str(number)
    if isinstance(kind, Choice):
        choice = next(one for one in kind.choices if one is not entry.default)
        return choice, str(choice)
    if isinstance(kind, Secret):
        return b"a", "a"
    if isinstance(kind, LogFormat):
        return "%(message)s", "%(message)s"
    if isinstance(kind, Icon):
        return "none", "none"
    if isinstance(kind, File):
        return __file__, __file__
    if isinstance(kind, FileMode):
        return 0o640, "640"
    if entry.name == "args":
        return ("a", "b"), "a 'b'"
    if isinstance(kind, Many):
        return ("a", "b"), "a, b"
    return ("/a" if entry.name == "prefix" else "a"), "a"


def test_an_unknown_key_is_an_error_that_names_the_nearest(found: Resolve, tmp_path: Path) -> None:
    (tmp_path / "hyperfocal.toml").write_text("prot = 1\n")
    with pytest.raises(UsageError, match=r"hyperfocal.toml: .* 'prot'; did you mean port\?"):
        found()


def test_an_unknown_variable_is_a_warning_that_names_the_nearest(found: Resolve) -> None:
    result = found(HYPERFOCAL_PROT="1", HYPERFOCAL_CHROMIUM="/usr/bin/chromium")
    assert result.warnings == (
        "The environment variable HYPERFOCAL_PROT sets nothing; did you mean HYPERFOCAL_PORT?",
    )


@pytest.mark.parametrize(
    ("toml", "environ", "words"),
    [
        ("", {"HYPERFOCAL_PORT": "x"}, "HYPERFOCAL_PORT: got 'x', expected a whole number from 0"),
        ("", {"BOKEH_DEFAULT_SERVER_PORT": "-1"}, "BOKEH_DEFAULT_SERVER_PORT: got -1"),
        ("port = '1'", {}, "port in hyperfocal.toml: got '1', expected a whole number"),
        ("show = 1", {}, "show in hyperfocal.toml: got 1, expected yes or no"),
        ("", {"HYPERFOCAL_SHOW": "maybe"}, "HYPERFOCAL_SHOW: got 'maybe', expected yes or no"),
        ("args = 'x'", {}, "args in hyperfocal.toml: got 'x', expected a list of texts"),
        ("", {"HYPERFOCAL_ARGS": "'x"}, "HYPERFOCAL_ARGS"),
        ("secret-key = 1", {}, "secret-key in hyperfocal.toml: got 'what is not shown'"),
    ],
)
def test_what_cannot_be_names_who_said_it(
    found: Resolve, tmp_path: Path, toml: str, environ: dict[str, str], words: str
) -> None:
    (tmp_path / "hyperfocal.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        found(**environ)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("hyperfocal.toml", "port =", "hyperfocal.toml is not TOML"),
        ("bokeh.yaml", "a: [", "bokeh.yaml is not YAML"),
        ("bokeh.yaml", "- a", "bokeh.yaml: expected lines of"),
        ("bokeh.yaml", None, "bokeh.yaml: No such file"),
        ("other.toml", None, "other.toml: No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    found: Resolve, tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    command = {"config" if name.endswith("toml") else "use_config": name}
    with pytest.raises(UsageError, match=words):
        found(command)


def test_an_empty_file_says_nothing(found: Resolve, tmp_path: Path) -> None:
    (tmp_path / "bokeh.yaml").write_text("")
    assert found({"use_config": "bokeh.yaml"}).settings.port == 5006


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("BOKEH_ALLOW_WS_ORIGIN", "a.example,b.example:80", "websocket_origins",
         ("a.example", "b.example:80")),
        ("BOKEH_SECRET_KEY", "s", "secret_key", b"s"),
        ("BOKEH_SECRET_KEY", "", "secret_key", None),
        ("BOKEH_SIGN_SESSIONS", "yes", "session_ids", SessionIds.SIGNED),
        ("BOKEH_SIGN_SESSIONS", "no", "session_ids", SessionIds.AUTO),
        ("BOKEH_ICO_PATH", "none", "ico_path", "none"),
        ("BOKEH_ICO_PATH", "default-dev", "ico_path", "default"),
        ("BOKEH_SSL_CERTFILE", __file__, "ssl_certfile", __file__),
        ("BOKEH_SSL_PASSWORD", "p", "ssl_password", "p"),
        ("BOKEH_AUTH_MODULE", __file__, "auth_module", __file__),
        ("BOKEH_COOKIE_SECRET", "c", "cookie_secret", "c"),
        ("BOKEH_XSRF_COOKIES", "yes", "xsrf_cookies", True),
        ("BOKEH_BROWSER", "none", "browser", "none"),
        ("BOKEH_PY_LOG_LEVEL", "warn", "log_level", LogLevel.WARNING),
        ("BOKEH_PY_LOG_LEVEL", "none", "log_level", LogLevel.INFO),
        ("BOKEH_PY_LOG_LEVEL", "debug", "log_level", LogLevel.DEBUG),
    ],
)  # fmt: skip
def test_the_variables_of_bokeh_are_understood(
    found: Resolve, variable: str, text: str, attribute: str, value: Any
) -> None:
    assert getattr(found(**{variable: text}).settings, attribute) == value


def test_a_file_of_bokehs_settings_has_lists_and_booleans_and_much_that_is_not_ours(
    found: Resolve, tmp_path: Path
) -> None:
    (tmp_path / "b.yaml").write_text(
        "allowed_ws_origin: [a.example]\nsign_sessions: yes\nresources: cdn\npy_log_level: fatal\n"
    )
    settings = found({"use_config": "b.yaml"}).settings
    assert settings.websocket_origins == ("a.example",)
    assert settings.session_ids is SessionIds.SIGNED
    assert settings.log_level is LogLevel.CRITICAL


RIVALS = [
    # what is said, and what of it is in force: the Unix socket, or the address and port
    ({"unix_socket": "s"}, {"HYPERFOCAL_PORT": "1"}, "", ("s", 5006)),
    ({"unix_socket": "s"}, {"BOKEH_DEFAULT_SERVER_PORT": "1"}, "", ("s", 5006)),
    ({}, {"BOKEH_DEFAULT_SERVER_PORT": "1"}, "unix-socket = 's'", ("s", 5006)),
    ({"port": "1"}, {}, "unix-socket = 's'", (None, 1)),
]


@pytest.mark.parametrize(("command", "environ", "toml", "expected"), RIVALS)
def test_of_what_excludes_each_other_the_stronger_is_in_force(
    found: Resolve,
    tmp_path: Path,
    command: dict[str, str],
    environ: dict[str, str],
    toml: str,
    expected: tuple[str | None, int],
) -> None:
    (tmp_path / "hyperfocal.toml").write_text(toml)
    settings = found(command, **environ).settings
    assert (settings.unix_socket, settings.port) == expected


def test_what_excludes_each_other_is_refused_when_it_is_as_strong(
    found: Resolve, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--unix-socket: got 's', expected no --port beside it"):
        found({"unix_socket": "s", "port": "5007"})
    (tmp_path / "hyperfocal.toml").write_text("unix-socket = 's'\naddress = '::'\n")
    with pytest.raises(ConfigError, match=r"unix-socket in .*expected no address in .* beside"):
        found()


def test_options_that_are_gone_are_refused_with_the_reason(found: Resolve, tmp_path: Path) -> None:
    why = "callbacks always run in threads"
    with pytest.raises(UsageError, match=f"HYPERFOCAL_QUICK_CALLBACK is not .* any more: {why}"):
        found(HYPERFOCAL_QUICK_CALLBACK="5")
    with pytest.raises(UsageError, match=f"callback_threads is not .* any more: {why}"):
        named_settings({"callback_threads": 3})
    assert REMOVED.keys().isdisjoint(option.name for option in OPTIONS)
