"""Settings: their defaults, their bounds, and errors that name the option."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from hyperfocal.config import OPTIONS, SessionIds, Settings
from hyperfocal.config.kinds import RefusedError, Whole
from hyperfocal.config.settings import DEFAULTS
from hyperfocal.errors import ConfigError, UsageError

#: field, option, lowest value, highest value
BOUNDS: list[tuple[str, str, int, int | None]] = [
    ("port", "--port", 0, 65535),
    ("login_lifetime_s", "--login-lifetime", 60, None),
    ("max_sessions_per_user", "--max-sessions-per-user", 0, None),
    ("num_procs", "--num-procs", 0, 1000),
    ("token_expiration_s", "--session-token-expiration", 1, None),
    ("unused_session_lifetime_ms", "--unused-session-lifetime", 1, None),
    ("lost_session_lifetime_ms", "--lost-session-lifetime", 1, None),
    ("check_unused_sessions_ms", "--check-unused-sessions", 1, None),
    ("keep_alive_ms", "--keep-alive", 0, None),
    ("http_max_header_bytes", "--http-max-header-size", 8192, None),
    ("http_request_timeout_ms", "--http-request-timeout", 1, None),
    ("shutdown_delay_ms", "--shutdown-delay", 0, 20_000),
    ("websocket_max_message_bytes", "--websocket-max-message-size", 1024, None),
    ("websocket_compression_level", "--websocket-compression-level", 0, 9),
    ("websocket_compression_mem_level", "--websocket-compression-mem-level", 1, 9),
    ("websocket_max_buffers", "--websocket-max-buffers", 0, None),
    ("outbox_max_bytes", "--outbox-max-bytes", 65536, None),
    ("max_sessions", "--max-sessions", 0, None),
    ("max_sessions_per_application", "--max-sessions-per-application", 0, None),
    ("max_sessions_per_address", "--max-sessions-per-address", 0, None),
    ("max_new_sessions_per_minute", "--max-new-sessions-per-minute", 0, None),
    ("max_connections_per_session", "--max-connections-per-session", 1, None),
    ("max_memory_bytes", "--max-memory", 0, None),
    ("threads", "--threads", 1, 10_000),
    ("threads_per_visitor", "--threads-per-visitor", 1, 10_000),
    ("threads_per_app", "--threads-per-app", 1, 10_000),
    ("own_threads", "--own-threads", 0, 100_000),
    ("build_threads", "--build-threads", 1, 1000),
    ("build_timeout_ms", "--build-timeout", 0, None),
    ("build_queue", "--build-queue", 0, None),
    ("warn_blocked_ms", "--warn-blocked", 0, None),
    ("stuck_after_ms", "--stuck-after", 0, None),
    ("warn_long_turn_ms", "--warn-long-turn", 0, None),
    ("stats_log_frequency_ms", "--stats-log-frequency", 0, None),
    ("mem_log_frequency_ms", "--mem-log-frequency", 0, None),
    ("prewarm", "--prewarm", 0, 1000),
    ("prewarm_max_bytes", "--prewarm-max-bytes", 0, None),
]


def settings(**changes: Any) -> Settings:
    return Settings(**changes)


def refused(**changes: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Settings(**changes)
    return caught.value


def test_the_defaults_are_those_of_bokeh_serve() -> None:
    made = Settings()
    assert made.port == 5006
    assert made.address is None
    assert made.prefix == ""
    assert made.session_ids is SessionIds.AUTO
    assert made.secret_key is None
    assert made.token_expiration_s == 300
    assert made.unused_session_lifetime_ms == 15_000
    assert made.check_unused_sessions_ms == 17_000
    assert made.keep_alive_ms == 37_000
    assert made.websocket_max_message_bytes == 20 * 1024 * 1024
    assert made.websocket_origins == ()
    assert not made.dev


def test_a_lost_session_lives_longer_than_the_last_try_of_the_browser() -> None:
    # BokehJS tries again until 52 s have passed; see docs of reconnecting.
    assert Settings().lost_session_lifetime_ms > 52_000


def test_every_number_has_bounds_and_an_option() -> None:
    numbers = {entry.attribute for entry in OPTIONS if isinstance(entry.kind, Whole)}
    assert numbers == {name for name, *_ in BOUNDS}


def test_every_attribute_is_an_entry_of_the_table() -> None:
    assert sorted(entry.attribute for entry in OPTIONS) == sorted(
        spec.name for spec in fields(Settings)
    )
    assert len({entry.name for entry in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize(("name", "option", "low", "high"), BOUNDS)
def test_the_bounds_themselves_are_taken_and_what_is_beyond_is_not(
    name: str, option: str, low: int, high: int | None
) -> None:
    assert getattr(settings(**{name: low}), name) == low
    top = 10**15 if high is None else high
    assert getattr(settings(**{name: top}), name) == top
    beyond = [low - 1] if high is None else [low - 1, high + 1]
    for value in beyond:
        error = refused(**{name: value})
        assert (error.option, error.got) == (option, value)
        assert str(error).startswith(f"{option}: got {value}, expected a whole number")
        assert str(low) in error.expected


@pytest.mark.parametrize(
    "value", [None, "5006", 5006.0, True, False, b"1", float("nan"), [1]], ids=repr
)
@pytest.mark.parametrize(("name", "option", "low", "high"), BOUNDS)
def test_what_is_no_whole_number_is_refused(
    name: str, option: str, low: int, high: int | None, value: object
) -> None:
    if value is None and DEFAULTS[name] is None:
        return
    error = refused(**{name: value})
    assert error.option == option
    assert error.got is value


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        ("/", ""),
        ("//", ""),
        ("apps", "/apps"),
        ("/apps", "/apps"),
        ("apps/", "/apps"),
        ("/a/b/", "/a/b"),
        ("a/.hidden", "/a/.hidden"),
    ],
)
def test_a_prefix_is_kept_with_one_slash_before_it_and_none_behind(given: str, kept: str) -> None:
    assert Settings(prefix=given).prefix == kept


@pytest.mark.parametrize("prefix", ["a//b", "..", "a/..", "/../a", ".", "/a/./b"])
def test_a_prefix_that_is_no_path_is_refused(prefix: str) -> None:
    error = refused(prefix=prefix)
    assert (error.option, error.got) == ("--prefix", prefix)


@pytest.mark.parametrize("value", ["yes", 1, 0, "auto"], ids=repr)
def test_whether_documents_may_be_pushed_is_yes_no_or_undecided(value: object) -> None:
    for allowed in (True, False, None):
        assert Settings(allow_push_doc=allowed).allow_push_doc is allowed
    assert refused(allow_push_doc=value).option == "--allow-push-doc"


def test_an_empty_secret_is_refused_and_any_other_is_taken() -> None:
    assert refused(secret_key=b"").option == "--secret-key"
    assert Settings(secret_key=b"x").secret_key == b"x"


def test_errors_are_of_the_callers_making_and_are_value_errors() -> None:
    error = refused(port=-1)
    assert isinstance(error, UsageError)
    assert isinstance(error, ValueError)


def test_settings_do_not_change() -> None:
    made: Any = Settings()
    with pytest.raises(FrozenInstanceError):
        made.port = 1
    assert made == Settings()


def test_session_ids_have_the_names_of_the_command_line() -> None:
    assert [mode.value for mode in SessionIds] == ["auto", "unsigned", "signed", "external-signed"]
    assert SessionIds("external-signed") is SessionIds.EXTERNAL_SIGNED


@pytest.mark.parametrize("mode", list(SessionIds))
def test_the_name_of_a_mode_is_as_good_as_the_mode(mode: SessionIds) -> None:
    # The policy compares by identity: a mere string would be none of the modes.
    assert settings(session_ids=mode.value).session_ids is mode


@pytest.mark.parametrize("value", ["", "SIGNED", "external_signed", None, 1, True, []], ids=repr)
def test_a_mode_that_does_not_exist_is_refused_with_those_that_do(value: object) -> None:
    error = refused(session_ids=value)
    assert (error.option, error.got) == ("--session-ids", value)
    for mode in SessionIds:
        assert mode.value in error.expected


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("max-memory", "2GB", 2_000_000_000),
        ("max-memory", "2GiB", 2 << 30),
        ("max-memory", "2g", 2 << 30),
        ("max-memory", "1.5 MiB", 3 << 19),
        ("http-request-timeout", "10m", 600_000),
        ("http-request-timeout", "1.5s", 1_500),
        ("http-request-timeout", "250ms", 250),
        ("session-token-expiration", "10m", 600),
        ("session-token-expiration", "1 h", 3_600),
        ("session-token-expiration", "2d", 172_800),
    ],
)
def test_times_and_sizes_may_have_units(option: str, text: str, value: int) -> None:
    (entry,) = (one for one in OPTIONS if one.name == option)
    assert entry.kind.parse(text) == value
    assert entry.kind.load(text) == value


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *(("max-memory", text) for text in ("2s", "GB", "2 G B", "-2GB", "1.5b", "2GB2", "1e3kb")),
        *(
            ("session-token-expiration", text)
            for text in ("10x", "250ms", "m", "1h30m", "\u0661\u0660m")
        ),
        ("port", "5k"),
        ("max-sessions", "10m"),
        ("http-request-timeout", "0s"),
    ],
    ids=ascii,
)
def test_what_is_no_time_or_size_is_refused(option: str, text: str) -> None:
    (entry,) = (one for one in OPTIONS if one.name == option)
    for read in (entry.kind.parse, entry.kind.load):
        with pytest.raises(RefusedError):
            read(text)
